//! Texts of requests that are forwarded unread: their bytes are kept as they pass, and only read when they are told of.
//!
//! What is read are the texts of OpenAI's `/v1/responses`, `/v1/completions`, `/v1/embeddings`, `/v1/moderations`,
//! `/v1/images` and `/v1/audio`, and of `/v1/rerank`. Anything else is told by its kind, or not at all.

use bytes::Bytes;
use serde_json::Value;

use super::{LONGEST, Spoken, asked, cut};
use crate::chat::{Content, Message, Other, Part, Role, Thinking, ToolCall, ToolResult};

/// A document that is asked with, and the bytes that answer it.
#[derive(Debug)]
pub struct Unread {
    endpoint: &'static str,
    asked: Bytes,
    heard: Vec<u8>,
    /// Bytes of the answer that there was no room for.
    lost: usize,
}

/// Bytes that are kept of a document, or of an answer: a stream says everything more than once.
pub const MOST: usize = 1 << 20;

impl Unread {
    /// `None` for an endpoint of which nothing is known.
    pub fn new(endpoint: &'static str, document: &Bytes) -> Option<Self> {
        let unread = Self { endpoint, asked: document.clone(), heard: Vec::new(), lost: 0 };
        (!members(endpoint).is_empty()).then_some(unread)
    }

    /// How many of so many further bytes are kept. Nothing is kept of answers without a text.
    pub fn room_for(&self, bytes: usize) -> usize {
        let speaks = matches!(self.endpoint, "responses" | "completions");
        if !speaks || self.lost > 0 { 0 } else { bytes.min(MOST.saturating_sub(self.heard.len())) }
    }

    /// The answer goes on with these bytes, of which so many are kept.
    pub fn hear(&mut self, bytes: &[u8], kept: usize) {
        self.heard.extend_from_slice(bytes.get(..kept).unwrap_or_default());
        self.lost += bytes.len() - kept.min(bytes.len());
    }

    pub fn spoken(&self) -> Spoken {
        let input = serde_json::from_slice(&self.asked).ok().map(|document| asked_with(self.endpoint, &document));
        let output = self.answer();
        let told = |messages: Vec<Message>| (!messages.is_empty()).then(|| asked::messages(&messages, LONGEST));
        Spoken { input: input.and_then(told), output: told(output) }
    }

    fn answer(&self) -> Vec<Message> {
        if self.heard.is_empty() {
            return Vec::new();
        }
        let mut messages = match serde_json::from_slice(&self.heard) {
            Ok(whole) => whole_answer(&whole),
            Err(_) => streamed(&self.heard),
        };
        if self.lost > 0 {
            messages.push(said(Role::Assistant, &cut(self.lost, "bytes")));
        }
        messages
    }
}

/// The members of a request that have texts, and whose these are.
fn members(endpoint: &str) -> &'static [(&'static str, Role)] {
    match endpoint {
        "responses" => &[("instructions", Role::System), ("input", Role::User)],
        "completions" => &[("prompt", Role::User), ("suffix", Role::User)],
        "embeddings" | "moderations" => &[("input", Role::User)],
        "rerank" => &[("query", Role::User), ("documents", Role::User)],
        "images" => &[("prompt", Role::User)],
        "audio" => &[("instructions", Role::System), ("input", Role::User)],
        _ => &[],
    }
}

fn asked_with(endpoint: &str, document: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    for (name, role) in members(endpoint) {
        match document.get(name) {
            // Tokens in the place of a text.
            Some(items @ Value::Array(tokens)) if !tokens.is_empty() && tokens.iter().all(Value::is_number) => {
                messages.push(message(*role, items));
            }
            Some(Value::Array(items)) => messages.extend(items.iter().map(|item| message(*role, item))),
            Some(Value::Null) | None => {}
            Some(value) => messages.push(message(*role, value)),
        }
    }
    messages
}

/// An item of a request or an answer: a turn of its own, or a piece of somebody's.
fn message(role: Role, item: &Value) -> Message {
    let role = match (item.get("role").and_then(Value::as_str), kind(item)) {
        (Some("assistant"), _) | (_, "function_call" | "reasoning") => Role::Assistant,
        (Some("system"), _) => Role::System,
        (Some("developer"), _) => Role::Developer,
        (_, "function_call_output") => Role::Tool,
        _ => role,
    };
    let parts = match item.get("content") {
        Some(Value::Array(parts)) => parts.iter().map(part).collect(),
        Some(content @ Value::String(_)) => vec![part(content)],
        _ => vec![part(item)],
    };
    Message::new(role, parts)
}

