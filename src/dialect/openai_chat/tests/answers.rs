//! Whole answers: what is understood, what is translated, how tokens are counted.

use serde_json::json;

use super::*;
use crate::base::text::Text;
use crate::chat::{Choice, Completion, Content, Finish, FinishReason, Part, Thinking, ToolCall, Usage};

fn read(name: &str) -> Completion {
    OpenAiChat.read_completion(&fixture(name)).unwrap()
}

fn usage(json: Value) -> Usage {
    let body = json!({ "choices": [], "usage": json });
    OpenAiChat.read_completion(&body.to_string().into()).unwrap().usage.unwrap()
}

#[test]
fn the_parts_of_an_answer_are_understood() {
    let thinking = read("answer-openrouter.json");
    let Content::Thinking(first) = &thinking.choices[0].parts[0].content else { panic!("not thinking") };
    assert_eq!((first.text.as_str().as_ref(), first.signature.is_some()), ("8 × 2", true));
    assert_eq!(thinking.choices[0].parts[1].content, Content::Text("16".into()));
    let tools = read("answer-tools.json");
    assert!(matches!(&tools.choices[0].parts[0].content, Content::ToolCall(call) if call.id == "call_a"));
    assert!(matches!(&tools.choices[0].parts[1].content, Content::Other(other) if other.kind == "custom"));
    assert_eq!(tools.choices[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    let refusal = read("answer-refusal.json");
    assert!(matches!(&refusal.choices[0].parts[0].content, Content::Refusal(_)));
    assert!(refusal.choices[0].logprobs.is_some());
    let odd = read("answer-odd.json");
    let finish = odd.choices[0].finish.clone().unwrap();
    assert_eq!((finish.reason, finish.word), (FinishReason::Other, "insufficient_system_resource".into()));
}

#[test]
fn an_error_in_place_of_an_answer_is_no_answer() {
    let wrong = OpenAiChat.read_completion(&r#"{"error":{"message":"out of order","code":502}}"#.into()).unwrap_err();
    assert_eq!(wrong.to_string(), "an error in place of an answer: out of order");
    assert!(OpenAiChat.read_completion(&"{}".into()).is_err());
}

#[test]
fn the_parts_of_usage_add_up_to_the_providers_totals() {
    for (name, body) in fixtures("answer-") {
        let Some(usage) = OpenAiChat.read_completion(&body).unwrap().usage else { continue };
        let wire = &value(&body)["usage"];
        let number = |key: &str| wire[key].as_u64().unwrap_or(0);
        assert_eq!(usage.total(), number("total_tokens"), "{name}");
        assert_eq!(usage.input(), number("prompt_tokens"), "{name}");
    }
}

#[test]
fn cached_tokens_and_reasoning_are_taken_out_of_what_includes_them() {
    let usage = usage(json!({ "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
        "prompt_tokens_details": { "cached_tokens": 60, "audio_tokens": 10, "cache_write_tokens": 5 },
        "completion_tokens_details": { "reasoning_tokens": 30, "audio_tokens": 4 } }));
    assert_eq!(
        (usage.text_in, usage.cache_read, usage.cache_write_5m, usage.audio_in),
        (Some(25), Some(60), Some(5), Some(10))
    );
    assert_eq!((usage.out, usage.reasoning_out, usage.audio_out, usage.image_in), (Some(16), Some(30), Some(4), None));
}

#[test]
fn reasoning_beside_the_completion_is_added_where_the_total_says_so() {
    let usage = usage(json!({ "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 310,
        "completion_tokens_details": { "reasoning_tokens": 200 } }));
    assert_eq!((usage.out, usage.reasoning_out, usage.total()), (Some(10), Some(200), 310));
}

#[test]
fn details_that_claim_more_than_the_whole_do_not_underflow() {
    let usage = usage(json!({ "prompt_tokens": 377, "completion_tokens": 5,
        "prompt_tokens_details": { "cached_tokens": 515, "audio_tokens": 1 },
        "completion_tokens_details": { "reasoning_tokens": 9, "audio_tokens": 9 } }));
    assert_eq!((usage.input(), usage.output()), (377, 5));
    assert_eq!((usage.text_in, usage.cache_read, usage.audio_in, usage.out), (Some(0), Some(377), Some(0), Some(0)));
}

#[test]
fn silence_about_tokens_is_not_zero() {
    let usage = usage(json!({ "prompt_tokens": 3, "completion_tokens": null }));
    assert_eq!((usage.text_in, usage.out, usage.cache_read), (Some(3), None, None));
}

#[test]
fn deepseeks_cache_hits_count_as_cached() {
    let usage = read("answer-deepseek.json").usage.unwrap();
    assert_eq!(
        (usage.text_in, usage.cache_read, usage.out, usage.reasoning_out),
        (Some(36), Some(64), Some(20), Some(30))
    );
}

/// An answer from another dialect with something of everything.
pub fn foreign() -> Completion {
    let thinking = Thinking { text: "hm".into(), signature: Some("sig".into()), sealed: None };
    let call = |id: &str, arguments: &str| {
        Part::new(Content::ToolCall(ToolCall { id: id.into(), name: "look".into(), arguments: arguments.into() }))
    };
    let usage = Usage {
        text_in: Some(10),
        cache_read: Some(4),
        cache_write_5m: Some(2),
        out: Some(3),
        reasoning_out: Some(5),
        ..Usage::default()
    };
    Completion {
        dialect: DialectId("elsewhere"),
        id: "msg_1".into(),
        model: "model-of-another".into(),
        created: Some(7.into()),
        choices: vec![Choice {
            index: 0,
            parts: vec![
                Part::new(Content::Thinking(thinking)),
                Part::text("one "),
                Part::text("two"),
                call("t1", "{\"a\":1}"),
                call("t2", ""),
            ],
            finish: Some(Finish::new(FinishReason::ToolCalls, "tool_use")),
            ..Choice::default()
        }],
        usage: Some(usage),
        extra: Default::default(),
    }
}

#[test]
fn an_answer_from_elsewhere_is_put_in_plain_words() {
    let mut losses = Losses::default();
    let written = value(OpenAiChat.write_completion(&foreign(), &mut losses));
    assert_eq!(
        written,
        json!({
            "id": "chatcmpl-msg_1", "object": "chat.completion", "created": 7, "model": "model-of-another",
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant", "content": "one two", "refusal": null, "reasoning_content": "hm",
                    "tool_calls": [
                        { "id": "t1", "type": "function", "function": { "name": "look", "arguments": "{\"a\":1}" } },
                        { "id": "t2", "type": "function", "function": { "name": "look", "arguments": "{}" } },
                    ],
                },
                "logprobs": null, "finish_reason": "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 16, "completion_tokens": 8, "total_tokens": 24,
                "prompt_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 2 },
                "completion_tokens_details": { "reasoning_tokens": 5 },
            },
        })
    );
    assert_eq!(losses_of(&losses), ["thinking.signature: left out"]);
}

#[test]
fn a_finish_from_elsewhere_gets_a_word_of_this_dialect() {
    let word = |reason, own: &str| {
        let mut answer = foreign();
        answer.choices[0].parts = vec![Part::new(Content::ToolCall(ToolCall {
            id: "t".into(),
            name: "n".into(),
            arguments: Text::from("{}"),
        }))];
        answer.choices[0].finish = Some(Finish { stop_sequence: Some("END".into()), ..Finish::new(reason, own) });
        let mut losses = Losses::default();
        let written = value(OpenAiChat.write_completion(&answer, &mut losses));
        assert_eq!(written["choices"][0]["message"]["content"], Value::Null);
        (written["choices"][0]["finish_reason"].as_str().unwrap().to_owned(), losses_of(&losses).join(", "))
    };
    assert_eq!(word(FinishReason::Stop, "stop_sequence"), ("stop".into(), "stop_sequence: left out".into()));
    assert_eq!(word(FinishReason::Length, "max_tokens").0, "length");
    assert_eq!(word(FinishReason::ContentFilter, "refusal").0, "content_filter");
    let (word, losses) = word(FinishReason::Pause, "pause_turn");
    assert_eq!(
        (word.as_str(), losses.as_str()),
        ("length", "stop_sequence: left out, finish `pause_turn`: sent as `length`")
    );
}
