//! Answers recorded from the real thing, if there are any at hand: `TIDEGATE_RECORDINGS` names a folder with
//! an `anthropic.jsonl`.

use super::*;
use crate::chat::{Completion, Content, FinishReason, Losses, Usage};

/// What an answer comes to, by its parts or by its events.
#[derive(Debug, Default)]
struct Sum {
    text: String,
    reasoning: String,
    calls: Vec<(String, String, String)>,
    finish: Option<FinishReason>,
    usage: Usage,
}

#[test]
fn recorded_answers_read_as_expected_and_are_written_again_as_they_were() {
    let Ok(folder) = std::env::var("TIDEGATE_RECORDINGS") else { return };
    let lines = std::fs::read_to_string(format!("{folder}/anthropic.jsonl")).unwrap();
    for record in lines.lines().map(|line| json(line.as_bytes())) {
        let text = record["body"].as_str().unwrap();
        match (record["status"].as_u64().unwrap(), record["stream"].as_bool().unwrap()) {
            (200, true) => check_stream(&record, text),
            (200, false) => check_answer(&record, text),
            (status, _) => check_failure(&record, status as u16, text),
        }
    }
}

fn check_answer(record: &Value, text: &str) {
    let answer = DIALECT.read_completion(&body(text)).unwrap();
    let written = DIALECT.write_completion(&answer, &mut Losses::default());
    assert_eq!(json(&written), json(text.as_bytes()), "{}", record["id"]);
    compare(record, &sum_of(&answer));
}

fn check_stream(record: &Value, text: &str) {
    let (frames, end) = read_stream(&[text.as_bytes()]);
    assert_eq!(end, Ok(()), "{}", record["id"]);
    let written = write_stream(&frames);
    assert_eq!(written, text.trim_start_matches('\n').trim_end_matches('\n').to_owned() + "\n\n", "{}", record["id"]);
    let events = show_all(&frames);
    for cut in (0..text.len()).step_by(7) {
        let (pieces, _) = read_stream(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]);
        assert_eq!(show_all(&pieces), events, "{} cut at {cut}", record["id"]);
    }
    compare(record, &sum_of_stream(&frames));
    let mut edited = frames.clone();
    edited.iter_mut().for_each(|frame| {
        frame.edit();
    });
    told(&write_stream(&edited)).unwrap();
}

fn check_failure(record: &Value, status: u16, text: &str) {
    let failure = DIALECT.read_failure(status, &Bytes::copy_from_slice(text.as_bytes()));
    assert_eq!(failure.reply.message, record["expect"]["error"]["error"]["message"], "{}", record["id"]);
}

fn compare(record: &Value, sum: &Sum) {
    let (id, expect) = (&record["id"], &record["expect"]);
    assert_eq!(sum.text, expect["text"], "{id}");
    assert_eq!(sum.reasoning, expect["reasoning"], "{id}");
    let finish = match expect["finish"].as_str() {
        Some("stop") => FinishReason::Stop,
        Some("tool") => FinishReason::ToolCalls,
        Some("length") => FinishReason::Length,
        other => panic!("{id}: {other:?}"),
    };
    assert_eq!(sum.finish, Some(finish), "{id}");
    let calls = expect["tool_calls"].as_array().unwrap();
    assert_eq!(sum.calls.len(), calls.len(), "{id}");
    for ((call_id, name, arguments), expected) in sum.calls.iter().zip(calls) {
        assert_eq!(
            (call_id, name),
            (&expected["id"].as_str().unwrap().into(), &expected["name"].as_str().unwrap().into())
        );
        let arguments = if arguments.is_empty() { "{}" } else { arguments };
        assert_eq!(json(arguments.as_bytes()), expected["args"], "{id}");
    }
    let told = |key: &str| expect["usage"][key].as_u64().unwrap_or(0);
    assert_eq!(sum.usage.text_in.unwrap_or(0), told("in"), "{id}");
    assert_eq!(sum.usage.cache_read.unwrap_or(0), told("cached"), "{id}");
    assert_eq!(sum.usage.cache_write(), told("cache_write"), "{id}");
    assert_eq!(sum.usage.output(), told("out"), "{id}");
}

fn sum_of(answer: &Completion) -> Sum {
    let mut sum = Sum { usage: answer.usage.clone().unwrap(), ..Sum::default() };
    for part in &answer.choices[0].parts {
        match &part.content {
            Content::Text(text) => sum.text.push_str(&text.as_str()),
            Content::Thinking(thinking) => sum.reasoning.push_str(&thinking.text.as_str()),
            Content::ToolCall(call) => {
                let own = |text: &crate::base::text::Text| text.as_str().into_owned();
                sum.calls.push((own(&call.id), own(&call.name), own(&call.arguments)));
            }
            _ => {}
        }
    }
    sum.finish = answer.choices[0].finish.as_ref().map(|finish| finish.reason);
    sum
}

fn sum_of_stream(frames: &[Frame]) -> Sum {
    let (mut sum, mut callers) = (Sum::default(), Vec::new());
    for event in frames.iter().flat_map(|frame| frame.iter()) {
        match event {
            Event::Open { lane, what: Opening::ToolCall { id, name } } => {
                callers.push(lane.part);
                sum.calls.push((id.as_str().into(), name.as_str().into(), String::new()));
            }
            Event::Delta { delta: Delta::Text(text), .. } => sum.text.push_str(&text.as_str()),
            Event::Delta { delta: Delta::Thinking(text), .. } => sum.reasoning.push_str(&text.as_str()),
            Event::Delta { lane, delta: Delta::Arguments(text) } => {
                if let Some(at) = callers.iter().position(|part| *part == lane.part) {
                    sum.calls[at].2.push_str(&text.as_str());
                }
            }
            Event::Usage(usage) => sum.usage.update(usage),
            Event::Finish { finish, .. } => sum.finish = Some(finish.reason),
            _ => {}
        }
    }
    sum
}
