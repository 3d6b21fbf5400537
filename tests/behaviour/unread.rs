//! What guards do on endpoints that are forwarded without being understood, down to the bytes on the sockets.

use serde_json::{Value, json};

use crate::support::{Act, Answered, Ending, FakeUpstream, House, Script, sse, whole};

const MAIL: &str = "jo.doe@example.org";
const PHONE: &str = "+49 30 901820";

/// A provider behind a `redact` step with these settings, for all endpoints on which it can act.
fn guarded(upstream: &FakeUpstream, redact: &str) -> String {
    format!(
        "callers: {{ anonymous: true, session: [header x-session-id] }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    steps: [{{ redact: {redact} }}]\n    route: up\n",
        upstream.url()
    )
}

/// A stream of these events, each with the name that its type is.
fn events(events: &[Value]) -> Vec<u8> {
    let one = |event: &Value| match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.iter().map(one).collect::<String>().into_bytes()
}

fn streaming(bytes: &[u8]) -> Script {
    vec![sse::head(), sse::bytes(bytes), sse::end()]
}

/// The same in two pieces, cut behind so many bytes.
fn cut(bytes: &[u8], at: usize) -> Script {
    let (one, two) = bytes.split_at(at);
    let pieces = [one, two].into_iter().filter(|piece| !piece.is_empty()).map(sse::bytes);
    std::iter::once(sse::head()).chain(pieces).chain([sse::end()]).collect()
}

