//! What is kept of an answer: all of it, or nothing.

use serde_json::{Value, json};

use crate::cache::{ask, with_steps};
use crate::support::{Answered, FakeUpstream, House, chat, chunk, completion, sse, stream_of, streamed, whole};

async fn keeping(upstream: &FakeUpstream) -> House {
    House::with(&with_steps(upstream, "cache: {}")).await
}

fn result(answer: &Answered) -> &str {
    answer.header("x-tidegate-cache")
}

/// What a second asker is told who asks the same otherwise.
async fn asked_twice(upstream: FakeUpstream, first: Value, second: Value) -> (String, Answered) {
    let house = keeping(&upstream).await;
    assert_eq!(result(&ask(&house, &first).await), "miss");
    let answer = ask(&house, &second).await;
    (result(&answer).to_owned(), answer)
}

fn two(mut body: Value) -> Value {
    body["n"] = json!(2);
    body
}

fn of_choice(index: u32, delta: Value, finish: Option<&str>) -> String {
    let mut frame: Value = serde_json::from_str(&chunk(delta, finish)).unwrap();
    frame["choices"][0]["index"] = json!(index);
    frame.to_string()
}

#[tokio::test]
async fn of_several_choices_that_were_asked_for_all_must_have_come() {
    let half = [of_choice(0, json!({"content": "one"}), None), of_choice(0, json!({}), Some("stop"))];
    let all = [&half[..], &[of_choice(1, json!({"content": "two"}), Some("stop")), "[DONE]".to_owned()]].concat();
    let upstream = FakeUpstream::start(vec![sse::stream(&half), sse::stream(&all)]).await;
    let house = keeping(&upstream).await;
    let asked = two(streamed("m"));
    let results = [ask(&house, &asked).await, ask(&house, &asked).await, ask(&house, &asked).await];
    assert_eq!(results.each_ref().map(result), ["miss", "miss", "hit"]);
    let given = ask(&house, &two(chat("m"))).await;
    assert_eq!((result(&given), given.json()["choices"].as_array().unwrap().len()), ("hit", 2));
}

#[tokio::test]
async fn a_whole_answer_of_fewer_choices_than_were_asked_for_is_not_kept() {
    let upstream = FakeUpstream::answering(&completion("one")).await;
    assert_eq!(asked_twice(upstream, two(chat("m")), two(chat("m"))).await.0, "miss");
}

/// A whole answer in which this was changed.
fn answer_with(change: impl FnOnce(&mut Value)) -> String {
    let mut answer: Value = serde_json::from_str(&completion("it is so")).unwrap();
    change(&mut answer);
    answer.to_string()
}

/// What each answer of OpenAI's has beside what is asked for, and what tells of how it was made.
fn stock() -> String {
    answer_with(|answer| {
        answer["service_tier"] = json!("default");
        answer["system_fingerprint"] = json!("fp_1");
        answer["choices"][0]["logprobs"] = json!(null);
        answer["choices"][0]["message"]["refusal"] = json!(null);
        answer["choices"][0]["message"]["annotations"] = json!([]);
    })
}

fn citation() -> Value {
    json!([{"type": "url_citation", "url_citation": {"url": "https://x.test", "title": "x", "start_index": 0, "end_index": 2}}])
}

#[tokio::test]
async fn what_a_stream_cannot_say_of_a_kept_answer_is_asked_anew_by_who_wants_one() {
    let logprobs = json!({"content": [{"token": "it", "logprob": -0.1, "bytes": null, "top_logprobs": []}]});
    for body in [
        answer_with(|answer| answer["choices"][0]["logprobs"] = logprobs),
        answer_with(|answer| answer["choices"][0]["message"]["annotations"] = citation()),
        answer_with(|answer| answer["citations"] = json!(["https://x.test"])),
        answer_with(|answer| answer["choices"][0]["message"]["audio"] = json!({"id": "a", "data": "AA=="})),
    ] {
        let upstream = FakeUpstream::start(vec![whole(200, &body), sse::stream(&stream_of(&["anew"]))]).await;
        let house = keeping(&upstream).await;
        assert_eq!(result(&ask(&house, &chat("m")).await), "miss");
        let given = ask(&house, &chat("m")).await;
        let without_id = |text: &str| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            value["id"] = json!(null);
            value
        };
        assert_eq!((result(&given), without_id(given.text())), ("hit", without_id(&body)));
        let stream = ask(&house, &streamed("m")).await;
        assert_eq!((result(&stream), stream.says().as_str()), ("miss", "anew"), "{body}");
    }
}

