//! Streams: the events of each vendor's habits, and what is written of events.

use crate::base::ids::TargetName;
use crate::base::stop::{Failed, Refusal};

use super::*;

fn events(name: &str) -> Vec<String> {
    let (frames, is_complete) = frames(&[fixture(name).as_bytes()]);
    assert!(is_complete);
    lines(&frames)
}

/// The chunks of a stream, and what else its `data:` lines say.
fn chunks(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
}

#[test]
fn text_opens_with_its_first_letter_and_closes_with_its_choice() {
    assert_eq!(
        events("stream-text.sse"),
        [
            "start chatcmpl-s gpt-4o",
            "open 0.0 Text",
            "delta 0.0 Text \"Hel\"",
            "delta 0.0 Text \"lo, café 😀\\n\\\"q\\\"\"",
            "close 0.0",
            "finish 0 stop stop",
            "usage 19+10",
            "end",
        ]
    );
}

#[test]
fn interleaved_tool_calls_are_told_apart_by_their_index() {
    assert_eq!(
        events("stream-tools.sse"),
        [
            "start chatcmpl-s gpt-4o",
            "open 0.0 Text",
            "delta 0.0 Text \"Let me look.\"",
            "close 0.0",
            "open 0.1 call call_1 weather",
            "delta 0.1 Arguments \"{\\\"city\\\":\"",
            "open 0.2 call call_2 time",
            "delta 0.2 Arguments \"{}\"",
            "delta 0.1 Arguments \"\\\"Paris\\\"}\"",
            "close 0.1",
            "close 0.2",
            "finish 0 tool_calls tool_calls",
            "end",
        ]
    );
}

#[test]
fn tool_calls_without_index_or_with_one_index_for_all_are_told_apart_by_their_ids() {
    assert_eq!(
        events("stream-tools-sloppy.sse"),
        [
            "start chatcmpl-s gpt-4o",
            "open 0.0 call a one",
            "delta 0.0 Arguments \"{\\\"x\\\":1}\"",
            "open 0.1 call b two",
            "delta 0.1 Arguments \"{\"",
            "delta 0.1 Arguments \"}\"",
            "open 0.2 call c three",
            "delta 0.2 Arguments \"{}\"",
            "open 0.3 call d three",
            "open 0.4 call call_0_4 four",
            "delta 0.4 Arguments \"{}\"",
            "close 0.0",
            "close 0.1",
            "close 0.2",
            "close 0.3",
            "close 0.4",
            "finish 0 tool_calls tool_calls",
            "usage 19+10",
            "end",
        ]
    );
}

#[test]
fn thinking_comes_before_the_text_and_is_a_part_of_its_own() {
    assert_eq!(
        events("stream-thinking.sse"),
        [
            "start chatcmpl-s gpt-4o",
            "open 0.0 Thinking",
            "delta 0.0 Thinking \"First\"",
            "delta 0.0 Thinking \", think\"",
            "close 0.0",
            "open 0.1 Text",
            "delta 0.1 Text \"Then\"",
            "delta 0.1 Text \" say\"",
            "close 0.1",
            "finish 0 stop stop",
            "usage 19+10",
            "end",
        ]
    );
}

#[test]
fn details_of_reasoning_add_signatures_and_seals_but_no_second_text() {
    assert_eq!(
        events("stream-openrouter.sse"),
        [
            "ping",
            "start chatcmpl-s gpt-4o",
            "open 0.0 Thinking",
            "delta 0.0 Thinking \"Hm\"",
            "ping",
            "delta 0.0 Signature \"EvQB\"",
            "close 0.0",
            "open 0.1 sealed c2VhbGVk",
            "close 0.1",
            "open 0.2 Text",
            "delta 0.2 Text \"Yes\"",
            "close 0.2",
            "finish 0 stop stop",
            "usage 19+10",
            "end",
        ]
    );
}

#[test]
fn several_choices_run_beside_each_other() {
    assert_eq!(
        events("stream-choices.sse"),
        [
            "start chatcmpl-s gpt-4o",
            "open 0.0 Text",
            "delta 0.0 Text \"a\"",
            "open 1.0 Text",
            "delta 1.0 Text \"b\"",
            "delta 0.0 Text \"A\"",
            "close 1.0",
            "open 1.1 Refusal",
            "delta 1.1 Refusal \"no\"",
            "close 0.0",
            "finish 0 length length",
            "close 1.1",
            "finish 1 content_filter content_filter",
            "end",
        ]
    );
}

#[test]
fn azures_word_about_the_prompt_is_not_the_answers_start() {
    assert_eq!(events("stream-azure.sse")[..2], ["start chatcmpl-s gpt-4o", "open 0.0 Text"]);
}