fn part(item: &Value) -> Part {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    Part::new(match (item, kind(item)) {
        (Value::String(text), _) => Content::Text(text.as_str().into()),
        (_, "function_call") => Content::ToolCall(ToolCall {
            id: text("call_id").into(),
            name: text("name").into(),
            arguments: text("arguments").into(),
        }),
        (_, "function_call_output") => Content::ToolResult(ToolResult {
            call_id: text("call_id").into(),
            parts: vec![Part::text(text("output"))],
            is_error: None,
        }),
        (_, "reasoning") => {
            let summary = item.get("summary").and_then(Value::as_array).into_iter().flatten();
            let texts: Vec<_> = summary.filter_map(|part| part.get("text")?.as_str()).collect();
            Content::Thinking(Thinking { text: texts.join("\n").into(), ..Thinking::default() })
        }
        (_, kind) if item.get("text").is_some_and(Value::is_string) && !kind.contains("image") => {
            Content::Text(text("text").into())
        }
        (Value::Array(_) | Value::Number(_), _) => other("tokens"),
        (_, kind) => other(if kind.is_empty() { "other" } else { kind }),
    })
}

fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn other(kind: &str) -> Content {
    Content::Other(Other { kind: kind.to_owned(), json: Default::default() })
}

fn said(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

/// An answer that came in one piece.
fn whole_answer(answer: &Value) -> Vec<Message> {
    if let Some(output) = answer.get("output").and_then(Value::as_array) {
        return output.iter().map(|item| message(Role::Assistant, item)).collect();
    }
    let choices = answer.get("choices").and_then(Value::as_array).into_iter().flatten();
    choices.filter_map(|choice| Some(said(Role::Assistant, choice.get("text")?.as_str()?))).collect()
}

/// An answer that came as events: as its last event has it, or by its pieces.
fn streamed(bytes: &[u8]) -> Vec<Message> {
    let text = String::from_utf8_lossy(bytes);
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let events: Vec<Value> = data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect();
    let whole = events.iter().rev().find(|event| kind(event) == "response.completed");
    if let Some(response) = whole.and_then(|event| event.get("response")) {
        return whole_answer(response);
    }
    let pieces = events.iter().filter_map(|event| match kind(event) {
        "response.output_text.delta" => event.get("delta")?.as_str(),
        "" => event.get("choices")?.get(0)?.get("text")?.as_str(),
        _ => None,
    });
    let text: String = pieces.collect();
    if text.is_empty() { Vec::new() } else { vec![said(Role::Assistant, &text)] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spoken(endpoint: &'static str, request: &Value, answer: &str) -> (Value, Value) {
        let mut unread = Unread::new(endpoint, &request.to_string().into()).unwrap();
        for piece in answer.as_bytes().chunks(7) {
            unread.hear(piece, unread.room_for(piece.len()));
        }
        let Spoken { input, output } = unread.spoken();
        let read = |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        (read(input), read(output))
    }

    fn text(role: &str, text: &str) -> Value {
        json!({ "role": role, "parts": [{ "type": "text", "content": text }] })
    }

    #[test]
    fn of_responses_turns_calls_and_reasoning_are_told_and_pictures_by_their_kind() {
        let request = json!({ "model": "m", "instructions": "be brief", "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": "a" }, { "type": "input_image", "image_url": "data:x" }] },
            { "type": "function_call", "call_id": "c", "name": "look", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c", "output": "sun" }
        ] });
        let answer = json!({ "output": [
            { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "it shines" }] }
        ], "usage": {} });
        let (input, output) = spoken("responses", &request, &answer.to_string());
        assert_eq!(input[0], text("system", "be brief"));
        assert_eq!(input[1]["parts"], json!([{ "type": "text", "content": "a" }, { "type": "input_image" }]));
        assert_eq!(input[2]["parts"][0], json!({ "type": "tool_call", "id": "c", "name": "look", "arguments": "{}" }));
        assert_eq!((&input[3]["role"], &input[3]["parts"][0]["result"][0]["content"]), (&json!("tool"), &json!("sun")));
        assert_eq!(output[0]["parts"], json!([{ "type": "reasoning", "content": "hm" }]));
        assert_eq!(output[1], text("assistant", "it shines"));
    }

    #[test]
    fn of_a_stream_the_end_has_it_all_and_without_one_its_pieces_do() {
        let delta =
            |text: &str| format!("data: {}\n\n", json!({ "type": "response.output_text.delta", "delta": text }));
        let response =
            json!({ "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "ab" }] }] });
        let end = format!("data: {}\n\n", json!({ "type": "response.completed", "response": response }));
        let request = json!({ "model": "m", "input": "q" });
        let cut = delta("a") + &delta("b");
        for stream in [cut.clone() + &end, cut] {
            assert_eq!(
                spoken("responses", &request, &stream),
                (json!([text("user", "q")]), json!([text("assistant", "ab")]))
            );
        }
        let frames = "data: {\"choices\":[{\"text\":\"a\"}]}\r\n\r\ndata: {\"choices\":[{\"text\":\"b\"}]}\r\n\r\ndata: [DONE]\r\n\r\n";
        assert_eq!(spoken("completions", &json!({ "prompt": "q" }), frames).1, json!([text("assistant", "ab")]));
    }

    #[test]
    fn of_other_endpoints_texts_are_told_and_neither_tokens_nor_vectors() {
        let (input, output) =
            spoken("embeddings", &json!({ "input": ["a", [1, 2]] }), r#"{"data":[{"embedding":[1]}]}"#);
        assert_eq!(
            (&input[0], &input[1]["parts"], &output),
            (&text("user", "a"), &json!([{ "type": "tokens" }]), &json!(null))
        );
        let (input, _) = spoken("rerank", &json!({ "query": "q", "documents": ["a", { "text": "b" }] }), "");
        assert_eq!(input, json!([text("user", "q"), text("user", "a"), text("user", "b")]));
        assert!(Unread::new("files", &Bytes::from_static(b"{}")).is_none());
    }

    #[test]
    fn an_answer_that_is_too_long_is_cut_and_says_so() {
        let piece = format!("data: {{\"choices\":[{{\"text\":\"{}\"}}]}}\n\n", "x".repeat(1000));
        let (_, output) = spoken("completions", &json!({ "prompt": "q" }), &piece.repeat(2 * MOST / piece.len()));
        let last = output.as_array().unwrap().last().unwrap()["parts"][0]["content"].as_str().unwrap().to_owned();
        assert!(last.starts_with("…[cut: ") && output.to_string().len() < 2 * LONGEST, "{last}");
    }

    #[test]
    fn what_says_little_is_bounded_as_well() {
        let call = json!({ "type": "function_call", "call_id": "c".repeat(MOST / 2), "name": "n".repeat(MOST / 2) });
        let kind = json!({ "type": "k".repeat(MOST) });
        let (empty, objects) = (json!(vec![""; 10_000]), json!(vec![json!({}); 10_000]));
        let mixed = serde_json::from_str(&format!("[{}0]", r#"[1,2],{},"",3,"#.repeat(5_000))).unwrap();
        let parts = json!([{ "role": "user", "content": objects }]);
        for input in [empty, objects, parts, json!([call]), json!([kind]), mixed] {
            let request = json!({ "input": input });
            let (asked, said) = spoken("responses", &request, &json!({ "output": input }).to_string());
            for told in [asked.to_string(), said.to_string()] {
                assert!(told.contains("…[cut: ") && told.len() < 2 * LONGEST, "{}: {}", told.len(), &told[..200]);
            }
        }
        let (told, _) = spoken("embeddings", &json!({ "input": vec![7; 100_000] }), "");
        assert_eq!(told, json!([{ "role": "user", "parts": [{ "type": "tokens" }] }]));
    }

    #[test]
    fn what_is_no_json_is_not_told() {
        let unread = Unread::new("responses", &Bytes::from_static(b"\xff{")).unwrap();
        assert_eq!(unread.spoken(), Spoken::default());
    }
}
