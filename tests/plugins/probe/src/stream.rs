//! What it does with answers piece by piece.

use std::cell::RefCell;

use crate::exports::tidegate::plugin::stream_hook::{Guest, GuestSession};
use crate::good::denial;
use crate::tidegate::plugin::types::{
    ChatRequest, Context, Delta, Failure, Finding, Piece, Severity, StreamOutcome, StreamVerdict, Usage,
};
use crate::{Act, Probe, bad, config};

#[derive(Default)]
pub struct Follower {
    act: Act,
    held: RefCell<Vec<Delta>>,
}

impl Guest for Probe {
    type Session = Follower;
}

impl GuestSession for Follower {
    fn new(_: Context, _: ChatRequest) -> Self {
        Self { act: config().stream.unwrap_or_default(), held: RefCell::default() }
    }

    fn push(&self, batch: Vec<Delta>) -> Result<StreamOutcome, Failure> {
        let act = &self.act;
        match act.name.as_str() {
            "" | "pass" => Ok(verdict(StreamVerdict::Pass)),
            "upper" => Ok(verdict(StreamVerdict::Replace(batch.into_iter().map(upper).collect()))),
            // Everything is kept, and comes reversed at the end.
            "reverse" => {
                self.held.borrow_mut().extend(batch);
                Ok(verdict(StreamVerdict::Hold))
            }
            "stop" => {
                let is_there = batch.iter().any(|delta| text(delta).is_some_and(|text| text.contains(&act.text)));
                Ok(match is_there {
                    true => verdict(StreamVerdict::Stop(denial("stopped by the probe"))),
                    false => verdict(StreamVerdict::Pass),
                })
            }
            // Tool calls of that name.
            "tool" => {
                let is_there = batch.iter().any(|delta| matches!(&delta.piece, Piece::ToolCall(call) if call.name == act.text));
                Ok(match is_there {
                    true => verdict(StreamVerdict::Stop(denial("not that tool"))),
                    false => verdict(StreamVerdict::Pass),
                })
            }
            "count" => {
                let finding = Finding { kind: "pieces".into(), severity: Severity::Info, score: 1.0, at: None };
                Ok(StreamOutcome { verdict: StreamVerdict::Pass, findings: vec![finding] })
            }
            _ => bad::act(act).map(|_| verdict(StreamVerdict::Pass)),
        }
    }

    fn finish(&self, _: Option<Usage>) -> Result<StreamOutcome, Failure> {
        if self.act.name != "reverse" {
            return Ok(verdict(StreamVerdict::Pass));
        }
        let held = self.held.take();
        let all: String = held.iter().filter_map(text).collect();
        let first = held.into_iter().find(|delta| text(delta).is_some());
        let reversed = first.map(|delta| Delta { piece: Piece::Text(all.chars().rev().collect()), ..delta });
        Ok(verdict(StreamVerdict::Replace(reversed.into_iter().collect())))
    }
}

fn text(delta: &Delta) -> Option<&str> {
    match &delta.piece {
        Piece::Text(text) => Some(text),
        _ => None,
    }
}

fn upper(delta: Delta) -> Delta {
    match delta.piece {
        Piece::Text(text) => Delta { piece: Piece::Text(text.to_uppercase()), ..delta },
        _ => delta,
    }
}

fn verdict(verdict: StreamVerdict) -> StreamOutcome {
    StreamOutcome { verdict, findings: vec![] }
}
