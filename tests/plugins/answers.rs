//! What a plugin may do to answers, whole or in pieces, however they are cut.

use serde_json::json;

use crate::probe::{Hooks, house};
use crate::support::{Act, Answered, FakeUpstream, chat, chunk, completion, sse, stream_of, streamed};

const CHAT: &str = "/v1/chat/completions";

async fn streaming(words: &[&str]) -> FakeUpstream {
    FakeUpstream::start(vec![sse::stream(&stream_of(words))]).await
}

async fn asked(upstream: &FakeUpstream, hooks: Hooks, step: &str, body: &serde_json::Value) -> Answered {
    house(upstream, hooks, step).await.http.post(CHAT, body).await
}

#[tokio::test]
async fn whole_and_streamed_answers_are_the_same_to_a_plugin_whatever_hook_it_has() {
    let (whole, streams) =
        (FakeUpstream::answering(&completion("hello you")).await, streaming(&["hel", "lo y", "ou"]).await);
    for (hooks, act) in [
        (Hooks::Response, "response: { do: upper }"),
        (Hooks::Stream, "stream: { do: upper }"),
        (Hooks::All, "response: { do: upper }, stream: { do: upper }"),
    ] {
        let step = format!("grants: [answer.text], config: {{ {act} }}");
        assert_eq!(asked(&whole, hooks, &step, &chat("m")).await.says(), "HELLO YOU", "{act}");
        let streamed = asked(&streams, hooks, &step, &streamed("m")).await;
        assert_eq!(streamed.says(), "HELLO YOU", "{act}");
        assert_eq!(streamed.data().last(), Some(&"[DONE]"), "{act}");
    }
}

#[tokio::test]
async fn what_a_plugin_lets_pass_keeps_its_bytes() {
    let frames = stream_of(&["a", "b", "c"]);
    let expected: String = frames.iter().map(|data| format!("data: {data}\n\n")).collect();
    for hooks in [Hooks::Response, Hooks::Stream] {
        let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
        assert_eq!(
            asked(&upstream, hooks, "grants: [answer.text]", &streamed("m")).await.text(),
            expected,
            "{hooks:?}"
        );
        let body = completion("as it came");
        let upstream = FakeUpstream::answering(&body).await;
        assert_eq!(asked(&upstream, hooks, "grants: [answer.text]", &chat("m")).await.text(), body, "{hooks:?}");
    }
}

#[tokio::test]
async fn what_is_held_leaves_when_the_plugin_says_so() {
    let step = "grants: [answer.text], config: { stream: { do: reverse } }";
    let streamed = asked(&streaming(&["abc", "def"]).await, Hooks::Stream, step, &streamed("m")).await;
    assert_eq!(streamed.says(), "fedcba");
    let whole = FakeUpstream::answering(&completion("abcdef")).await;
    assert_eq!(asked(&whole, Hooks::Stream, step, &chat("m")).await.says(), "fedcba");
}

#[tokio::test]
async fn a_plugin_cannot_hold_more_than_it_may() {
    let words = vec!["0123456789"; 300];
    let step = "grants: [answer.text], limits: { hold: 1KiB }, config: { stream: { do: reverse } }";
    let answer = asked(&streaming(&words).await, Hooks::Stream, step, &streamed("m")).await;
    assert!(answer.text().contains("plugin_failed") && !answer.text().contains("[DONE]"), "{}", answer.text());
    assert!(!answer.text().contains("0123456789"));
    let step = format!("on_error: allow, {step}");
    let answer = asked(&streaming(&words).await, Hooks::Stream, &step, &streamed("m")).await;
    assert_eq!(answer.says(), words.concat());
}

#[tokio::test]
async fn a_stream_that_a_plugin_stops_ends_as_an_error_and_leaks_nothing() {
    let step = "grants: [answer.text], config: { stream: { do: stop, text: canary } }";
    let answer = asked(&streaming(&["one ", "two canary", " three"]).await, Hooks::Stream, step, &streamed("m")).await;
    assert!(answer.text().contains("probe_denied"), "{}", answer.text());
    for hidden in ["canary", "three", "[DONE]", "\"finish_reason\":\"stop\""] {
        assert!(!answer.text().contains(hidden), "{hidden}");
    }
    let whole = FakeUpstream::answering(&completion("a canary")).await;
    let refused = asked(&whole, Hooks::Stream, step, &chat("m")).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (422, Some("probe_denied")));
}

