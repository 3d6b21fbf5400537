//! What of an answer was said so far.

use std::collections::BTreeMap;

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{Choice, Content, Delta, Event, Lane, Opening};

use super::{asked, cut};

/// An answer as it grows, in one piece or in many.
#[derive(Debug, Default)]
pub struct Heard {
    choices: BTreeMap<u32, Answer>,
    bytes: usize,
    /// Bytes that there was no room for.
    lost: usize,
}

#[derive(Debug, Default)]
struct Answer {
    parts: BTreeMap<u32, Growing>,
    finish: Option<&'static str>,
}

/// A part of an answer, and its text so far.
#[derive(Debug)]
struct Growing {
    kind: Kind,
    text: String,
}

#[derive(Debug)]
enum Kind {
    Text,
    Reasoning,
    ToolCall { id: String, name: String },
    Other,
}

impl Heard {
    /// Bytes of text that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds what an event says, as long as no more than so many bytes are kept.
    pub fn add(&mut self, event: &Event, most: usize) {
        match event {
            Event::Open { lane, what } => {
                self.grow(*lane, opened(what));
            }
            Event::Delta { lane, delta } => {
                let Some(text) = delta.text() else { return };
                if !matches!(delta, Delta::Signature(_)) {
                    self.say(*lane, &text.as_str(), most, begun(delta));
                }
            }
            Event::Finish { choice, finish } => {
                self.choices.entry(*choice).or_default().finish = Some(finish.reason.name());
            }
            Event::Whole(completion) => completion.choices.iter().for_each(|choice| self.whole(choice, most)),
            _ => {}
        }
    }

    /// Lets go of all, since there is no room for the last so many bytes.
    pub fn forget(&mut self, last: usize) {
        self.lost += self.bytes.max(last);
        self.choices.values_mut().for_each(|answer| answer.parts.clear());
    }

    fn whole(&mut self, choice: &Choice, most: usize) {
        for (number, part) in (0_u32..).zip(&choice.parts) {
            let (kind, text) = match &part.content {
                Content::Text(text) | Content::Refusal(text) => (Kind::Text, text.as_str()),
                Content::Thinking(thinking) => (Kind::Reasoning, thinking.text.as_str()),
                Content::ToolCall(call) => (tool_call(&call.id, &call.name), call.arguments.as_str()),
                _ => (Kind::Other, "".into()),
            };
            self.say(Lane { choice: choice.index, part: number }, &text, most, kind);
        }
        let finish = choice.finish.as_ref().map(|finish| finish.reason.name());
        self.choices.entry(choice.index).or_default().finish = finish;
    }

    fn say(&mut self, lane: Lane, text: &str, most: usize, kind: Kind) {
        // Nothing goes on behind a gap.
        let room = if self.lost > 0 { 0 } else { most.saturating_sub(self.bytes) };
        let end = (0..=text.len().min(room)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.grow(lane, kind).text.push_str(text.get(..end).unwrap_or_default());
        self.bytes += end;
        self.lost += text.len() - end;
    }

    fn grow(&mut self, lane: Lane, kind: Kind) -> &mut Growing {
        let parts = &mut self.choices.entry(lane.choice).or_default().parts;
        parts.entry(lane.part).or_insert_with(|| Growing { kind, text: String::new() })
    }

    /// A JSON list with a message for each choice; `None` if there is none.
    pub fn messages(&self) -> Option<String> {
        if self.choices.is_empty() {
            return None;
        }
        let mut writer = Writer::new();
        writer.array(|w| {
            for answer in self.choices.values() {
                w.object(|w| {
                    w.key("role").word("assistant");
                    w.key("parts").array(|w| self.parts(answer, w));
                    if let Some(finish) = answer.finish {
                        w.key("finish_reason").word(finish);
                    }
                });
            }
        });
        Some(writer.into_json().0.to_string())
    }

    fn parts(&self, answer: &Answer, w: &mut Writer) {
        for Growing { kind, text } in answer.parts.values() {
            match kind {
                Kind::Text => asked::text(w, text),
                Kind::Reasoning => asked::said(w, "reasoning", text),
                Kind::ToolCall { id, name } => asked::tool_call(w, id, name, text),
                Kind::Other => asked::other(w, "other"),
            }
        }
        if self.lost > 0 {
            asked::text(w, &cut(self.lost, "bytes"));
        }
    }
}

fn tool_call(id: &Text, name: &Text) -> Kind {
    Kind::ToolCall { id: id.as_str().into_owned(), name: name.as_str().into_owned() }
}

fn opened(what: &Opening) -> Kind {
    match what {
        Opening::Text | Opening::Refusal => Kind::Text,
        Opening::Thinking | Opening::Sealed(_) => Kind::Reasoning,
        Opening::ToolCall { id, name } => tool_call(id, name),
        Opening::Other(_) => Kind::Other,
    }
}

fn begun(delta: &Delta) -> Kind {
    if matches!(delta, Delta::Thinking(_)) { Kind::Reasoning } else { Kind::Text }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(events: &[Event], most: usize) -> Value {
        let mut heard = Heard::default();
        events.iter().for_each(|event| heard.add(event, most));
        assert!(heard.bytes() <= most);
        serde_json::from_str(&heard.messages().unwrap()).unwrap()
    }

    fn text(part: u32, text: &str) -> Event {
        Event::Delta { lane: Lane { choice: 0, part }, delta: Delta::Text(text.into()) }
    }

    #[test]
    fn pieces_are_put_together_by_their_part() {
        let what = Opening::ToolCall { id: "c1".into(), name: "look".into() };
        let lane = Lane { choice: 0, part: 1 };
        let arguments = |more: &str| Event::Delta { lane, delta: Delta::Arguments(more.into()) };
        let events = [text(0, "a"), Event::Open { lane, what }, arguments("{\"x\""), text(0, "b"), arguments(":1}")];
        assert_eq!(
            told(&events, 99),
            json!([{ "role": "assistant", "parts": [
                { "type": "text", "content": "ab" },
                { "type": "tool_call", "id": "c1", "name": "look", "arguments": "{\"x\":1}" }
            ] }])
        );
    }

    #[test]
    fn an_answer_that_is_too_long_is_cut_between_letters_and_says_so() {
        let told = told(&[text(0, "aé"), text(0, "é"), text(0, "b")], 4);
        assert_eq!(told[0]["parts"][0]["content"], "aé");
        assert_eq!(told[0]["parts"][1]["content"], "…[cut: 3 bytes]");
    }
}
