//! Whole answers: usage, and those of other dialects.

use super::*;
use crate::base::ids::DialectId;
use crate::base::json::Json;
use crate::chat::{Choice, Completion, Content, Finish, FinishReason, Losses, Part, Thinking, ToolCall, Usage};

fn usage(name: &str) -> Usage {
    DIALECT.read_completion(&body(fixture(name))).unwrap().usage.unwrap()
}

#[test]
fn no_token_is_counted_twice_and_none_is_lost() {
    for (name, text) in fixtures("answer-") {
        let Some(usage) = DIALECT.read_completion(&body(text.clone())).unwrap().usage else { continue };
        let wire = &json(text.as_bytes())["usage"];
        let told = |key: &str| wire[key].as_u64().unwrap_or(0);
        let input = told("input_tokens") + told("cache_creation_input_tokens") + told("cache_read_input_tokens");
        assert_eq!(usage.total(), input + told("output_tokens"), "{name}");
        assert_eq!(usage.text_in, wire["input_tokens"].as_u64(), "{name}");
    }
}

#[test]
fn the_two_lifetimes_of_cached_tokens_are_told_apart() {
    let cached = usage("answer-cached.json");
    assert_eq!((cached.cache_write_5m, cached.cache_write_1h, cached.cache_read), (Some(500), Some(1000), Some(7351)));
    let plain = usage("answer-cached-without-breakdown");
    assert_eq!((plain.cache_write_5m, plain.cache_write_1h, plain.cache_read), (Some(1500), None, None));
}

#[test]
fn thinking_is_part_of_what_the_wire_calls_output() {
    let usage = usage("answer-thinking");
    assert_eq!((usage.out, usage.reasoning_out), (Some(22), Some(48)));
}

#[test]
fn an_answer_that_lacks_members_is_not_given_them_in_its_own_dialect() {
    for text in [
        r#"{"content":[]}"#,
        r#"{"type":"message","model":"m","content":[],"stop_reason":null}"#,
        r#"{"id":"a","role":"assistant","content":[],"stop_reason":null,"stop_sequence":"END"}"#,
        r#"{"id":"","model":"","content":[],"stop_reason":"end_turn"}"#,
        r#"{"content":[],"stop_reason":""}"#,
        r#"{"content":[],"usage":{}}"#,
        r#"{"content":[],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}"#,
    ] {
        let answer = DIALECT.read_completion(&body(text)).unwrap();
        let written = DIALECT.write_completion(&answer, &mut Losses::default());
        assert_eq!(json(&written), json(text.as_bytes()));
    }
}

#[test]
fn an_error_is_not_an_answer() {
    let error = r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#;
    let wrong = DIALECT.read_completion(&body(error)).unwrap_err();
    assert_eq!(wrong.to_string(), "`type`: expected `message`, found `error`");
}

fn foreign(parts: Vec<Part>, finish: Finish) -> Completion {
    Completion {
        dialect: DialectId("other"),
        id: "chatcmpl-1".into(),
        model: "gpt".into(),
        created: None,
        choices: vec![Choice { parts, finish: Some(finish), ..Choice::default() }],
        usage: None,
        extra: Default::default(),
    }
}

#[test]
fn an_answer_of_another_dialect_becomes_a_message() {
    let call = ToolCall { id: "call_1".into(), name: "f".into(), arguments: "".into() };
    let thinking = Thinking { text: "hm".into(), ..Thinking::default() };
    let parts = vec![
        Part::new(Content::Thinking(thinking)),
        Part::text(""),
        Part::text("hi"),
        Part::new(Content::ToolCall(call)),
    ];
    let mut answer = foreign(parts, Finish::new(FinishReason::Stop, "stop"));
    answer.usage = Some(Usage {
        text_in: Some(10),
        cache_read: Some(5),
        out: Some(3),
        reasoning_out: Some(4),
        wire: Some(Json(r#"{"prompt_tokens":15}"#.into())),
        ..Usage::default()
    });
    answer.choices.push(Choice::default());
    answer.extra.put("system_fingerprint", Json("\"fp\"".into()));
    let mut losses = Losses::default();
    let written = DIALECT.write_completion(&answer, &mut losses);
    insta::assert_snapshot!(String::from_utf8(written).unwrap(), @r#"{"id":"chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"hi"},{"type":"tool_use","id":"call_1","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":7,"output_tokens_details":{"thinking_tokens":4}}}"#);
    let losses: Vec<_> = losses.iter().map(|loss| loss.what.to_string()).collect();
    assert_eq!(losses, ["choices", "system_fingerprint"]);
}

#[test]
fn every_reason_to_stop_has_a_word() {
    let word = |parts: Vec<Part>, reason, word: &str| {
        let answer = foreign(parts, Finish::new(reason, word));
        json(&DIALECT.write_completion(&answer, &mut Losses::default()))["stop_reason"].as_str().unwrap().to_owned()
    };
    let refusal = || vec![Part::new(Content::Refusal("I cannot.".into()))];
    assert_eq!(word(Vec::new(), FinishReason::Stop, "stop"), "end_turn");
    assert_eq!(word(Vec::new(), FinishReason::Length, "length"), "max_tokens");
    assert_eq!(word(Vec::new(), FinishReason::ToolCalls, "tool_calls"), "tool_use");
    assert_eq!(word(Vec::new(), FinishReason::ContentFilter, "content_filter"), "refusal");
    assert_eq!(word(Vec::new(), FinishReason::Pause, ""), "pause_turn");
    assert_eq!(word(Vec::new(), FinishReason::Other, "compaction"), "compaction");
    assert_eq!(word(refusal(), FinishReason::Stop, "stop"), "refusal");
    assert_eq!(
        word(Vec::new(), FinishReason::Length, "model_context_window_exceeded"),
        "model_context_window_exceeded"
    );
}

#[test]
fn usage_that_is_not_known_is_said_to_be() {
    let mut losses = Losses::default();
    let written = DIALECT.write_completion(&foreign(Vec::new(), Finish::new(FinishReason::Stop, "stop")), &mut losses);
    assert_eq!(json(&written)["usage"]["output_tokens"], 0);
    assert_eq!(losses.iter().next().unwrap().what, "usage");
}

#[test]
fn usage_that_was_changed_is_written_anew() {
    let mut answer = DIALECT.read_completion(&body(fixture("answer-text.json"))).unwrap();
    answer.usage.as_mut().unwrap().out = Some(1);
    let written = json(&DIALECT.write_completion(&answer, &mut Losses::default()));
    assert_eq!(written["usage"]["output_tokens"], 1);
}