#[test]
fn mistrals_content_parts_are_thinking_and_text() {
    assert_eq!(
        events("stream-mistral.sse")[1..],
        [
            "open 0.0 Thinking",
            "delta 0.0 Thinking \"The\"",
            "delta 0.0 Thinking \" end\"",
            "close 0.0",
            "open 0.1 Text",
            "delta 0.1 Text \"1\"",
            "close 0.1",
            "open 0.2 other {\"type\":\"reference\",\"reference_ids\":[1]}",
            "close 0.2",
            "open 0.3 Text",
            "delta 0.3 Text \"44\"",
            "close 0.3",
            "finish 0 stop stop",
            "usage 19+10",
            "end",
        ]
    );
}

#[test]
fn a_stream_without_done_ends_when_its_choices_have_finished() {
    assert_eq!(
        events("stream-perplexity.sse")[3..],
        // Each frame has all that was said so far once more, which is not read.
        [
            "unread",
            "usage 8+1",
            "delta 0.0 Text \" 2\"",
            "close 0.0",
            "finish 0 stop stop",
            "unread",
            "usage 8+3",
            "unread",
            "usage 8+3",
            "end"
        ]
        .map(String::from)[..]
    );
}

#[test]
fn an_answer_that_is_done_without_a_reason_has_ended_by_itself() {
    let (frames, is_complete) =
        frames(&[b"data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n"]);
    assert!(is_complete);
    assert_eq!(lines(&frames)[3..], ["close 0.0", "finish 0 stop stop", "end"]);
}

