//! What the law tests and the fuzz targets share: streams read in pieces, and everything events say, told as
//! text that can be compared.
//!
//! Texts and JSON hide from `{:?}` on purpose, and a failure has no equality; here all of it is spelled out.

use bytes::{Bytes, BytesMut};
use tidegate::base::ids::ModelName;
use tidegate::chat::{Delta, Event, Finish, Frame, Opening, Usage};
use tidegate::dialect::{Asked, Dialect, StreamReader};

/// A stream as far as it could be read, and how that ended.
pub struct Told {
    pub frames: Vec<Frame>,
    /// `ok`, or why not.
    pub end: String,
}

impl Told {
    pub fn is_complete(&self) -> bool {
        self.end == "ok"
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.frames.iter().flat_map(|frame| frame.iter())
    }

    /// Every event in a line of its own, and the end.
    pub fn lines(&self) -> Vec<String> {
        self.events().map(event).chain([self.end.clone()]).collect()
    }

    /// The frames as if each had been touched: they have no bytes of their own any more.
    pub fn touched(&self) -> Vec<Frame> {
        let mut frames = self.frames.clone();
        for frame in &mut frames {
            frame.edit();
        }
        frames
    }
}

/// Reads a stream that comes in these pieces.
pub fn read<'p>(dialect: &dyn Dialect, pieces: impl IntoIterator<Item = &'p [u8]>) -> Told {
    read_with(&mut *dialect.stream_reader(), pieces)
}

pub fn read_with<'p>(reader: &mut dyn StreamReader, pieces: impl IntoIterator<Item = &'p [u8]>) -> Told {
    let mut frames = Vec::new();
    for piece in pieces {
        if let Err(wrong) = reader.feed(Bytes::copy_from_slice(piece), &mut frames) {
            return Told { frames, end: format!("malformed: {wrong}") };
        }
    }
    let end = match reader.finish(&mut frames) {
        Ok(()) => "ok".to_owned(),
        Err(cut) => format!("cut: {}", cut.0),
    };
    Told { frames, end }
}

/// What a caller of this dialect gets for these frames.
pub fn write(dialect: &dyn Dialect, frames: &[Frame]) -> Bytes {
    // Ids that the gateway makes up are the same in every test.
    fastrand::seed(7);
    let asked = Asked { model: ModelName::new("asked"), wants_usage: true, created: 1_700_000_000 };
    let mut writer = dialect.stream_writer(&asked);
    let mut out = BytesMut::new();
    frames.iter().for_each(|frame| writer.write(frame, &mut out));
    out.freeze()
}

pub fn event(event: &Event) -> String {
    match event {
        Event::Start(start) => {
            let created = start.created.as_ref().map_or("-", |created| created.as_str());
            format!("start {:?} {:?} {created}", start.id.as_str(), start.model.as_str())
        }
        Event::Open { lane, what } => format!("open {}.{} {}", lane.choice, lane.part, opening(what)),
        Event::Delta { lane, delta } => format!("delta {}.{} {}", lane.choice, lane.part, self::delta(delta)),
        Event::Close { lane } => format!("close {}.{}", lane.choice, lane.part),
        Event::Finish { choice, finish } => format!("finish {choice} {}", self::finish(finish)),
        Event::Usage(usage) => format!("usage {}", self::usage(usage)),
        Event::Ping => "ping".into(),
        Event::Unread => "unread".into(),
        Event::Failed(failure) => format!("failed {} {:?}", failure.class.name(), failure.reply),
        Event::End => "end".into(),
        Event::Whole(_) => "whole".into(),
    }
}

fn opening(what: &Opening) -> String {
    match what {
        Opening::ToolCall { id, name } => format!("call {:?} {:?}", id.as_str(), name.as_str()),
        Opening::Sealed(data) => format!("sealed {:?}", data.as_str()),
        Opening::Other(json) => format!("other {}", json.0),
        Opening::Text | Opening::Thinking | Opening::Refusal => format!("{what:?}"),
    }
}

fn delta(delta: &Delta) -> String {
    match delta {
        Delta::Text(text) => format!("text {:?}", text.as_str()),
        Delta::Thinking(text) => format!("thinking {:?}", text.as_str()),
        Delta::Signature(text) => format!("signature {:?}", text.as_str()),
        Delta::Arguments(text) => format!("arguments {:?}", text.as_str()),
        Delta::Refusal(text) => format!("refusal {:?}", text.as_str()),
        Delta::Other(json) => format!("other {}", json.0),
    }
}

fn finish(finish: &Finish) -> String {
    let stop = finish.stop_sequence.as_ref().map(|stop| stop.as_str());
    format!("{} {:?} {stop:?}", finish.reason.name(), finish.word.as_str())
}

/// The counts, without the provider's own object.
fn usage(usage: &Usage) -> String {
    format!("{:?}", Usage { wire: None, ..usage.clone() })
}
