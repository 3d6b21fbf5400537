//! A check against recorded answers of real providers, for those who have some.
//!
//! `TIDEGATE_RECORDINGS` names a folder with an `openai_chat.jsonl`: one exchange a line, with the `body`
//! as it came and what it says in short (`expect`).

use super::*;
use crate::chat::{Completion, Content, FinishReason};

#[test]
fn recorded_answers_read_as_expected_and_are_written_as_they_were() {
    let Some(folder) = std::env::var_os("TIDEGATE_RECORDINGS") else { return };
    let path = std::path::Path::new(&folder).join("openai_chat.jsonl");
    let recordings = std::fs::read_to_string(path).unwrap();
    let mut seen = 0;
    for line in recordings.lines() {
        let recording: Value = serde_json::from_str(line).unwrap();
        let body = recording["body"].as_str().unwrap();
        let source = format!("{} {}", recording["provider"], recording["source"]);
        let expect = &recording["expect"];
        if recording["status"] != 200 {
            check_failure(recording["status"].as_u64().unwrap() as u16, body, &source);
        } else if recording["stream"] == true {
            check_stream(body, expect, &source);
        } else {
            check_whole(body, expect, &source);
        }
        seen += 1;
    }
    assert!(seen > 0);
}

fn check_whole(body: &str, expect: &Value, source: &str) {
    let read = OpenAiChat.read_completion(&body.into()).unwrap();
    assert_eq!(value(OpenAiChat.write_completion(&read, &mut Losses::default())), value(body), "{source}");
    compare(&read, expect, source);
    let whole = Frame::new(Events::from_iter([Event::Whole(Box::new(read.clone()))]));
    let (again, is_complete) = frames(&[written(&[whole], true).as_bytes()]);
    assert!(is_complete, "{source}");
    let streamed = assembled(&again);
    assert_eq!(text(&streamed, "text"), text(&read, "text"), "{source}");
    assert_eq!(text(&streamed, "calls"), text(&read, "calls"), "{source}");
}

fn check_stream(body: &str, expect: &Value, source: &str) {
    let (whole, is_complete) = frames(&[body.as_bytes()]);
    assert!(is_complete, "{source}");
    compare(&assembled(&whole), expect, source);
    let events = lines(&whole);
    let missing = if body.contains("[DONE]") { "" } else { "data: [DONE]\n\n" };
    assert_eq!(written(&whole, true).trim_end(), format!("{body}{missing}").trim_end(), "{source}");
    let step = (body.len() / 300).max(1);
    for cut in (0..body.len()).step_by(step) {
        let (before, after) = body.as_bytes().split_at(cut);
        assert_eq!(lines(&frames(&[before, after]).0), events, "{source} cut at {cut}");
    }
    let again = assembled(&frames(&[written(&edited(&whole), true).as_bytes()]).0);
    compare(&again, expect, source);
}

fn check_failure(status: u16, body: &str, source: &str) {
    let failure = OpenAiChat.read_failure(status, &Bytes::copy_from_slice(body.as_bytes()));
    let expected = match status {
        401 => "credential",
        429 => "rate_limited",
        _ => "context_too_long",
    };
    assert_eq!(failure.class.name(), expected, "{source}");
    assert!(!failure.reply.message.is_empty(), "{source}");
}

fn compare(read: &Completion, expect: &Value, source: &str) {
    assert_eq!(text(read, "text"), expect["text"].as_str().unwrap(), "{source}");
    assert_eq!(text(read, "thinking"), expect["reasoning"].as_str().unwrap(), "{source}");
    let calls = expect["tool_calls"].as_array().unwrap();
    let found: Vec<_> =
        read.choices[0].parts.iter().filter(|part| matches!(part.content, Content::ToolCall(_))).collect();
    assert_eq!(found.len(), calls.len(), "{source}");
    for (part, call) in found.iter().zip(calls) {
        let Content::ToolCall(found) = &part.content else { unreachable!() };
        assert_eq!(found.name.as_str(), call["name"].as_str().unwrap(), "{source}");
    }
    let finish = read.choices[0].finish.as_ref().unwrap();
    let word = match finish.reason {
        FinishReason::ToolCalls => "tool",
        other => other.name(),
    };
    assert_eq!(word, expect["finish"].as_str().unwrap(), "{source}");
    let (Some(usage), Some(input)) = (&read.usage, expect["usage"]["in"].as_u64()) else { return };
    assert_eq!(usage.input(), input, "{source}");
    if usage.wire.as_ref().is_none_or(|wire| !wire.0.contains("num_sources_used")) {
        assert_eq!(usage.total(), expect["usage"]["total"].as_u64().unwrap_or(usage.total()), "{source}");
    }
}

/// All that an answer's first choice says of one kind.
fn text(answer: &Completion, kind: &str) -> String {
    let mut all = String::new();
    for part in &answer.choices[0].parts {
        match (&part.content, kind) {
            (Content::Text(text), "text") => all.push_str(&text.as_str()),
            (Content::Thinking(thinking), "thinking") => all.push_str(&thinking.text.as_str()),
            (Content::ToolCall(call), "calls") => {
                all.push_str(&format!("{} {} {};", call.id.as_str(), call.name.as_str(), call.arguments.as_str()));
            }
            _ => {}
        }
    }
    all
}

/// The answer that a stream's events make.
fn assembled(frames: &[Frame]) -> Completion {
    let mut answer = OpenAiChat.read_completion(&r#"{"choices":[{"message":{}}]}"#.into()).unwrap();
    let mut texts: std::collections::BTreeMap<u32, String> = Default::default();
    let mut kinds: Vec<(u32, Opening)> = Vec::new();
    for event in frames.iter().flat_map(|frame| frame.iter()) {
        match event {
            Event::Open { lane, what } => kinds.push((lane.part, what.clone())),
            Event::Delta { delta: Delta::Signature(_), .. } => {}
            Event::Delta { lane, delta } => {
                texts
                    .entry(lane.part)
                    .or_default()
                    .push_str(&delta.text().map(|text| text.as_str()).unwrap_or_default());
            }
            Event::Finish { finish, .. } => answer.choices[0].finish = Some((**finish).clone()),
            Event::Usage(usage) => answer.usage.get_or_insert_default().update(usage),
            _ => {}
        }
    }
    for (part, what) in kinds {
        let text = crate::base::text::Text::from(texts.remove(&part).unwrap_or_default());
        let content = match what {
            Opening::Thinking => Content::Thinking(crate::chat::Thinking { text, ..Default::default() }),
            Opening::ToolCall { id, name } => Content::ToolCall(crate::chat::ToolCall { id, name, arguments: text }),
            _ => Content::Text(text),
        };
        answer.choices[0].parts.push(crate::chat::Part::new(content));
    }
    answer
}