#[test]
fn an_error_in_the_stream_is_a_failure_and_never_an_end() {
    let failed = |record: &str| {
        let stream = format!(
            "data: {{\"id\":\"x\",\"choices\":[{{\"delta\":{{\"content\":\"hi\"}}}}]}}\n\n{record}\n\ndata: [DONE]\n\n"
        );
        let (frames, is_complete) = frames(&[stream.as_bytes()]);
        assert!(!is_complete);
        let lines = lines(&frames);
        assert!(!lines.contains(&"end".to_owned()));
        lines.last().unwrap().clone()
    };
    assert_eq!(failed(r#"data: {"error":{"message":"broken","type":"server_error"}}"#), "failed server_error broken");
    assert_eq!(failed(r#"data: {"error":{"message":"slow down","code":429}}"#), "failed rate_limited slow down");
    assert_eq!(failed(r#"data: {"error":"just words"}"#), "failed server_error just words");
    assert_eq!(failed("event: error\ndata: {\"message\":\"named\"}"), "failed server_error named");
    assert_eq!(
        failed(r#"data: {"object":"error","message":"maximum context length","code":400}"#),
        "failed context_too_long maximum context length"
    );
    assert_eq!(
        failed(
            r#"data: {"id":"x","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"upstream"}}]}"#
        ),
        "failed server_error upstream"
    );
    assert_eq!(
        failed(r#"data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#),
        "failed server_error the provider stopped with an error"
    );
}

#[test]
fn what_is_no_chunk_is_malformed() {
    assert!(!frames(&[b"data: {\"choices\":[{\"delta\":{\"content\":5}}]}\n\n"]).1);
    assert!(!frames(&[b"data: [1]\n\n"]).1);
    assert!(!frames(&[b"data: {\"choices\":[]} x\n\n"]).1);
}

#[test]
fn an_edited_delta_is_spliced_into_its_chunk() {
    let body = fixture("stream-text.sse");
    let (mut frames, _) = frames(&[body.as_bytes()]);
    frames[1].edit_text(
        |events| match &mut events[1] {
            Event::Delta { delta: Delta::Text(text), .. } => text,
            _ => panic!("not a text"),
        },
        "\"Hal\"",
    );
    assert_eq!(written(&frames, true), body.replace("\"Hel\"", r#""\"Hal\"""#));
}

#[test]
fn usage_nobody_asked_for_is_not_passed_on() {
    let body = fixture("stream-text.sse");
    let (frames, _) = frames(&[body.as_bytes()]);
    assert!(!written(&frames, false).contains("prompt_tokens"));
    assert!(!written(&edited(&frames), false).contains("prompt_tokens"));
    assert!(written(&frames, false).ends_with("data: [DONE]\n\n"));
}

#[test]
fn events_from_elsewhere_become_chunks_with_the_role_first_and_usage_last() {
    let (frames, _) = frames(&[fixture("stream-tools-sloppy.sse").as_bytes()]);
    let stream = written(&edited(&frames), true);
    let chunks = chunks(&stream);
    assert_eq!(
        chunks[0],
        serde_json::json!({
            "id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 1_741_570_000, "model": "gpt-4o",
            "choices": [{ "index": 0, "finish_reason": null, "delta": { "role": "assistant", "tool_calls": [
                { "index": 0, "id": "a", "type": "function", "function": { "name": "one", "arguments": "" } }] } }],
        })
    );
    assert_eq!(
        chunks[1]["choices"][0]["delta"],
        serde_json::json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{\"x\":1}" } }] })
    );
    assert_eq!(chunks[2]["choices"][0]["delta"]["tool_calls"][0]["index"], 1);
    let count = chunks.len();
    assert_eq!(chunks[count - 3]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        (&chunks[count - 2]["choices"], &chunks[count - 2]["usage"]["prompt_tokens"]),
        (&serde_json::json!([]), &19.into())
    );
    assert_eq!(chunks[count - 1], "[DONE]");
}

#[test]
fn a_call_without_arguments_is_given_an_empty_object() {
    let (frames, _) = frames(&[fixture("stream-tools-sloppy.sse").as_bytes()]);
    let stream = written(&edited(&frames), false);
    let of_d: Vec<_> = chunks(&stream)
        .into_iter()
        .filter(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["index"] == 3)
        .collect();
    assert_eq!(of_d[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn arguments_of_a_part_that_is_no_tool_call_do_not_become_one() {
    let lane = Lane { choice: 0, part: 0 };
    let search = Opening::Other(crate::base::json::Json(r#"{"type":"server_tool_use","name":"web_search"}"#.into()));
    let events: Events = [
        Event::Open { lane, what: search },
        Event::Delta { lane, delta: Delta::Arguments("{\"query\":\"tides\"}".into()) },
        Event::Close { lane },
        Event::End,
    ]
    .into_iter()
    .collect();
    assert_eq!(written(&[Frame::new(events)], true), "data: [DONE]\n\n");
}

#[test]
fn a_whole_answer_is_streamed_to_who_asked_for_a_stream() {
    let whole = Frame::new(Events::from_iter([Event::Whole(Box::new(super::answers::foreign()))]));
    let (again, is_complete) = frames(&[written(&[whole], true).as_bytes()]);
    assert!(is_complete);
    assert_eq!(
        lines(&again),
        [
            "start chatcmpl-msg_1 model-of-another",
            "open 0.0 Thinking",
            "delta 0.0 Thinking \"hm\"",
            "close 0.0",
            "open 0.1 Text",
            "delta 0.1 Text \"one \"",
            "delta 0.1 Text \"two\"",
            "close 0.1",
            "open 0.2 call t1 look",
            "delta 0.2 Arguments \"{\\\"a\\\":1}\"",
            "open 0.3 call t2 look",
            "delta 0.3 Arguments \"{}\"",
            "close 0.2",
            "close 0.3",
            "finish 0 tool_calls tool_calls",
            "usage 16+8",
            "end",
        ]
    );
}

#[test]
fn a_whole_answer_with_its_own_wire_is_streamed_too() {
    let body = fixture("answer-plain.json");
    let whole = Event::Whole(Box::new(OpenAiChat.read_completion(&body).unwrap()));
    let frame = Frame::read(Events::from_iter([whole]), ID, body.into_bytes(), Some(0));
    let stream = written(&[frame], false);
    assert!(stream.starts_with("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\""));
    assert!(stream.ends_with("data: [DONE]\n\n"));
}

#[test]
fn there_is_one_done_however_often_the_end_is_told() {
    let (mut frames, _) = frames(&[fixture("stream-text.sse").as_bytes()]);
    frames.push(Frame::new(Events::from_iter([Event::End])));
    assert_eq!(written(&frames, true).matches("[DONE]").count(), 1);
    assert_eq!(written(&edited(&frames), true).matches("[DONE]").count(), 1);
}

#[test]
fn a_stream_that_fails_ends_in_an_error_and_not_in_done() {
    let mut writer = OpenAiChat.stream_writer(&Asked::default());
    let mut out = BytesMut::new();
    writer.write(&Frame::new(Events::from_iter([Event::Ping])), &mut out);
    writer.fail(&Refusal::internal("it broke").into(), "req_1", &mut out);
    writer.write(&Frame::new(Events::from_iter([Event::End])), &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(
        text,
        ": ping\n\ndata: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\",\"param\":null,\"code\":\"internal_error\"},\"request_id\":\"req_1\"}\n\n"
    );
}

#[test]
fn an_upstreams_error_of_several_lines_is_one_record() {
    let failure = OpenAiChat.read_failure(500, &Bytes::from_static(b"{\n  \"error\": {\r\n \"message\": \"x\"\n}}\n"));
    let fault = failure.at(TargetName::new("a"), None);
    let mut writer = OpenAiChat.stream_writer(&Asked::default());
    let mut out = BytesMut::new();
    writer.fail(&Stop::Failed(Failed { fault, tried: vec![] }), "req_1", &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(chunks(&text)[0]["error"]["message"], "x");
    assert_eq!(text.lines().count(), 2);
}