/// The legacy stream that says these pieces.
fn completing(pieces: &[&str]) -> Vec<u8> {
    let chunk = |text: &str, reason: Value| {
        json!({ "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{ "text": text, "index": 0, "logprobs": null, "finish_reason": reason }] })
    };
    let mut all: Vec<_> = pieces.iter().map(|piece| chunk(piece, Value::Null)).collect();
    all.push(chunk("", json!("stop")));
    [events(&all), b"data: [DONE]\n\n".to_vec()].concat()
}

fn message(text: &str) -> Value {
    json!({ "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
        "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }] })
}

fn response(output: Value) -> Value {
    json!({ "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": output,
        "instructions": null, "metadata": {}, "usage": { "input_tokens": 3, "output_tokens": 4, "total_tokens": 7 } })
}

/// The stream of a response that says these pieces, as the API reference has it.
fn responding(pieces: &[&str]) -> Vec<u8> {
    let text: String = pieces.concat();
    let at = json!({ "item_id": "msg_1", "output_index": 0, "content_index": 0 });
    let with = |kind: &str, more: Value| {
        let mut event = at.clone();
        event["type"] = json!(kind);
        more.as_object().unwrap().iter().for_each(|(name, value)| event[name.as_str()] = value.clone());
        event
    };
    let mut all = vec![json!({ "type": "response.created", "response": response(json!([])), "sequence_number": 0 })];
    all.extend(pieces.iter().enumerate().map(|(nth, piece)| {
        with("response.output_text.delta", json!({ "delta": piece, "logprobs": [], "sequence_number": nth + 1 }))
    }));
    all.push(with("response.output_text.done", json!({ "text": text, "sequence_number": 90 })));
    let part = json!({ "type": "output_text", "text": text, "annotations": [] });
    all.push(with("response.content_part.done", json!({ "part": part, "sequence_number": 91 })));
    all.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": message(&text), "sequence_number": 92 }));
    all.push(
        json!({ "type": "response.completed", "response": response(json!([message(&text)])), "sequence_number": 93 }),
    );
    events(&all)
}

/// All pieces of text that a stream brought.
fn pieces(answer: &Answered) -> String {
    let data = answer.data().into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let piece = |event: Value| {
        let of_choice = event["choices"][0]["text"].as_str().map(str::to_owned);
        of_choice.or_else(|| event["delta"].as_str().map(str::to_owned)).unwrap_or_default()
    };
    data.map(piece).collect()
}

async fn sent(upstream: &FakeUpstream) -> String {
    String::from_utf8(upstream.received().last().unwrap().body.clone()).unwrap()
}

#[tokio::test]
async fn every_place_that_a_model_reads_of_a_response_is_gone_through() {
    let upstream = FakeUpstream::answering(&response(json!([])).to_string()).await;
    let house = House::with(&guarded(&upstream, "{ find: [email], where: [request], unscannable: pass }")).await;
    let body = json!({
        "model": "m", "instructions": "you are a@example.org", "user": "b@example.org", "metadata": { "who": "c@example.org" },
        "prompt": { "id": "pmpt_1", "variables": { "name": "d@example.org" } },
        "tools": [{ "type": "function", "name": "f", "description": "ask e@example.org", "parameters": { "default": "f@example.org" } }],
        "text": { "format": { "type": "json_schema", "name": "x", "schema": { "description": "not g@example.org" } } },
        "input": [
            "h@example.org",
            { "role": "user", "content": "i@example.org" },
            { "type": "message", "role": "developer", "content": [{ "type": "input_text", "text": "j@example.org" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "k@example.org" }, { "type": "refusal", "refusal": "l@example.org" }] },
            { "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"to\":\"m\\u0040example.org\"}" },
            { "type": "function_call_output", "call_id": "c1", "output": "{\"by\":[\"n\\u0040example.org\"]}" },
            { "type": "function_call_output", "call_id": "c1", "output": [{ "type": "input_text", "text": "o@example.org" }] },
            { "type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "p@example.org" },
            { "type": "custom_tool_call_output", "call_id": "c2", "output": "q@example.org" },
            { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "r@example.org" }], "content": [{ "type": "reasoning_text", "text": "s@example.org" }], "encrypted_content": "sealed@example.org" },
            { "type": "mcp_call", "id": "m1", "name": "h", "server_label": "x", "arguments": "{\"a\":\"t@example.org\"}", "output": "u@example.org" },
            { "type": "file_search_call", "id": "fs1", "queries": ["v@example.org"], "results": [{ "text": "w@example.org", "filename": "x@example.org.txt" }] },
            { "type": "message", "role": "user", "content": [{ "type": "input_file", "filename": "y@example.org", "file_url": "https://z@example.org/f" }] },
            { "type": "of_next_year", "odd": { "deep": ["0@example.org"] } }
        ],
        "of_next_year": "1@example.org"
    });
    let answer = house.http.post("/v1/responses", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = sent(&upstream).await;
    let left = sent.replace("sealed@example.org", "").replace("\\u0040", "@");
    assert!(!left.contains("@example.org"), "{left}");
    for kept in ["sealed@example.org", "\"call_id\":\"c1\"", "\"id\":\"pmpt_1\"", "\"name\":\"f\""] {
        assert!(sent.contains(kept), "{kept} is not in {sent}");
    }
}

#[tokio::test]
async fn each_place_is_the_one_that_a_policy_names() {
    let upstream = FakeUpstream::answering(&response(json!([])).to_string()).await;
    let body = json!({ "model": "m", "instructions": "a@example.org", "input": [
        { "role": "user", "content": "b@example.org" },
        { "role": "system", "content": [{ "type": "input_text", "text": "c@example.org" }] },
        { "type": "function_call_output", "call_id": "c1", "output": "d@example.org" }] });
    for (place, gone) in [("user", "b"), ("system", "ac"), ("tool_results", "d")] {
        let house = House::with(&guarded(&upstream, &format!("{{ find: [email], where: [{place}] }}"))).await;
        house.http.post("/v1/responses", &body).await;
        let sent = sent(&upstream).await;
        for letter in ["a", "b", "c", "d"] {
            assert_eq!(!sent.contains(&format!("{letter}@example.org")), gone.contains(letter), "{place}: {sent}");
        }
    }
}

#[tokio::test]
async fn prompts_and_inputs_are_gone_through_as_one_text_or_as_many() {
    let upstream = FakeUpstream::answering("{}").await;
    let house = House::with(&guarded(&upstream, "{ find: [email], where: [request] }")).await;
    for (path, body) in [
        ("/v1/completions", json!({ "model": "m", "prompt": MAIL, "suffix": MAIL })),
        ("/v1/completions", json!({ "model": "m", "prompt": ["x", MAIL], "user": MAIL, "stop": [MAIL] })),
        ("/v1/embeddings", json!({ "model": "m", "input": MAIL })),
        ("/v1/embeddings", json!({ "model": "m", "input": ["x", MAIL], "user": MAIL })),
        ("/v1/moderations", json!({ "model": "m", "input": [MAIL, "x"] })),
        ("/v1/moderations", json!({ "input": [{ "type": "text", "text": MAIL }] })),
        ("/v1/rerank", json!({ "model": "m", "query": MAIL, "documents": [MAIL, { "text": MAIL }] })),
        ("/v1/responses", json!({ "model": "m", "input": MAIL })),
    ] {
        let answer = house.http.post(path, &body).await;
        let sent = sent(&upstream).await;
        assert!(answer.status == 200 && !sent.contains(MAIL) && sent.contains("<EMAIL_1_"), "{path}: {sent}");
    }
}

#[tokio::test]
async fn a_request_in_which_nothing_is_found_leaves_as_it_came() {
    let upstream = FakeUpstream::answering("{}").await;
    let house = House::with(&guarded(&upstream, "{ find: [email] }")).await;
    let bodies = [
        ("/v1/completions", r#"{"prompt" : "h\u0065llo", "model":"m" , "odd":1.0}"#),
        ("/v1/responses", r#"{ "input":[ {"content":"hello","role":"user"} ],"model":"m"}"#),
        ("/v1/embeddings", r#"{"input":["a" ,"b"], "model":"m"}"#),
    ];
    for (path, body) in bodies {
        house.http.post_with(path, &[], body.to_owned()).await;
        assert_eq!(sent(&upstream).await, body);
    }
}

#[tokio::test]
async fn what_says_two_things_of_itself_is_refused_wherever_it_is_gone_through() {
    let upstream = FakeUpstream::answering("{}").await;
    let house = House::with(&guarded(&upstream, "{ find: [email] }")).await;
    for body in [
        r#"{"model":"m","input":"a","input":"b"}"#,
        r#"{"model":"m","input":[{"role":"assistant","content":"a","role":"user"}]}"#,
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","type":"input_text","text":"a"}]}]}"#,
    ] {
        let answer = house.http.post_with("/v1/responses", &[], body).await;
        assert!(answer.status == 400 && answer.text().contains("is there twice"), "{body}: {}", answer.text());
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn what_nobody_can_read_is_refused_or_passes_as_the_policy_says() {
    let unreadable = [
        ("/v1/embeddings", json!({ "model": "m", "input": [1, 2, 3] })),
        ("/v1/embeddings", json!({ "model": "m", "input": [[1, 2], [3]] })),
        ("/v1/completions", json!({ "model": "m", "prompt": [[1, 2], [3]] })),
        (
            "/v1/moderations",
            json!({ "input": [{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA" } }] }),
        ),
        (
            "/v1/responses",
            json!({ "model": "m", "input": [{ "role": "user", "content": [{ "type": "input_image", "image_url": "data:image/png;base64,AA" }] }] }),
        ),
        (
            "/v1/responses",
            json!({ "model": "m", "input": [{ "role": "user", "content": [{ "type": "input_file", "file_id": "file-1" }] }] }),
        ),
    ];
    for (settings, status) in [("refuse", 403), ("pass", 200)] {
        let upstream = FakeUpstream::answering("{}").await;
        let house = House::with(&guarded(
            &upstream,
            &format!("{{ find: [email], where: [request], unscannable: {settings} }}"),
        ))
        .await;
        for (path, body) in &unreadable {
            let answer = house.http.post(path, body).await;
            assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
            if status == 403 {
                assert_eq!(answer.json()["error"]["code"], "guard_unscannable");
            }
        }
        for path in ["/v1/files/f1/content", "/v1/threads", "/v1/images/edits"] {
            let headers = [("content-type", "multipart/form-data; boundary=x")];
            let answer = house.http.begin(http::Method::POST, path, &headers, "--x--".into()).await;
            assert_eq!(answer.status(), status, "{path}");
        }
        assert_eq!(upstream.count(), if status == 200 { unreadable.len() + 3 } else { 0 });
    }
}

#[tokio::test]
async fn of_what_is_drawn_or_said_aloud_the_text_is_gone_through() {
    let upstream = FakeUpstream::answering("{}").await;
    let house = House::with(&guarded(&upstream, "{ find: [email], where: [request], unscannable: refuse }")).await;
    for (path, body) in [
        ("/v1/images/generations", json!({ "model": "m", "prompt": MAIL })),
        ("/v1/audio/speech", json!({ "model": "m", "voice": "a", "input": MAIL, "instructions": MAIL })),
    ] {
        let answer = house.http.post(path, &body).await;
        let sent = sent(&upstream).await;
        assert!(answer.status == 200 && !sent.contains(MAIL) && sent.contains("<EMAIL_1_"), "{path}: {sent}");
    }
}

#[tokio::test]
async fn without_that_word_an_endpoint_that_nobody_can_read_is_not_the_policys() {
    let upstream = FakeUpstream::answering("{}").await;
    let house = House::with(&guarded(&upstream, "{ find: [email] }")).await;
    let answer = house.http.post("/v1/images/generations", &json!({ "model": "m", "prompt": "x" })).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("no_policy")));
}

#[tokio::test]
async fn whole_answers_are_gone_through() {
    let thought = json!({ "id": "rs_1", "type": "reasoning", "encrypted_content": "x", "summary": [{ "type": "summary_text", "text": format!("call {PHONE}") }] });
    let call = json!({ "id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": format!("{{\"to\":\"{PHONE}\",\"n\":1}}") });
    let output = json!([thought, message(&format!("ring {PHONE}, ok")), call]);
    let answers = [
        ("/v1/responses", response(output)),
        (
            "/v1/completions",
            json!({ "id": "cmpl-1", "choices": [{ "text": format!("ring {PHONE}, ok"), "index": 0, "finish_reason": "stop", "logprobs": { "tokens": [PHONE] } }] }),
        ),
    ];
    for (path, body) in answers {
        let upstream = FakeUpstream::answering(&body.to_string()).await;
        let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
        let answer = house.http.post(path, &json!({ "model": "m", "input": "x", "prompt": "x" })).await;
        assert!(
            answer.text().contains("ring +** ** **1820, ok") && !answer.text().contains("901820"),
            "{}",
            answer.text()
        );
        let json: Value = answer.json();
        let length: usize = answer.header("content-length").parse().unwrap();
        assert_eq!(length, answer.text().len());
        if path == "/v1/responses" {
            let arguments: Value = serde_json::from_str(json["output"][2]["arguments"].as_str().unwrap()).unwrap();
            assert_eq!(arguments, json!({ "to": "+** ** **1820", "n": 1 }));
            assert_eq!(json["usage"]["total_tokens"], 7);
        }
    }
}

#[tokio::test]
async fn what_nobody_knows_of_an_answer_is_gone_through_as_well() {
    let mut answer = response(json!([{ "type": "of_next_year", "odd": [{ "deep": PHONE }] }]));
    answer["instructions"] = json!(format!("ring {PHONE}"));
    answer["of_next_year"] = json!({ "by": [PHONE, { PHONE: 1 }] });
    let event = json!({ "type": "response.of_next_year", "item_id": "x", "said": PHONE, "response": answer });
    let odd = json!({ "type": "response.of_next_year.delta", "item_id": "x", "delta": { "said": PHONE } });
    let stream = events(&[event, odd]);
    for script in [whole(200, &answer.to_string()), streaming(&stream)] {
        let upstream = FakeUpstream::start(vec![script]).await;
        let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
        let answer = house.http.post("/v1/responses", &json!({ "model": "m", "input": "x" })).await;
        assert!(answer.status == 200 && !answer.text().contains("901820"), "{}", answer.text());
        assert!(answer.text().contains("ring +** ** **1820"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_refused_is_none() {
    let upstream = FakeUpstream::answering(&response(json!([message(&format!("ring {PHONE}"))])).to_string()).await;
    let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: refuse }")).await;
    let answer = house.http.post("/v1/responses", &json!({ "model": "m", "input": "x" })).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (403, Some("guard_refused")));
    assert!(!answer.text().contains("901820") && answer.text().contains("`phone`"), "{}", answer.text());
    let line = &house.access_lines(1).await[0];
    assert_eq!((line["outcome"].as_str(), line["code"].as_str()), (Some("refused"), Some("guard_refused")));
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_refused_unless_the_policy_lets_it_pass() {
    let script =
        || vec![Act::Write(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello".to_vec())];
    for (word, status) in [("refuse", 403), ("pass", 200)] {
        let upstream = FakeUpstream::start(vec![script()]).await;
        let house = House::with(&guarded(&upstream, &format!("{{ find: [phone], unscannable: {word} }}"))).await;
        let answer = house.http.post("/v1/completions", &json!({ "model": "m", "prompt": "x" })).await;
        assert_eq!((answer.status, answer.text() == "hello"), (status, status == 200), "{}", answer.text());
    }
}

#[tokio::test]
async fn values_come_back_whole_and_in_streams() {
    for (path, body, stream) in [
        (
            "/v1/responses",
            json!({ "model": "m", "input": format!("write to {MAIL}") }),
            responding as fn(&[&str]) -> Vec<u8>,
        ),
        ("/v1/completions", json!({ "model": "m", "prompt": format!("write to {MAIL}") }), completing),
    ] {
        let settings = "{ find: [email], where: [request], restore: true, session: session }";
        let session = [("x-session-id", "s1")];
        let first = FakeUpstream::answering("{}").await;
        let house = House::with(&guarded(&first, settings)).await;
        house.http.post_with(path, &session, body.to_string()).await;
        let sent = sent(&first).await;
        let at = sent.find("<EMAIL_1_").unwrap();
        let placeholder = sent[at..at + "<EMAIL_1_abcdef>".len()].to_owned();
        let cuts: Vec<_> = (0..=placeholder.len()).map(|at| placeholder.split_at(at)).collect();
        let mut scripts: Vec<_> = cuts.iter().map(|(a, b)| streaming(&stream(&["to ", a, b, "."]))).collect();
        scripts.push(whole(200, &response(json!([message(&placeholder)])).to_string()));
        let second = FakeUpstream::start(scripts).await;
        house.write("tidegate.yaml", &guarded(&second, settings));
        assert!(house.reloader.reload(&house.gateway));
        for cut in cuts {
            let answer = house.http.post_with(path, &session, body.to_string()).await;
            assert_eq!(pieces(&answer), format!("to {MAIL}."), "{cut:?}: {}", answer.text());
            assert!(!answer.text().contains("EMAIL_1"), "{cut:?}: {}", answer.text());
        }
        let answer = house.http.post_with(path, &session, body.to_string()).await;
        assert!(answer.text().contains(MAIL) && !answer.text().contains("EMAIL_1"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_says_what_it_would_say_in_one_piece() {
    for (path, bytes) in [
        ("/v1/completions", completing(&["Zoë: ring +49 ", "30 90", "1820", ", ok"])),
        ("/v1/responses", responding(&["Zoë: ring +49 ", "30 90", "1820", ", ok"])),
    ] {
        let places: Vec<usize> = (1..bytes.len()).step_by(if path == "/v1/completions" { 1 } else { 7 }).collect();
        let upstream = FakeUpstream::start(places.iter().map(|at| cut(&bytes, *at)).collect()).await;
        let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
        let mut first = None;
        for at in places {
            let answer =
                house.http.post(path, &json!({ "model": "m", "prompt": "x", "input": "x", "stream": true })).await;
            assert_eq!(pieces(&answer), "Zoë: ring +** ** **1820, ok", "cut at {at}: {}", answer.text());
            assert!(
                !answer.text().contains("901820") && answer.ending == Ending::Clean,
                "cut at {at}: {}",
                answer.text()
            );
            let first = first.get_or_insert_with(|| answer.text().to_owned());
            assert_eq!(*first, answer.text(), "cut at {at}");
        }
    }
}

#[tokio::test]
async fn what_was_held_back_leaves_before_its_text_ends_and_in_its_own_words() {
    let bytes = responding(&["ring ", "+49 30 9"]);
    let upstream = FakeUpstream::start(vec![streaming(&bytes)]).await;
    let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
    let answer = house.http.post("/v1/responses", &json!({ "model": "m", "input": "x", "stream": true })).await;
    assert_eq!(pieces(&answer), "ring +49 30 9");
    let done = answer.text().find("output_text.done").unwrap();
    assert!(answer.text().rfind("output_text.delta").unwrap() < done, "{}", answer.text());
}

/// The same stream, the data of each event on as many lines as it can have.
fn spread(bytes: &[u8]) -> String {
    let line = |line: &str| match line.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok()) {
        Some(data) => {
            let lines = serde_json::to_string_pretty::<Value>(&data).unwrap();
            lines.lines().map(|line| format!("data: {line}\n")).collect()
        }
        None => format!("{line}\n"),
    };
    std::str::from_utf8(bytes).unwrap().lines().map(line).collect()
}

/// The same stream, the data of each event on one line.
fn gathered(text: &str) -> String {
    let one = |event: &str| {
        let (data, rest): (Vec<_>, Vec<_>) = event.lines().partition(|line| line.starts_with("data: "));
        let data: String = data.into_iter().filter_map(|line| line.strip_prefix("data: ")).collect();
        let data = serde_json::from_str::<Value>(&data).map_or(data, |data| data.to_string());
        rest.into_iter().map(|line| format!("{line}\n")).collect::<String>() + &format!("data: {data}\n\n")
    };
    text.split_terminator("\n\n").map(one).collect()
}

#[tokio::test]
async fn data_on_several_lines_is_gone_through_as_on_one() {
    let words = ["ring +49 ", "30 901820", ", ok"];
    for (path, bytes) in [("/v1/completions", completing(&words)), ("/v1/responses", responding(&words))] {
        let (spread, request) = (spread(&bytes), json!({ "model": "m", "prompt": "x", "input": "x", "stream": true }));
        assert!(spread.contains("data: {\ndata: "), "{spread}");
        let scripts = [&bytes, spread.as_bytes(), spread.as_bytes()].map(streaming);
        let upstream = FakeUpstream::start(scripts.to_vec()).await;
        let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
        let (plain, other) = (house.http.post(path, &request).await, house.http.post(path, &request).await);
        assert!(plain.text().contains("+** ** **1820"), "{}", plain.text());
        assert_eq!(gathered(other.text()), gathered(plain.text()));
        house.write(
            "tidegate.yaml",
            &guarded(&upstream, "{ deny: [nightjar], find: [deny], where: [answer], action: mask }"),
        );
        assert!(house.reloader.reload(&house.gateway));
        assert_eq!(house.http.post(path, &request).await.text(), spread, "what nothing is found in keeps its bytes");
    }
}

#[tokio::test]
async fn signs_of_life_between_events_pass_and_break_nothing() {
    let text = String::from_utf8(completing(&["ring +49 ", "30 901820", ", ok"])).unwrap();
    let lively = text.replace("\n\n", "\r\n\r\n: alive\r\n\r\n");
    let upstream = FakeUpstream::start(vec![streaming(lively.as_bytes())]).await;
    let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
    let answer = house.http.post("/v1/completions", &json!({ "model": "m", "prompt": "x", "stream": true })).await;
    assert_eq!(pieces(&answer), "ring +** ** **1820, ok", "{}", answer.text());
    assert_eq!(answer.text().matches(": alive").count(), lively.matches(": alive").count());
}

#[tokio::test]
async fn texts_are_told_apart_whatever_the_order_of_members_and_end_each_for_itself() {
    let delta = |item: &str, delta: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"item_id\":\"{item}\",\"output_index\":0,\"delta\":\"{delta}\"}}\n\n"
        )
    };
    let done = |item: &str| {
        format!(
            "data: {{\"output_index\":0,\"item_id\":\"{item}\",\"text\":\"\",\"type\":\"response.output_text.done\"}}\n\n"
        )
    };
    let all =
        [delta("a", "x +49 30 9"), delta("b", "y +49 30 90"), done("a"), delta("b", "1820 z"), done("b")].concat();
    let upstream = FakeUpstream::start(vec![streaming(all.as_bytes())]).await;
    let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
    let answer = house.http.post("/v1/responses", &json!({ "model": "m", "input": "x", "stream": true })).await;
    let said = |item: &str| -> String {
        let events = answer.data().into_iter().map(|data| serde_json::from_str::<Value>(data).unwrap());
        events
            .filter(|event| event["item_id"] == item)
            .filter_map(|event| event["delta"].as_str().map(str::to_owned))
            .collect()
    };
    assert_eq!((said("a").as_str(), said("b").as_str()), ("x +49 30 9", "y +** ** **1820 z"), "{}", answer.text());
}

#[tokio::test]
async fn an_answer_without_a_body_passes() {
    let script = vec![Act::Write(b"HTTP/1.1 204 X\r\n\r\n".to_vec())];
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&guarded(&upstream, "{ find: [phone] }")).await;
    let answer = house.http.begin(http::Method::DELETE, "/v1/responses/resp_1", &[], Default::default()).await;
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn a_stream_in_which_nothing_is_found_passes_byte_for_byte() {
    for (path, bytes) in
        [("/v1/completions", completing(&["hel", "lo"])), ("/v1/responses", responding(&["hel", "lo"]))]
    {
        let upstream = FakeUpstream::start(vec![streaming(&bytes)]).await;
        let house = House::with(&guarded(&upstream, "{ find: [card] }")).await;
        let answer = house.http.post(path, &json!({ "model": "m", "prompt": "x", "input": "x", "stream": true })).await;
        assert_eq!(answer.text().as_bytes(), bytes);
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_ends_with_an_error_and_shows_nothing_of_it() {
    for (path, bytes) in [
        ("/v1/completions", completing(&["ring +49 ", "30 901820"])),
        ("/v1/responses", responding(&["ring +49 ", "30 901820"])),
    ] {
        let upstream = FakeUpstream::start(vec![streaming(&bytes)]).await;
        let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: refuse }")).await;
        let answer = house.http.post(path, &json!({ "model": "m", "prompt": "x", "input": "x", "stream": true })).await;
        let last: Value = serde_json::from_str(answer.data().last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "guard_refused", "{}", answer.text());
        assert!(last["error"]["message"].as_str().unwrap().contains("`phone`"));
        assert!(!answer.text().contains("+49") && !answer.text().contains("[DONE]"), "{}", answer.text());
        assert_eq!(house.access_lines(1).await[0]["code"], "guard_refused");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_cut_and_leaks_nothing_of_what_was_held_back() {
    let bytes = completing(&["ring +49", " 30 9018", "20, ok"]);
    let places: Vec<usize> = (1..bytes.len() - 14).step_by(5).collect();
    let scripts = places.iter().map(|at| vec![sse::head(), sse::bytes(&bytes[..*at]), Act::Close]).collect();
    let upstream = FakeUpstream::start(scripts).await;
    let house = House::with(&guarded(&upstream, "{ find: [phone], where: [answer], action: mask }")).await;
    for at in places {
        let answer = house.http.post("/v1/completions", &json!({ "model": "m", "prompt": "x", "stream": true })).await;
        assert!(
            !answer.text().contains("901820") && !answer.text().contains("[DONE]"),
            "cut at {at}: {}",
            answer.text()
        );
        assert_ne!(answer.ending, Ending::Clean, "cut at {at}");
    }
}

#[tokio::test]
async fn a_policy_that_observes_changes_no_byte_and_counts_what_it_would_have_changed() {
    let stream = responding(&[&format!("ring {PHONE}")]);
    let plain = response(json!([message(&format!("ring {PHONE}"))])).to_string();
    for (script, expected) in [(streaming(&stream), stream.clone()), (whole(200, &plain), plain.clone().into_bytes())] {
        let upstream = FakeUpstream::start(vec![script]).await;
        let yaml = guarded(&upstream, "{ find: [phone], where: [answer], action: refuse }");
        let house = House::with(&yaml.replace("    steps:", "    mode: observe\n    steps:")).await;
        let answer = house.http.post("/v1/responses", &json!({ "model": "m", "input": "x" })).await;
        assert_eq!((answer.status, answer.text().as_bytes()), (200, &*expected));
        house.access_lines(1).await;
        let metrics = house.admin.get("/metrics").await;
        let counted = r#"tidegate_guard_actions_total{guard="redact",action="report",kind="phone"}"#;
        assert!(metrics.text().contains(counted), "{}", metrics.text());
    }
}
