//! Law 3, second half: what is streamed is what would have been sent whole, in each dialect and from each to
//! each other.

use std::collections::BTreeMap;

use tidegate::chat::{Content, Delta, Event, Events, Frame, Opening, Part, Usage};
use tidegate::dialect::anthropic_messages::AnthropicMessages;

use super::*;
use crate::tell::{read, write};

#[test]
fn a_whole_answer_that_is_streamed_says_what_it_says_in_one_piece() {
    for fixture in fixtures("answer-") {
        let answer = fixture.answer().into_value();
        for dialect in ALL {
            let in_one_piece = dialect.write_completion(&answer, &mut Losses::default());
            let expected = Said::whole(&dialect.read_completion(&text(in_one_piece)).unwrap());
            let frame = Frame::new(Events::from_iter([Event::Whole(Box::new(answer.clone()))]));
            let stream = write(dialect, &[frame]);
            let told = read(dialect, [&stream[..]]);
            assert!(told.is_complete(), "{} in {}: {}", fixture.name, dialect.id(), told.end);
            let mut said = Said::streamed(&told);
            said.complete_like(&expected);
            assert_eq!(said, expected, "{} in {}", fixture.name, dialect.id());
        }
    }
}

#[test]
fn a_stream_that_is_written_anew_says_what_it_said() {
    for fixture in fixtures("stream-") {
        let told = read(fixture.dialect, [&fixture.body.as_bytes()[..]]);
        if !told.is_complete() {
            continue;
        }
        for dialect in ALL {
            let stream = write(dialect, &told.touched());
            let again = read(dialect, [&stream[..]]);
            assert!(again.is_complete(), "{} in {}: {}", fixture.name, dialect.id(), again.end);
            let mut expected = Said::streamed(&told);
            if dialect.id() == AnthropicMessages.id() {
                expected.as_anthropic_has_it();
            } else {
                expected.without_pauses();
            }
            let mut said = Said::streamed(&again);
            said.complete_like(&expected);
            assert_eq!(said, expected, "{} in {}", fixture.name, dialect.id());
        }
    }
}

/// What an answer says, however it came.
#[derive(Debug, Default, PartialEq)]
struct Said {
    choices: BTreeMap<u32, Choice>,
    usage: Option<String>,
}

#[derive(Debug, Default, PartialEq)]
struct Choice {
    text: String,
    thinking: String,
    refusal: String,
    /// Id, name and arguments.
    calls: Vec<(String, String, String)>,
    finish: Option<&'static str>,
}

impl Choice {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Said {
    fn whole(answer: &Completion) -> Self {
        let mut said = Self { usage: answer.usage.as_ref().map(counts), ..Self::default() };
        for choice in &answer.choices {
            let mine = said.choices.entry(choice.index).or_default();
            choice.parts.iter().for_each(|part| mine.part(part));
            mine.finish = choice.finish.as_ref().map(|finish| finish.reason.name());
        }
        said
    }

    fn streamed(told: &tell::Told) -> Self {
        let (mut said, mut usage) = (Self::default(), None::<Usage>);
        let mut calls = BTreeMap::new();
        for event in told.events() {
            match event {
                Event::Open { lane, what: Opening::ToolCall { id, name } } => {
                    let mine = said.choices.entry(lane.choice).or_default();
                    calls.insert(*lane, mine.calls.len());
                    mine.calls.push((id.as_str().into(), name.as_str().into(), String::new()));
                }
                Event::Delta { lane, delta } => {
                    let mine = said.choices.entry(lane.choice).or_default();
                    match delta {
                        Delta::Text(text) => mine.text.push_str(&text.as_str()),
                        Delta::Thinking(text) => mine.thinking.push_str(&text.as_str()),
                        Delta::Refusal(text) => mine.refusal.push_str(&text.as_str()),
                        Delta::Arguments(text) if calls.contains_key(lane) => {
                            mine.calls[calls[lane]].2.push_str(&text.as_str());
                        }
                        Delta::Arguments(_) | Delta::Signature(_) | Delta::Other(_) => {}
                    }
                }
                Event::Finish { choice, finish } => {
                    said.choices.entry(*choice).or_default().finish = Some(finish.reason.name());
                }
                Event::Usage(later) => usage.get_or_insert_default().update(later),
                _ => {}
            }
        }
        said.choices.values_mut().flat_map(|choice| &mut choice.calls).for_each(|call| call.2 = plain(&call.2));
        said.usage = usage.as_ref().map(counts);
        said
    }

    /// A stream always ends with a reason and, in some dialects, with usage; and it need not tell of a choice
    /// that says nothing.
    fn complete_like(&mut self, expected: &Self) {
        if expected.usage.is_none() {
            self.usage = None;
        }
        for (index, choice) in &expected.choices {
            let mine = self.choices.entry(*index).or_default();
            if choice.finish.is_none() {
                mine.finish = None;
            }
        }
        self.choices.retain(|index, choice| expected.choices.contains_key(index) || !choice.is_empty());
    }

    /// Only Anthropic pauses; elsewhere such an answer is one that has not come to its end.
    fn without_pauses(&mut self) {
        let finishes = self.choices.values_mut().filter_map(|choice| choice.finish.as_mut());
        finishes.filter(|finish| **finish == "pause").for_each(|finish| *finish = "length");
    }

    /// Anthropic's answers have one choice, and know no part for refusals.
    fn as_anthropic_has_it(&mut self) {
        self.choices.retain(|index, _| *index == 0);
        for choice in self.choices.values_mut() {
            let refusal = std::mem::take(&mut choice.refusal);
            choice.text.push_str(&refusal);
        }
    }
}

impl Choice {
    fn part(&mut self, part: &Part) {
        match &part.content {
            Content::Text(text) => self.text.push_str(&text.as_str()),
            Content::Thinking(thinking) => self.thinking.push_str(&thinking.text.as_str()),
            Content::Refusal(text) => self.refusal.push_str(&text.as_str()),
            Content::ToolCall(call) => {
                self.calls.push((call.id.as_str().into(), call.name.as_str().into(), plain(&call.arguments.as_str())))
            }
            _ => {}
        }
    }
}

/// What is paid for. Finer counts are not known everywhere.
fn counts(usage: &Usage) -> String {
    let (read, written) = (usage.cache_read.unwrap_or(0), usage.cache_write());
    format!("{} in, {read} of it from a cache, {written} into one, {} out", usage.input(), usage.output())
}

/// Arguments as they are compared: white space in them says nothing, and to have none is to have an empty object.
fn plain(arguments: &str) -> String {
    match serde_json::from_str::<Value>(arguments) {
        Ok(value) => value.to_string(),
        Err(_) if arguments.is_empty() => "{}".into(),
        Err(_) => arguments.into(),
    }
}
