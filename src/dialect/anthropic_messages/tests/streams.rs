//! Streams: reading, cutting, passing through and writing anew.

use super::*;
use crate::base::stop::{Failed, FaultClass, Refusal, Stop};
use crate::base::text::Text;
use crate::chat::{Finish, FinishReason, Start, Usage, Verbatim};

fn open(part: u32, what: Opening) -> Event {
    Event::Open { lane: lane(part), what }
}

fn tool(part: u32, id: &str) -> Event {
    open(part, Opening::ToolCall { id: id.into(), name: "f".into() })
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta { lane: lane(part), delta }
}

fn close(part: u32) -> Event {
    Event::Close { lane: lane(part) }
}

fn start() -> Event {
    Event::Start(Box::new(Start { id: "chatcmpl-1".into(), model: "served".into(), created: None }))
}

fn finish(reason: FinishReason, word: &str) -> Event {
    Event::Finish { choice: 0, finish: Box::new(Finish::new(reason, word)) }
}

fn usage(text_in: u64, out: u64) -> Event {
    Event::Usage(Box::new(Usage { text_in: Some(text_in), out: Some(out), ..Usage::default() }))
}

#[test]
fn a_cut_at_any_byte_changes_no_event_and_no_byte_that_goes_on() {
    for (name, text) in fixtures("stream-") {
        let bytes = text.as_bytes();
        let (whole, end) = read_stream(&[bytes]);
        let (events, written) = (show_all(&whole), write_stream(&whole));
        for cut in 0..=bytes.len() {
            let (frames, cut_end) = read_stream(&[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(show_all(&frames), events, "{name} cut at {cut}");
            assert_eq!(cut_end, end, "{name} cut at {cut}");
            assert_eq!(write_stream(&frames), written, "{name} cut at {cut}");
        }
    }
}

#[test]
fn an_untouched_stream_leaves_as_its_very_bytes() {
    for (name, text) in fixtures("stream-") {
        let (frames, _) = read_stream(&[text.as_bytes()]);
        let written = write_stream(&frames);
        assert!(written.starts_with(&text), "{name}:\n{written}");
        let added = if name.contains("without-message-stop") {
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        } else {
            ""
        };
        assert_eq!(&written[text.len()..], added, "{name}");
    }
}

#[test]
fn a_stream_written_anew_tells_the_same_as_its_own_bytes() {
    for (name, text) in fixtures("stream-") {
        if ["crlf", "error", "future", "unknown", "compatible"].iter().any(|odd| name.contains(odd)) {
            continue;
        }
        let (mut frames, _) = read_stream(&[text.as_bytes()]);
        let own = told(&write_stream(&frames)).unwrap();
        frames.iter_mut().for_each(|frame| {
            frame.edit();
        });
        let anew = told(&write_stream(&frames)).unwrap();
        assert_eq!((&anew.blocks, &anew.stop_reason), (&own.blocks, &own.stop_reason), "{name}");
        assert_eq!(anew.stop_sequence, own.stop_sequence, "{name}");
        assert_eq!(anew.usage["output_tokens"], own.usage["output_tokens"], "{name}");
    }
}

#[test]
fn a_stream_that_is_cut_is_never_complete() {
    for (name, text) in fixtures("stream-") {
        if name.contains("without-message-stop") || name.contains("error") {
            continue;
        }
        let last = text.rfind("event: message_delta").unwrap();
        for cut in (0..last).filter(|cut| text.is_char_boundary(*cut)) {
            let (frames, end) = read_stream(&[&text.as_bytes()[..cut]]);
            assert!(end.is_err(), "{name} cut at {cut}");
            assert!(!show_all(&frames).contains(&"end".to_owned()), "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_stream_without_message_stop_is_complete_if_every_block_was_closed() {
    let text = fixture("stream-without-message-stop");
    assert_eq!(read_stream(&[text.as_bytes()]).1, Ok(()));
    let unclosed = text.replace("content_block_stop", "content_block_lost");
    assert!(read_stream(&[unclosed.as_bytes()]).1.is_err());
}

#[test]
fn an_empty_reason_to_stop_is_none() {
    let stream = "data: {\"type\":\"message_start\",\"message\":{}}\n\n\
                  data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"\"}}\n\n";
    let (frames, end) = read_stream(&[stream.as_bytes()]);
    assert!(end.is_err());
    assert!(!show_all(&frames).iter().any(|line| line.starts_with("finish")));
}

#[test]
fn the_events_of_a_stream_of_tools() {
    let (frames, end) = read_stream(&[fixture("stream-tools").as_bytes()]);
    assert_eq!(end, Ok(()));
    insta::assert_snapshot!(show_all(&frames).join("\n"), @r#"
    start msg_01STREAM claude-sonnet-4-5-20250929
    usage 472 in 2 out
    open 0 Text
    delta 0 Text "I will look."
    close 0
    open 1 tool toolu_01T get_weather
    delta 1 Arguments ""
    delta 1 Arguments "{\"place\":"
    delta 1 Arguments " \"Os"
    delta 1 Arguments "lo\"}"
    close 1
    open 2 tool toolu_02T now
    close 2
    usage 472 in 89 out
    finish tool_calls tool_use None
    end
    "#);
}

#[test]
fn a_record_without_an_event_field_is_known_by_its_data() {
    let text = fixture("stream-tools");
    let named = show_all(&read_stream(&[text.as_bytes()]).0);
    let lines: String =
        text.lines().filter(|line| !line.starts_with("event:")).map(|line| format!("{line}\n")).collect();
    assert_eq!(show_all(&read_stream(&[lines.as_bytes()]).0), named);
}

#[test]
fn a_compatible_server_may_send_what_it_has_when_a_block_opens() {
    let (frames, _) = read_stream(&[fixture("stream-compatible").as_bytes()]);
    let events = show_all(&frames);
    assert!(events.contains(&"delta 0 Text \"Al\"".to_owned()), "{events:?}");
    assert!(
        events.contains(&"delta 1 Arguments \"{\\\"a\\\": 1}\"".to_owned())
            || events.contains(&"delta 1 Arguments \"{\\\"a\\\":1}\"".to_owned()),
        "{events:?}"
    );
}

#[test]
fn a_later_total_does_not_undo_an_earlier_breakdown() {
    let (frames, _) = read_stream(&[fixture("stream-cached").as_bytes()]);
    let mut sum = Usage::default();
    for event in frames.iter().flat_map(|frame| frame.iter()) {
        if let Event::Usage(usage) = event {
            sum.update(usage);
        }
    }
    assert_eq!((sum.cache_write_5m, sum.cache_write_1h, sum.cache_read), (Some(200), Some(1000), Some(300)));
    assert_eq!((sum.input(), sum.total()), (1504, 1511));
}

#[test]
fn an_error_in_a_stream_is_a_failure_and_not_an_end() {
    let (frames, end) = read_stream(&[fixture("stream-error").as_bytes()]);
    assert_eq!(show_all(&frames).last().unwrap(), "failed rate_limited Overloaded");
    assert!(end.is_err());
    let Some(Event::Failed(failure)) = frames.last().unwrap().last() else { panic!() };
    assert_eq!((failure.class, failure.reply.status), (FaultClass::RateLimited, 529));
}

#[test]
fn an_edited_delta_is_spliced_into_its_frame() {
    let (mut frames, _) = read_stream(&[fixture("stream-unknown-events").as_bytes()]);
    let frame = frames.iter_mut().find(|frame| matches!(frame[..], [Event::Delta { .. }])).unwrap();
    frame.edit_text(text_of, "Ho \"ho\"");
    let written = write_stream(&frames);
    let expected = fixture("stream-unknown-events").replacen("\"Hi\"", "\"Ho \\\"ho\\\"\"", 1);
    assert_eq!(written, expected);
}

fn text_of(events: &mut crate::chat::Events) -> &mut Text {
    match &mut events[0] {
        Event::Delta { delta: Delta::Text(text), .. } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_of_another_dialect_becomes_a_legal_one() {
    let written = write_events([
        start(),
        open(0, Opening::Thinking),
        delta(0, Delta::Thinking("hm".into())),
        close(0),
        open(1, Opening::Text),
        delta(1, Delta::Text("a\"b".into())),
        Event::Ping,
        close(1),
        tool(2, "call.1"),
        delta(2, Delta::Arguments("{}".into())),
        close(2),
        finish(FinishReason::Stop, "stop"),
        usage(7, 9),
        Event::End,
    ]);
    insta::assert_snapshot!(written, @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"chatcmpl-1","type":"message","role":"assistant","model":"served","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: content_block_start
    data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a\"b"}}

    event: ping
    data: {"type":"ping"}

    event: content_block_stop
    data: {"type":"content_block_stop","index":1}

    event: content_block_start
    data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_2e1","name":"f","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":2}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
    told(&written).unwrap();
}

#[test]
fn calls_streamed_side_by_side_are_told_one_after_the_other() {
    let written = write_events([
        start(),
        tool(0, "a"),
        tool(1, "b"),
        delta(1, Delta::Arguments("{\"x\":".into())),
        delta(0, Delta::Arguments("{\"y\":".into())),
        delta(1, Delta::Arguments("1}".into())),
        close(1),
        delta(0, Delta::Arguments("2}".into())),
        finish(FinishReason::ToolCalls, "tool_calls"),
        usage(1, 2),
        Event::End,
    ]);
    let told = told(&written).unwrap();
    assert_eq!(told.blocks[0]["input"], serde_json::json!({"y": 2}));
    assert_eq!(told.blocks[1]["input"], serde_json::json!({"x": 1}));
}

#[test]
fn usage_that_is_known_when_the_answer_begins_is_told_at_once() {
    let frame = Frame::new([start(), usage(11, 0)].into_iter().collect());
    let written = write_stream(&[frame]);
    assert!(written.contains("\"input_tokens\":11"), "{written}");
}

#[test]
fn a_ping_before_the_answer_begins_is_a_comment() {
    assert_eq!(write_events([Event::Ping]), ": ping\n\n");
}

#[test]
fn only_the_first_choice_is_written() {
    let other = Lane { choice: 1, part: 0 };
    let written = write_events([
        start(),
        open(0, Opening::Text),
        Event::Open { lane: other, what: Opening::Text },
        Event::Delta { lane: other, delta: Delta::Text("not me".into()) },
        delta(0, Delta::Text("me".into())),
        close(0),
        finish(FinishReason::Stop, "stop"),
        Event::Finish { choice: 1, finish: Box::new(Finish::new(FinishReason::Length, "length")) },
        Event::End,
    ]);
    let told = told(&written).unwrap();
    assert_eq!((told.blocks.len(), told.stop_reason.as_deref()), (1, Some("end_turn")));
    assert!(!written.contains("not me"));
}

#[test]
fn a_whole_answer_is_played_as_a_stream() {
    for (name, text) in fixtures("answer-") {
        let answer = DIALECT.read_completion(&body(text.clone())).unwrap();
        let events = [Event::Whole(Box::new(answer))].into_iter().collect();
        let frame = Verbatim::read(events, ID, Bytes::from(text.clone()), Some(0));
        let told = told(&write_stream(&[frame])).unwrap();
        let expected = json(text.as_bytes());
        let mut blocks = serde_json::Value::Array(told.blocks);
        let mut content = expected["content"].clone();
        // What a tool call says beside its input has no place in a stream; an empty signature is put in place of none.
        for block in [&mut blocks, &mut content].into_iter().flat_map(|list| list.as_array_mut().unwrap()) {
            block.as_object_mut().unwrap().remove("caller");
        }
        assert_eq!(blocks, content, "{name}");
        let reason = expected["stop_reason"].as_str().unwrap_or("end_turn");
        assert_eq!(told.stop_reason.as_deref(), Some(reason), "{name}");
        if expected["usage"].is_object() {
            assert_eq!(told.usage, expected["usage"], "{name}");
        }
    }
}

#[test]
fn a_failure_is_an_error_event_and_nothing_follows_it() {
    let stop = Stop::from(Refusal::new(403, "blocked", "no\nway"));
    let mut writer = DIALECT.stream_writer(&Asked::default());
    let mut out = BytesMut::new();
    writer.write(&Frame::new([start()].into_iter().collect()), &mut out);
    out.clear();
    writer.fail(&stop, "req_1", &mut out);
    writer.fail(&stop, "req_1", &mut out);
    writer.write(&Frame::new([Event::End].into_iter().collect()), &mut out);
    assert_eq!(
        out,
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"permission_error\",\"message\":\"no\\nway\",\"code\":\"blocked\"},\"request_id\":\"req_1\"}\n\n"
    );
}

#[test]
fn an_upstreams_own_error_is_passed_on_and_put_on_one_line() {
    let body = Bytes::from_static(b"{\n\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}");
    let fault = DIALECT.read_failure(500, &body).at(crate::base::ids::TargetName::new("t"), None);
    let mut out = BytesMut::new();
    DIALECT.stream_writer(&Asked::default()).fail(
        &Stop::Failed(Failed { fault, tried: Vec::new() }),
        "req_1",
        &mut out,
    );
    assert_eq!(
        out,
        "event: error\ndata: { \"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}\n\n"
    );
}
