//! A kept answer, given again: as a whole or as a stream, with an id of its own.

use std::time::Duration;

use bytestring::ByteString;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;

use crate::base::stop::Stop;
use crate::base::text::Text;
use crate::chat::{Choice, Completion, Content, Delta, Event, Events, Frame, Lane, Opening, Part, Start, Verbatim};
use crate::dialect;
use crate::pipeline::cx::Cx;
use crate::pipeline::{Answer, Burst, Head};
use crate::state::answers::Kept;

/// How an answer is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    Whole,
    Stream {
        /// What it pauses before each piece of it.
        pace: Duration,
    },
}

/// `None` if what is kept cannot be read, or not be said as it is to be sent, which is as if it were not there.
pub fn answer(kept: &Kept, cx: &Cx, sending: Sending) -> Option<Answer> {
    let is_stream = sending != Sending::Whole;
    let origin = &kept.origin;
    let id = cx.id.as_str();
    let fresh = id.strip_prefix("req_").unwrap_or(id);
    let wire = kept.wire(fresh);
    let is_passed_by = !is_stream && !cx.is_seen && cx.dialect == Some(origin.dialect);
    let burst = if is_passed_by {
        let events = Events::from_iter([Event::Whole(Box::new(kept.outline().clone()))]);
        vec![Verbatim::read(events, origin.dialect, wire, None)]
    } else {
        let text = ByteString::try_from(wire.clone()).ok()?;
        let completion = dialect::by_id(origin.dialect)?.read_completion(&text).ok()?;
        // Whoever asks for a stream is not to miss what is given to others.
        if is_stream && !dialect::by_id(cx.dialect.unwrap_or(origin.dialect))?.can_be_streamed(&completion) {
            return None;
        }
        match streamed(&completion).filter(|_| is_stream) {
            Some(frames) => frames,
            None => {
                let events = Events::from_iter([Event::Whole(Box::new(completion))]);
                vec![Verbatim::read(events, origin.dialect, wire, Some(0))]
            }
        }
    };
    let head = Head {
        target: None,
        provider: origin.provider.clone(),
        model: origin.model.clone(),
        dialect: origin.dialect,
        headers: HeaderMap::with_capacity(12),
        is_detoured: false,
        basis: Default::default(),
        audience: None,
    };
    let frames = match sending {
        Sending::Stream { pace } if !pace.is_zero() => paced(burst, pace),
        _ => stream::iter([Ok(burst)]).boxed(),
    };
    Some(Answer { head, frames })
}

/// The frames as if they were made while they are read.
fn paced(burst: Burst, pace: Duration) -> BoxStream<'static, Result<Burst, Stop>> {
    let one = move |frame: Frame| async move {
        if frame.iter().any(|event| matches!(event, Event::Delta { .. })) {
            tokio::time::sleep(pace).await;
        }
        Ok(vec![frame])
    };
    stream::iter(burst).then(one).boxed()
}

/// The answer as it might have come as a stream; `None` if it has parts that only its dialect knows how to stream.
fn streamed(completion: &Completion) -> Option<Burst> {
    let Completion { id, model, created, choices, usage, .. } = completion;
    let start = Start { id: id.clone(), model: model.clone(), created: created.clone() };
    let mut events = vec![Event::Start(Box::new(start))];
    for choice in choices {
        say(choice, &mut events)?;
    }
    events.extend(usage.clone().map(|usage| Event::Usage(Box::new(usage))));
    events.push(Event::End);
    Some(events.into_iter().map(|event| Frame::new(Events::from_iter([event]))).collect())
}

fn say(choice: &Choice, events: &mut Vec<Event>) -> Option<()> {
    for (number, part) in (0..).zip(&choice.parts) {
        let lane = Lane { choice: choice.index, part: number };
        let (what, deltas) = pieces(part)?;
        events.push(Event::Open { lane, what });
        events.extend(deltas.into_iter().map(|delta| Event::Delta { lane, delta }));
        events.push(Event::Close { lane });
    }
    let finish = choice.finish.clone()?;
    events.push(Event::Finish { choice: choice.index, finish: Box::new(finish) });
    Some(())
}

fn pieces(part: &Part) -> Option<(Opening, Vec<Delta>)> {
    if part.extra.telling().next().is_some() {
        return None;
    }
    match &part.content {
        Content::Text(text) => Some((Opening::Text, cut(text, Delta::Text))),
        Content::Refusal(text) => Some((Opening::Refusal, cut(text, Delta::Refusal))),
        Content::Thinking(thinking) => match &thinking.sealed {
            Some(sealed) => Some((Opening::Sealed(sealed.clone()), Vec::new())),
            None => {
                let signature = thinking.signature.clone().map(Delta::Signature);
                let said = cut(&thinking.text, Delta::Thinking).into_iter().chain(signature);
                Some((Opening::Thinking, said.collect()))
            }
        },
        Content::ToolCall(call) => {
            let what = Opening::ToolCall { id: call.id.clone(), name: call.name.clone() };
            Some((what, vec![Delta::Arguments(Text::from(&*call.arguments.as_str()))]))
        }
        _ => None,
    }
}

/// A text in pieces of a few words each, none of which is cut.
fn cut(text: &Text, delta: fn(Text) -> Delta) -> Vec<Delta> {
    let text = text.as_str();
    let mut pieces = Vec::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        let end = rest.char_indices().find(|(at, c)| *at >= PIECE && c.is_whitespace());
        let (piece, left) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        pieces.push(delta(Text::from(piece)));
        rest = left;
    }
    pieces
}

/// The least bytes of a piece but the last: some four words.
const PIECE: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_words_and_nothing_of_it_is_lost() {
        let text = "A sentence of several words, and a Donaudampfschifffahrtsgesellschaft in it.\n\nDone.";
        let pieces = cut(&Text::from(text), Delta::Text);
        let said: Vec<_> = pieces.iter().map(|delta| delta.text().unwrap().as_str().into_owned()).collect();
        assert_eq!(said.concat(), text);
        assert!(said.len() > 2 && said.iter().skip(1).all(|piece| piece.starts_with(char::is_whitespace)), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_lies_before_each_piece_and_before_nothing_else() {
        let (begun, pace) = (tokio::time::Instant::now(), Duration::from_millis(30));
        let delta = |text: &str| Event::Delta { lane: Lane { choice: 0, part: 0 }, delta: Delta::Text(text.into()) };
        let frames = [delta("one"), delta(" two"), Event::End].map(|event| Frame::new(Events::from_iter([event])));
        let came = paced(frames.into(), pace).map(|burst| (burst.unwrap().len(), begun.elapsed())).collect::<Vec<_>>();
        assert_eq!(came.await, [(1, pace), (1, 2 * pace), (1, 2 * pace)]);
    }
}
