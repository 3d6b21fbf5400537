//! The texts that a guard is shown: all that a model reads of a request, and all that it says in an answer.

use std::collections::BTreeMap;

use crate::base::text::{Text, unescape};
use crate::chat::{Content, Delta, Event, Format, Lane, Message, Opening, Part, Request, Role, Source, Tool};
use crate::pipeline::Burst;

/// A text, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Whose it is: `system`, `developer`, `user`, `assistant`, `tool`; `tools` for what tools are for.
    pub role: &'static str,
    /// `text`, `thinking`, `refusal`, `tool_call`, `tool_result`, `tool`, `format`, `name`, `other`.
    pub part: &'static str,
    pub text: String,
}

/// What a request holds.
#[derive(Debug, Default)]
pub struct Passages {
    pub texts: Vec<Passage>,
    /// Something in it has no text: an image, a file, a recording.
    pub has_more: bool,
}

impl Passages {
    /// All that a model reads.
    pub fn of(request: &Request) -> Self {
        let mut passages = Self::default();
        request.messages.iter().for_each(|message| passages.message(message));
        request.tools.iter().for_each(|tool| passages.tool(tool));
        if let Some(Format::JsonSchema { description, schema, .. }) = &request.params.format {
            description.iter().for_each(|text| passages.add("system", "format", text.as_str().into_owned()));
            passages.add("system", "format", plain(&schema.0));
        }
        passages
    }

    /// What the user has said last.
    pub fn of_last_user(request: &Request) -> Self {
        let mut passages = Self::default();
        let last = request.messages.iter().rev().find(|message| message.role == Role::User);
        last.into_iter().for_each(|message| passages.message(message));
        passages
    }

    fn add(&mut self, role: &'static str, part: &'static str, text: String) {
        if !text.trim().is_empty() {
            self.texts.push(Passage { role, part, text });
        }
    }

    fn message(&mut self, message: &Message) {
        let role = message.role.name();
        message.name.iter().for_each(|name| self.add(role, "name", name.as_str().into_owned()));
        message.parts.iter().for_each(|part| self.part(role, "text", part));
    }

    fn part(&mut self, role: &'static str, as_text: &'static str, part: &Part) {
        let said = |text: &Text| text.as_str().into_owned();
        match &part.content {
            Content::Text(text) => self.add(role, as_text, said(text)),
            Content::Refusal(text) => self.add(role, "refusal", said(text)),
            Content::Thinking(thinking) => self.add(role, "thinking", said(&thinking.text)),
            Content::ToolCall(call) => self.add(role, "tool_call", called(&call.name, &call.arguments.as_str())),
            Content::ToolResult(result) => {
                result.parts.iter().for_each(|part| self.part("tool", "tool_result", part));
            }
            Content::Other(other) => self.add(role, "other", plain(&other.json.0)),
            Content::File(file) => match &file.source {
                Source::Plain(text) => self.add(role, as_text, said(text)),
                Source::Url(_) | Source::Data { .. } | Source::Uploaded(_) => self.has_more = true,
            },
            Content::Image(_) | Content::Audio { .. } => self.has_more = true,
        }
    }

    fn tool(&mut self, tool: &Tool) {
        match tool {
            Tool::Function { name, description, parameters, .. } => {
                let mut text = name.as_str().into_owned();
                for more in [
                    description.as_ref().map(|text| text.as_str().into_owned()),
                    parameters.as_ref().map(|json| plain(&json.0)),
                ] {
                    text.extend(more.map(|more| format!("\n{more}")));
                }
                self.add("tools", "tool", text);
            }
            Tool::Other { json, .. } => self.add("tools", "tool", plain(&json.0)),
        }
    }
}

