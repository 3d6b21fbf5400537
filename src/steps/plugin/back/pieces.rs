//! An answer in the pieces that a plugin is shown, and new wordings for them.

use std::collections::BTreeMap;

use crate::base::text::Text;
use crate::chat::{Choice, Content, Delta, Edits, Event, Lane, Opening};
use crate::steps::plugin::edits::{Wordings, apply_to_answer};
use crate::steps::plugin::lanes::Said;
use crate::steps::plugin::parts::shown;
use crate::steps::plugin::view::Sight;
use crate::wasm::types::{self, Piece};

pub fn kind(piece: &Piece) -> Option<Said> {
    match piece {
        Piece::Text(_) => Some(Said::Text),
        Piece::Thinking(_) => Some(Said::Thinking),
        Piece::Refusal(_) => Some(Said::Refusal),
        Piece::ToolArguments(_) => Some(Said::Arguments),
        Piece::ToolCall(_) | Piece::End => None,
    }
}

pub fn text_of(piece: &Piece) -> &str {
    match piece {
        Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) | Piece::ToolArguments(text) => text,
        Piece::ToolCall(_) | Piece::End => "",
    }
}

pub fn lane(delta: &types::Delta) -> Lane {
    Lane { choice: delta.choice, part: delta.part }
}

pub fn size(delta: &types::Delta) -> usize {
    text_of(&delta.piece).len()
}

/// The pieces that an event brings.
pub fn pieces(event: &Event, sight: Sight, out: &mut Vec<types::Delta>) {
    let text = |text: &Text| match sight {
        Sight::Text => text.as_str().into_owned(),
        Sight::Outline => String::new(),
    };
    let (lane, piece) = match event {
        Event::Open { lane, what: Opening::ToolCall { id, name } } => {
            let call = types::ToolCall {
                id: id.as_str().into_owned(),
                name: name.as_str().into_owned(),
                arguments_json: String::new(),
            };
            (*lane, Piece::ToolCall(call))
        }
        Event::Delta { lane, delta } => match delta {
            Delta::Text(said) => (*lane, Piece::Text(text(said))),
            Delta::Thinking(said) => (*lane, Piece::Thinking(text(said))),
            Delta::Refusal(said) => (*lane, Piece::Refusal(text(said))),
            Delta::Arguments(said) => (*lane, Piece::ToolArguments(text(said))),
            Delta::Signature(_) | Delta::Other(_) => return,
        },
        Event::Close { lane } => (*lane, Piece::End),
        Event::Whole(completion) => {
            for choice in &completion.choices {
                whole_pieces(choice, sight, out);
            }
            return;
        }
        _ => return,
    };
    out.push(types::Delta { choice: lane.choice, part: lane.part, piece });
}

/// A whole choice, as if it had come as a stream.
fn whole_pieces(choice: &Choice, sight: Sight, out: &mut Vec<types::Delta>) {
    let text = |text: &Text| match sight {
        Sight::Text => text.as_str().into_owned(),
        Sight::Outline => String::new(),
    };
    for (number, shown) in (0..).zip(shown(&choice.parts)) {
        let mut push = |piece| out.push(types::Delta { choice: choice.index, part: number, piece });
        match &shown.part.content {
            Content::Text(said) => push(Piece::Text(text(said))),
            Content::Refusal(said) => push(Piece::Refusal(text(said))),
            Content::Thinking(thinking) if thinking.sealed.is_none() => push(Piece::Thinking(text(&thinking.text))),
            Content::ToolCall(call) => {
                push(Piece::ToolCall(types::ToolCall {
                    id: call.id.as_str().into_owned(),
                    name: call.name.as_str().into_owned(),
                    arguments_json: String::new(),
                }));
                push(Piece::ToolArguments(text(&call.arguments)));
            }
            _ => continue,
        }
        push(Piece::End);
    }
}

pub fn reword_whole<'a>(
    events: impl Iterator<Item = &'a mut Event>,
    wordings: &BTreeMap<Lane, String>,
    edits: &mut Edits,
) {
    for event in events {
        let Event::Whole(completion) = event else { continue };
        let numbers: Vec<u32> = completion.choices.iter().map(|choice| choice.index).collect();
        let place = |lane: &Lane| {
            let choice = numbers.iter().position(|index| *index == lane.choice)?;
            Some((choice, usize::try_from(lane.part).ok()?))
        };
        let by_place: Wordings =
            wordings.iter().filter_map(|(lane, text)| Some((place(lane)?, text.clone()))).collect();
        apply_to_answer(by_place, completion, edits);
    }
}
