//! The laws, over every fixture and over noise.

use proptest::prelude::*;

use super::*;

#[test]
fn every_request_is_written_as_it_was_read() {
    for (name, body) in fixtures("request-") {
        let read = OpenAiChat.read_request(&body).unwrap();
        let mut losses = Losses::default();
        let written = OpenAiChat.write_request(&read, &EASY, &mut losses);
        assert_eq!(value(&written), value(&body), "{name}");
        assert!(losses.is_empty(), "{name}: {:?}", losses_of(&losses));
    }
}

#[test]
fn every_answer_is_written_as_it_was_read() {
    for (name, body) in fixtures("answer-") {
        let read = OpenAiChat.read_completion(&body).unwrap();
        let mut losses = Losses::default();
        assert_eq!(value(OpenAiChat.write_completion(&read, &mut losses)), value(&body), "{name}");
        assert!(losses.is_empty(), "{name}: {:?}", losses_of(&losses));
    }
}

#[test]
fn an_untouched_request_leaves_as_its_very_bytes() {
    for (name, body) in fixtures("request-") {
        assert_eq!(request(&body).wire(ID).unwrap(), body.as_bytes(), "{name}");
    }
}

#[test]
fn an_untouched_stream_leaves_as_its_very_bytes() {
    for (name, body) in fixtures("stream-") {
        let (frames, is_complete) = frames(&[body.as_bytes()]);
        assert!(is_complete, "{name}");
        let missing = if body.contains("[DONE]") { "" } else { "data: [DONE]\n\n" };
        let expected = format!("{}{missing}", body.trim_start_matches('\u{feff}'));
        assert_eq!(written(&frames, true), expected, "{name}");
    }
}