#[tokio::test]
async fn a_tool_call_is_seen_by_its_name_before_it_leaves() {
    let call = json!({ "tool_calls": [{ "index": 0, "id": "c1", "type": "function", "function": { "name": "rm", "arguments": "" } }] });
    let more = json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{\"path\":\"/\"}" } }] });
    let frames = [chunk(call, None), chunk(more, None), chunk(json!({}), Some("tool_calls")), "[DONE]".into()];
    let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let step = "grants: [answer.text], config: { stream: { do: tool, text: rm } }";
    let answer = asked(&upstream, Hooks::Stream, step, &streamed("m")).await;
    assert!(answer.text().contains("not that tool") && !answer.text().contains("path"), "{}", answer.text());
}

#[tokio::test]
async fn without_the_grant_a_plugin_sees_and_changes_no_text() {
    let step = "config: { stream: { do: stop, text: canary } }";
    let answer = asked(&streaming(&["a canary"]).await, Hooks::Stream, step, &streamed("m")).await;
    assert_eq!(answer.says(), "a canary");
    let step = "config: { response: { do: upper } }";
    let whole = FakeUpstream::answering(&completion("a")).await;
    let unchanged = asked(&whole, Hooks::Response, step, &chat("m")).await;
    assert_eq!(unchanged.says(), "a", "there was no part to be seen");
    let step = "config: { stream: { do: upper } }";
    let refused = asked(&streaming(&["a"]).await, Hooks::Stream, step, &streamed("m")).await;
    assert!(refused.text().contains("plugin_failed"), "{}", refused.text());
}

#[tokio::test]
async fn a_response_hook_may_refuse_and_answer_instead() {
    let whole = FakeUpstream::answering(&completion("a")).await;
    let refused = asked(&whole, Hooks::Response, "config: { response: { do: deny, text: not so } }", &chat("m")).await;
    assert_eq!(refused.status, 422);
    let instead = "config: { response: { do: instead, text: better } }";
    assert_eq!(asked(&whole, Hooks::Response, instead, &chat("m")).await.says(), "better");
    let streamed = asked(&streaming(&["worse"]).await, Hooks::Response, instead, &streamed("m")).await;
    assert_eq!((streamed.says().as_str(), streamed.data().last()), ("better", Some(&"[DONE]")));
}

#[tokio::test]
async fn a_cut_answer_stays_cut_whoever_looks_at_it() {
    for hooks in [Hooks::Response, Hooks::Stream] {
        let script = vec![sse::head(), sse::data(&chunk(json!({ "content": "half" }), None)), Act::Close];
        let upstream = FakeUpstream::start(vec![script]).await;
        let answer = asked(&upstream, hooks, "grants: [answer.text]", &streamed("m")).await;
        assert_eq!(answer.says(), "half", "{hooks:?}");
        assert!(answer.text().contains("error") && !answer.text().contains("[DONE]"), "{}", answer.text());
    }
}

#[tokio::test]
async fn of_several_answers_at_once_none_passes_unseen() {
    let choice = |index: u32, delta: serde_json::Value, finish: Option<&str>| {
        json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": index, "delta": delta, "finish_reason": finish }] })
        .to_string()
    };
    let frames = [
        choice(0, json!({ "content": "first" }), None),
        choice(0, json!({}), Some("stop")),
        choice(1, json!({ "content": "a canary" }), None),
        choice(1, json!({}), Some("stop")),
        "[DONE]".to_owned(),
    ];
    let mut script = vec![sse::head()];
    for frame in &frames {
        script.extend([sse::data(frame), Act::Wait(std::time::Duration::from_millis(50))]);
    }
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let step = "grants: [answer.text], config: { stream: { do: stop, text: canary } }";
    let answer = asked(&upstream, Hooks::Stream, step, &streamed("m")).await;
    assert!(answer.text().contains("first") && !answer.text().contains("canary"), "{}", answer.text());
}

#[tokio::test]
async fn a_plugin_that_breaks_in_the_middle_stops_the_stream_or_lets_it_go_on() {
    let words = ["a ", "b ", "c"];
    let step = "grants: [answer.text], config: { stream: { do: panic } }";
    let refused = asked(&streaming(&words).await, Hooks::Stream, step, &streamed("m")).await;
    assert!(refused.text().contains("plugin_failed") && refused.says().is_empty(), "{}", refused.text());
    let step = format!("on_trap: allow, {step}");
    assert_eq!(asked(&streaming(&words).await, Hooks::Stream, &step, &streamed("m")).await.says(), "a b c");
}