/// All that an answer says, whole or streamed, part by part.
pub fn said(answer: &[Burst]) -> Passages {
    let mut lanes: BTreeMap<Lane, (&'static str, String)> = BTreeMap::new();
    let mut passages = Passages::default();
    for event in answer.iter().flatten().flat_map(|frame| frame.iter()) {
        match event {
            Event::Whole(completion) => {
                let parts = completion.choices.iter().flat_map(|choice| &choice.parts);
                parts.for_each(|part| passages.part("assistant", "text", part));
            }
            Event::Open { lane, what } => {
                let begun = match what {
                    Opening::ToolCall { name, .. } => ("tool_call", format!("{} ", name.as_str())),
                    Opening::Other(json) => ("other", plain(&json.0)),
                    Opening::Text => ("text", String::new()),
                    Opening::Thinking | Opening::Sealed(_) => ("thinking", String::new()),
                    Opening::Refusal => ("refusal", String::new()),
                };
                lanes.entry(*lane).or_insert(begun);
            }
            Event::Delta { lane, delta } => {
                let (part, text) = match delta {
                    Delta::Text(text) => ("text", text.as_str()),
                    Delta::Thinking(text) => ("thinking", text.as_str()),
                    Delta::Refusal(text) => ("refusal", text.as_str()),
                    Delta::Arguments(text) => ("tool_call", text.as_str()),
                    Delta::Other(json) => ("other", plain(&json.0).into()),
                    Delta::Signature(_) => continue,
                };
                lanes.entry(*lane).or_insert((part, String::new())).1.push_str(&text);
            }
            _ => {}
        }
    }
    for (part, text) in lanes.into_values() {
        let text = match text.split_once(' ') {
            Some((name, arguments)) if part == "tool_call" => called(&Text::from(name), arguments),
            _ => text,
        };
        passages.add("assistant", part, text);
    }
    passages
}

fn called(name: &Text, arguments: &str) -> String {
    format!("{} {}", name.as_str(), plain(arguments))
}

/// JSON without the escapes in which a word could hide, and what is only a part of some as well.
fn plain(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json).map_or_else(|_| unescape(json), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;
    use crate::dialect::Dialect as _;
    use crate::dialect::anthropic_messages::AnthropicMessages;
    use crate::dialect::openai_chat::OpenAiChat;

    fn texts(passages: &Passages) -> Vec<(&str, &str, &str)> {
        passages.texts.iter().map(|passage| (passage.role, passage.part, passage.text.as_str())).collect()
    }

    #[test]
    fn all_that_a_model_reads_is_shown_and_escapes_hide_nothing() {
        let body = r#"{"model":"m","messages":[
            {"role":"system","content":"s"},
            {"role":"user","name":"n","content":[{"type":"text","text":"u"},{"type":"image_url","image_url":{"url":"https://x/y"}}]},
            {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\\u0061d\"}"}}]},
            {"role":"tool","tool_call_id":"1","content":"r"}],
            "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]}"#;
        let request = OpenAiChat.read_request(&ByteString::from(body)).unwrap();
        let passages = Passages::of(&request);
        assert!(passages.has_more);
        let found = texts(&passages);
        assert_eq!(
            found[..4],
            [
                ("system", "text", "s"),
                ("user", "name", "n"),
                ("user", "text", "u"),
                ("assistant", "tool_call", r#"f {"a":"bad"}"#)
            ]
        );
        assert_eq!((found[4].0, found[4].2), ("tool", "r"));
        assert_eq!(found[5], ("tools", "tool", "f\nd\n{\"type\":\"object\"}"));
        assert_eq!(texts(&Passages::of_last_user(&request)), [("user", "name", "n"), ("user", "text", "u")]);
    }

    #[test]
    fn a_tool_result_within_a_turn_of_the_user_is_a_tools() {
        let body = r#"{"model":"m","max_tokens":1,"system":"s","messages":[
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"r"}]},{"type":"text","text":"u"}]}]}"#;
        let request = AnthropicMessages.read_request(&ByteString::from(body)).unwrap();
        let passages = Passages::of(&request);
        let roles: Vec<_> = passages.texts.iter().map(|passage| (passage.role, passage.text.as_str())).collect();
        assert_eq!(roles, [("system", "s"), ("tool", "r"), ("user", "u")]);
    }
}