#[tokio::test]
async fn what_every_answer_says_beside_its_words_keeps_none_from_being_given_as_a_stream() {
    let upstream = FakeUpstream::answering(&stock()).await;
    let (result, answer) = asked_twice(upstream, chat("m"), streamed("m")).await;
    assert_eq!((result.as_str(), answer.says().as_str()), ("hit", "it is so"));
}

/// Frames of a stream, of which the first with words was changed so.
fn frames_with(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut frames = stream_of(&["it ", "is so"]);
    let frame = frames.iter_mut().find(|frame| frame.contains("it ")).unwrap();
    let mut changed: Value = serde_json::from_str(frame).unwrap();
    change(&mut changed);
    *frame = changed.to_string();
    frames
}

#[tokio::test]
async fn a_stream_that_says_more_than_is_read_of_it_is_not_kept() {
    let signed = json!([{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "x"}}}]);
    let proof = json!([{"type": "reasoning.text", "text": "Hm", "signature": "EvQB", "format": "x", "index": 0}]);
    for frames in [
        frames_with(|frame| frame["choices"][0]["delta"]["reasoning_details"] = proof),
        frames_with(|frame| frame["choices"][0]["delta"]["annotations"] = citation()),
        frames_with(|frame| frame["citations"] = json!(["https://x.test"])),
        frames_with(|frame| frame["choices"][0]["logprobs"] = json!({"content": [{"token": "it"}]})),
        frames_with(|frame| frame["choices"][0]["delta"]["tool_calls"] = signed),
    ] {
        let upstream = FakeUpstream::start(vec![sse::stream(&frames), whole(200, &completion("anew"))]).await;
        let house = House::with(&with_steps(&upstream, "cache: { tool_calls: true }")).await;
        let live = ask(&house, &streamed("m")).await;
        // Whoever asked is told all of it.
        assert!(frames.iter().all(|frame| live.text().contains(frame.as_str())), "{}", live.text());
        let next = ask(&house, &chat("m")).await;
        assert_eq!((result(&next), next.says().as_str()), ("miss", "anew"), "{frames:?}");
    }
}

#[tokio::test]
async fn a_stream_is_kept_whatever_it_says_of_how_it_was_made() {
    let frames = frames_with(|frame| {
        frame["service_tier"] = json!("default");
        frame["system_fingerprint"] = json!("fp_1");
        frame["obfuscation"] = json!("x7fK");
        frame["usage"] = json!(null);
        frame["provider"] = json!("Somebody");
        frame["citations"] = json!([]);
        frame["prompt_filter_results"] = json!([{"prompt_index": 0}]);
        frame["choices"][0]["logprobs"] = json!(null);
        frame["choices"][0]["native_finish_reason"] = json!("end_turn");
        frame["choices"][0]["content_filter_results"] = json!({"hate": {"filtered": false}});
        frame["choices"][0]["delta"]["annotations"] = json!([]);
        frame["choices"][0]["delta"]["refusal"] = json!(null);
    });
    let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let (result, answer) = asked_twice(upstream, streamed("m"), chat("m")).await;
    assert_eq!((result.as_str(), answer.says().as_str()), ("hit", "it is so"));
}

#[tokio::test]
async fn a_stream_of_anthropics_that_says_more_than_is_read_of_it_is_not_kept() {
    let events = |container: Value| {
        let data = [
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "container": container, "usage": {"input_tokens": 1, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": null}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "it is so"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 2}}),
            json!({"type": "message_stop"}),
        ];
        sse::stream(&data.map(|data| data.to_string()))
    };
    for (container, expected) in [(json!({"id": "c"}), "miss"), (json!(null), "hit")] {
        let upstream = FakeUpstream::start(vec![events(container)]).await;
        let house = House::with(&format!(
            "providers:\n  up: {{ kind: anthropic_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    steps: [ cache: {{}} ]\n    route: up\n",
            upstream.url()
        ))
        .await;
        let mut body = crate::support::messages("m");
        body["stream"] = json!(true);
        let results = [house.http.post("/v1/messages", &body).await, house.http.post("/v1/messages", &body).await];
        assert_eq!(results.each_ref().map(result), ["miss", expected]);
    }
}