#[test]
fn a_cut_at_any_byte_changes_neither_events_nor_bytes() {
    for (name, body) in fixtures("stream-") {
        let whole = frames(&[body.as_bytes()]).0;
        let (events, bytes, rewritten) = (lines(&whole), written(&whole, false), written(&edited(&whole), true));
        for cut in 0..=body.len() {
            let (before, after) = body.as_bytes().split_at(cut);
            let (cut_frames, is_complete) = frames(&[before, after]);
            assert!(is_complete, "{name} cut at {cut}");
            assert_eq!(lines(&cut_frames), events, "{name} cut at {cut}");
            assert_eq!(written(&cut_frames, false), bytes, "{name} cut at {cut}");
            assert_eq!(written(&edited(&cut_frames), true), rewritten, "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_cut_unless_every_choice_has_finished() {
    for (name, body) in fixtures("stream-") {
        let last = body.rfind("\"finish_reason\":\"").unwrap();
        let end = last + body[last..].find("\n").unwrap();
        for cut in 0..end - 4 {
            let (frames, is_complete) = frames(&[&body.as_bytes()[..cut]]);
            if is_complete {
                assert_eq!(name, "stream-perplexity.sse", "cut at {cut}");
            } else {
                assert!(!lines(&frames).contains(&"end".to_owned()), "{name} cut at {cut}");
                assert!(!written(&frames, true).contains("[DONE]"), "{name} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_rewritten_stream_says_what_the_first_one_said() {
    for (name, body) in fixtures("stream-") {
        let first = frames(&[body.as_bytes()]).0;
        let again = frames(&[written(&edited(&first), true).as_bytes()]).0;
        assert_eq!(said(&again), said(&first), "{name}");
    }
}

/// The text of each kind that each choice said, the calls it made, and how it ended.
fn said(frames: &[Frame]) -> std::collections::BTreeMap<(u32, String), String> {
    let mut said = std::collections::BTreeMap::<_, String>::new();
    let mut calls = std::collections::BTreeMap::new();
    for event in frames.iter().flat_map(|frame| frame.iter()) {
        match event {
            Event::Delta { delta: Delta::Signature(_) | Delta::Other(_), .. } => {}
            Event::Delta { lane, delta: Delta::Arguments(text) } => {
                let key = (lane.choice, calls.get(lane).cloned().unwrap());
                said.entry(key).or_default().push_str(&text.as_str());
            }
            Event::Delta { lane, delta } => {
                let kind = format!("{delta:?}").split('(').next().unwrap().to_owned();
                said.entry((lane.choice, kind)).or_default().push_str(&delta.text().unwrap().as_str());
            }
            Event::Open { lane, what: Opening::ToolCall { id, name } } => {
                calls.insert(*lane, format!("{} {}", id.as_str(), name.as_str()));
            }
            // To be without arguments is to have none.
            Event::Close { lane } if calls.contains_key(lane) => {
                said.entry((lane.choice, calls.get(lane).cloned().unwrap())).or_insert_with(|| "{}".into());
            }
            Event::Finish { choice, finish } => {
                said.insert((*choice, "finish".into()), finish.reason.name().to_owned());
            }
            _ => {}
        }
    }
    said
}

/// JSON-like noise made of the words the dialect knows.
fn noise() -> impl Strategy<Value = String> {
    let words = "model|messages|role|user|assistant|tool|content|type|text|image_url|url|file|function|name|arguments|\
                 tool_calls|id|choices|delta|message|index|finish_reason|usage|prompt_tokens|reasoning_details|stop|\
                 response_format|json_schema|stream|error|thinking";
    let word = words.split('|').map(|word| format!("\"{}\"", word.trim())).collect::<Vec<_>>();
    let token = prop_oneof![
        4 => prop::sample::select(word),
        6 => prop::sample::select(vec!["{", "}", "[", "]", ":", ",", "null", "true", "1", "-2.5", "\"x\"", "\"\"", "\"\\n\""])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// Well-formed JSON made of the words the dialect knows, in places where they do not belong.
fn document() -> impl Strategy<Value = Value> {
    let keys = [
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "file",
        "function",
        "name",
        "arguments",
        "tool_calls",
        "id",
        "choices",
        "delta",
        "message",
        "index",
        "finish_reason",
        "usage",
        "prompt_tokens",
        "stop",
        "error",
        "reasoning_details",
        "reasoning",
        "reasoning_content",
        "response_format",
        "json_schema",
        "schema",
        "thinking",
        "custom",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        prop::sample::select(vec![
            "user",
            "assistant",
            "tool",
            "text",
            "thinking",
            "function",
            "image_url",
            "stop",
            "",
            "é\n"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(keys.to_vec()), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_noise_makes_a_reader_panic(noise in noise()) {
        let body = ByteString::from(noise.clone());
        let _ = OpenAiChat.read_request(&body);
        let _ = OpenAiChat.read_completion(&body);
        let _ = OpenAiChat.read_failure(400, &body.into_bytes());
        let stream = format!("data: {noise}\n\n");
        let (frames, _) = frames(&[stream.as_bytes()]);
        written(&edited(&frames), true);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut stream = b"data: ".to_vec();
        stream.extend(&bytes);
        stream.extend(b"\n\n");
        frames(&[&stream]);
        let _ = OpenAiChat.read_failure(500, &bytes.into());
    }

    #[test]
    fn whatever_is_accepted_as_an_answer_is_written_as_it_was_read(choices in prop::collection::vec(document(), 0..3)) {
        let choices: Vec<Value> = choices.into_iter().filter(Value::is_object).collect();
        let body = serde_json::json!({ "id": "x", "choices": choices });
        if let Ok(read) = OpenAiChat.read_completion(&body.to_string().into()) {
            prop_assert_eq!(value(OpenAiChat.write_completion(&read, &mut Losses::default())), body);
        }
    }

    #[test]
    fn whatever_is_accepted_as_a_request_is_written_as_it_was_read(
        role in prop::sample::select(vec!["system", "user", "assistant", "tool", "function"]),
        message in document(),
        rest in document(),
    ) {
        let mut body = if rest.is_object() { rest } else { serde_json::json!({}) };
        let mut message = if message.is_object() { message } else { serde_json::json!({ "content": message }) };
        message["role"] = role.into();
        body["model"] = "m".into();
        body["messages"] = serde_json::json!([message]);
        if let Ok(read) = OpenAiChat.read_request(&body.to_string().into()) {
            prop_assert_eq!(value(OpenAiChat.write_request(&read, &EASY, &mut Losses::default())), body);
        }
    }

    #[test]
    fn whatever_stream_is_accepted_opens_and_closes_every_part_once(deltas in prop::collection::vec(document(), 1..6)) {
        let mut stream = String::new();
        for delta in deltas {
            let chunk = serde_json::json!({ "id": "x", "choices": [{ "index": 0, "delta": delta }] });
            stream.push_str(&format!("data: {chunk}\n\n"));
        }
        stream.push_str("data: [DONE]\n\n");
        let mut open = std::collections::BTreeSet::new();
        let mut opened = 0;
        for event in frames(&[stream.as_bytes()]).0.iter().flat_map(|frame| frame.iter()) {
            match event {
                Event::Open { lane, .. } => {
                    prop_assert_eq!(lane.part, opened);
                    opened += 1;
                    open.insert(*lane);
                }
                Event::Delta { lane, .. } => prop_assert!(open.contains(lane)),
                Event::Close { lane } => prop_assert!(open.remove(lane)),
                Event::Finish { .. } | Event::End => prop_assert!(open.is_empty()),
                _ => {}
            }
        }
    }
}
