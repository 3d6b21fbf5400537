//! Messages as OpenInference has them: one attribute for each thing that is said of each, numbered.

use opentelemetry::KeyValue;
use serde::Deserialize;
use serde_json::Value;

use super::super::names::openinference as name;

/// A message of a conversation, as OpenTelemetry's conventions have it.
#[derive(Deserialize)]
struct Message<'a> {
    role: &'a str,
    parts: Vec<Part>,
    finish_reason: Option<&'a str>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    content: Option<String>,
    id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    result: Option<Value>,
}

/// The newest so many messages are told one by one. `input.value` has all.
const MOST: usize = 100;

/// A JSON list of messages below this name.
pub fn told(list: &'static str, json: &str) -> Vec<KeyValue> {
    let messages: Vec<Message<'_>> = serde_json::from_str(json).unwrap_or_default();
    let mut teller = Teller { list, number: 0, said: Vec::new() };
    messages.iter().skip(messages.len().saturating_sub(MOST)).for_each(|message| teller.message(message));
    teller.said
}

/// What the last message of a JSON list says that says anything: what tables of requests have room for.
pub fn gist(json: &str) -> Option<String> {
    let messages: Vec<Message<'_>> = serde_json::from_str(json).unwrap_or_default();
    messages.iter().rev().find_map(|message| {
        let texts = message.parts.iter().filter(|part| part.kind == "text");
        let texts: Vec<_> = texts.filter_map(|part| part.content.as_deref()).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    })
}

struct Teller {
    list: &'static str,
    /// Of the message that is told.
    number: usize,
    said: Vec<KeyValue>,
}

impl Teller {
    /// What a tool has answered is a message of its own here, whoever brings it.
    fn message(&mut self, message: &Message<'_>) {
        let (results, others): (Vec<&Part>, Vec<&Part>) =
            message.parts.iter().partition(|part| part.kind == "tool_call_response");
        for result in results {
            self.say(name::ROLE, "tool");
            self.say(name::CALL_ANSWERED, result.id.as_deref().unwrap_or_default());
            self.say(name::CONTENT, &texts(result.result.as_ref()));
            self.number += 1;
        }
        if others.is_empty() && !message.parts.is_empty() {
            return;
        }
        self.say(name::ROLE, message.role);
        let (calls, spoken): (Vec<&Part>, Vec<&Part>) = others.iter().partition(|part| part.kind == "tool_call");
        match spoken.as_slice() {
            [] => {}
            [Part { kind, content: Some(text), .. }] if kind == "text" => self.say(name::CONTENT, text),
            parts => (0..).zip(parts).for_each(|(number, part)| self.part(number, part)),
        }
        (0..).zip(calls).for_each(|(number, call)| self.call(number, call));
        if let Some(reason) = message.finish_reason {
            self.say(name::MESSAGE_FINISH, reason);
        }
        self.number += 1;
    }

    fn part(&mut self, number: usize, part: &Part) {
        let below = |what: &str| format!("{}.{number}.{what}", name::CONTENTS);
        self.say(&below(name::CONTENT_TYPE), &part.kind);
        if let Some(text) = &part.content {
            self.say(&below(name::CONTENT_TEXT), text);
        }
    }

    fn call(&mut self, number: usize, call: &Part) {
        for (what, said) in
            [(name::CALL_ID, &call.id), (name::CALL_NAME, &call.name), (name::CALL_ARGUMENTS, &call.arguments)]
        {
            if let Some(said) = said {
                self.say(&format!("{}.{number}.{what}", name::CALLS), said);
            }
        }
    }

    fn say(&mut self, what: &str, text: &str) {
        self.said.push(KeyValue::new(format!("{}.{}.{what}", self.list, self.number), text.to_owned()));
    }
}

/// The texts of what a tool has answered, one below the other.
fn texts(result: Option<&Value>) -> String {
    let parts = result.and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<_> = parts.filter_map(|part| part.get("content")?.as_str()).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(messages: &Value) -> Vec<(String, String)> {
        let said = told("m", &messages.to_string());
        said.into_iter().map(|said| (said.key.to_string(), said.value.to_string())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_message_of_one_text_has_it_as_its_content() {
        let messages = json!([
            { "role": "user", "parts": [{ "type": "text", "content": "a \"b\"" }] },
            { "role": "assistant", "parts": [], "finish_reason": "stop" }
        ]);
        let expected = [
            ("m.0.message.role", "user"),
            ("m.0.message.content", "a \"b\""),
            ("m.1.message.role", "assistant"),
            ("m.1.message.finish_reason", "stop"),
        ];
        assert_eq!(said(&messages), pairs(&expected));
    }

    #[test]
    fn calls_of_tools_and_their_answers_are_told_apart() {
        let call = json!({ "type": "tool_call", "id": "c1", "name": "look", "arguments": "{}" });
        let result =
            json!({ "type": "tool_call_response", "id": "c1", "result": [{ "type": "text", "content": "sun" }] });
        let messages = json!([
            { "role": "assistant", "parts": [{ "type": "reasoning", "content": "hm" }, { "type": "text", "content": "so" }, call] },
            { "role": "user", "parts": [result, { "type": "text", "content": "and?" }] }
        ]);
        let expected = [
            ("m.0.message.role", "assistant"),
            ("m.0.message.contents.0.message_content.type", "reasoning"),
            ("m.0.message.contents.0.message_content.text", "hm"),
            ("m.0.message.contents.1.message_content.type", "text"),
            ("m.0.message.contents.1.message_content.text", "so"),
            ("m.0.message.tool_calls.0.tool_call.id", "c1"),
            ("m.0.message.tool_calls.0.tool_call.function.name", "look"),
            ("m.0.message.tool_calls.0.tool_call.function.arguments", "{}"),
            ("m.1.message.role", "tool"),
            ("m.1.message.tool_call_id", "c1"),
            ("m.1.message.content", "sun"),
            ("m.2.message.role", "user"),
            ("m.2.message.content", "and?"),
        ];
        assert_eq!(said(&messages), pairs(&expected));
    }

    #[test]
    fn the_gist_is_the_last_text() {
        let text = |text: &str| json!({ "type": "text", "content": text });
        let call = json!({ "type": "tool_call", "id": "c1", "name": "look", "arguments": "{}" });
        let messages = json!([
            { "role": "user", "parts": [text("a")] },
            { "role": "user", "parts": [text("b"), text("c")] },
            { "role": "assistant", "parts": [call] }
        ]);
        assert_eq!(gist(&messages.to_string()).as_deref(), Some("b\nc"));
        assert_eq!((gist("[]"), gist("no list")), (None, None));
    }

    #[test]
    fn of_a_long_conversation_the_newest_messages_are_told() {
        let all: Vec<_> = (0..150)
            .map(|number| json!({ "role": "user", "parts": [{ "type": "text", "content": number.to_string() }] }))
            .collect();
        let said = said(&json!(all));
        assert_eq!((said.len(), said[1].1.as_str()), (200, "50"));
    }
}
