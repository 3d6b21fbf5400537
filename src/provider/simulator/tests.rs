use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::*;

const CHAT: &str = "/chat/completions";
const MESSAGES: &str = "/messages";

struct Reply {
    status: u16,
    headers: HeaderMap,
    text: String,
    /// Whether the body ended as a body should.
    ended: bool,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The data of the events of a stream.
    fn events(&self) -> Vec<Value> {
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// What a client of a stream puts together from one member of the events.
    fn joined(&self, pointer: &str) -> String {
        self.events().iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
    }
}

async fn send(simulator: &Simulator, path: &str, body: &Value) -> Result<Reply, TransportError> {
    let uri = format!("http://simulator.invalid/v1{path}");
    let request = Request::post(uri).body(Body::Full(body.to_string().into())).unwrap();
    let response = simulator.send(request, Hop::within(Duration::from_secs(1))).await?;
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let ended = loop {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8(bytes).unwrap(), ended })
}

async fn ask(path: &str, body: Value) -> Reply {
    send(&Simulator::default(), path, &body).await.unwrap()
}

fn chat(model: &str, extra: Value) -> Value {
    merged(json!({"model": model, "messages": [{"role": "user", "content": "Hi there"}]}), extra)
}

fn message(model: &str, extra: Value) -> Value {
    merged(chat(model, json!({"max_tokens": 1000})), extra)
}

fn merged(mut body: Value, extra: Value) -> Value {
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_chat_completion_has_the_documented_shape() {
    let reply = ask(CHAT, chat("gpt-4.1", json!({}))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/json");
    insta::assert_snapshot!(serde_json::to_string_pretty(&reply.json()).unwrap());
}

#[tokio::test]
async fn a_stream_of_chunks_has_the_documented_shape() {
    let extra = json!({"stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 2});
    let reply = ask(CHAT, chat("gpt-4.1", extra)).await;
    assert_eq!(reply.headers["content-type"], "text/event-stream; charset=utf-8");
    insta::assert_snapshot!(reply.text);
}

#[tokio::test]
async fn a_stream_says_what_the_whole_answer_says() {
    let whole = ask(CHAT, chat("m", json!({}))).await.json();
    let streamed = ask(CHAT, chat("m", json!({"stream": true}))).await;
    assert_eq!(whole.pointer("/choices/0/message/content").unwrap(), &streamed.joined("/choices/0/delta/content"));
    assert!(!streamed.text.contains("usage") && streamed.text.ends_with("data: [DONE]\n\n"));
    let whole = ask(MESSAGES, message("m", json!({}))).await.json();
    let streamed = ask(MESSAGES, message("m", json!({"stream": true}))).await;
    assert_eq!(whole.pointer("/content/0/text").unwrap(), &streamed.joined("/delta/text"));
}

#[tokio::test]
async fn a_message_has_the_documented_shape() {
    let reply = ask(MESSAGES, message("claude", json!({"thinking": {"type": "adaptive"}, "max_tokens": 20}))).await;
    assert_eq!(reply.headers["request-id"], "req_sim000000000000000000000");
    insta::assert_snapshot!(serde_json::to_string_pretty(&reply.json()).unwrap());
}

#[tokio::test]
async fn a_stream_of_message_events_has_the_documented_shape() {
    let extra = json!({"stream": true, "tools": [{"name": "book", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"}, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000,
        "messages": [{"role": "user", "content": "x"}]});
    insta::assert_snapshot!(ask(MESSAGES, message("claude", extra)).await.text);
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_is_quoted() {
    let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
    let tools = json!([{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]);
    let question = json!({"role": "user", "content": "call get_weather"});
    let first = ask(CHAT, json!({"model": "m", "tools": tools, "messages": [question]})).await.json();
    let said = first.pointer("/choices/0/message").unwrap();
    assert_eq!(first.pointer("/choices/0/finish_reason").unwrap(), "tool_calls");
    assert_eq!(said.pointer("/tool_calls/0/function/arguments").unwrap(), r#"{"city":"sim"}"#);
    let id = said.pointer("/tool_calls/0/id").unwrap();
    let result = json!({"role": "tool", "tool_call_id": id, "content": "12 degrees"});
    let second = ask(CHAT, json!({"model": "m", "tools": tools, "messages": [question, said, result]})).await.json();
    assert_eq!(second.pointer("/choices/0/message/content").unwrap(), "The tool says: 12 degrees");
    assert_eq!(second.pointer("/choices/0/finish_reason").unwrap(), "stop");
}

#[tokio::test]
async fn streamed_arguments_of_several_calls_keep_their_index() {
    let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": schema}});
    let messages = json!([{"role": "user", "content": "use one and two"}]);
    let body = json!({"model": "m", "stream": true, "tools": [tool("one"), tool("two")], "messages": messages});
    let reply = ask(CHAT, body).await;
    let mut arguments = [String::new(), String::new()];
    let mut ids = Vec::new();
    for event in reply.events() {
        let Some(call) = event.pointer("/choices/0/delta/tool_calls/0") else { continue };
        let index = call["index"].as_u64().unwrap() as usize;
        arguments[index].push_str(call.pointer("/function/arguments").unwrap().as_str().unwrap());
        ids.extend(call.get("id").cloned());
    }
    assert_eq!(arguments, [r#"{"city":"sim"}"#; 2]);
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_tool_of_a_message_is_called_and_its_result_is_quoted() {
    let tools = json!([{"name": "book", "input_schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}]);
    let question = json!({"role": "user", "content": [{"type": "text", "text": "book it"}]});
    let first = ask(MESSAGES, message("m", json!({"tools": tools, "messages": [question]}))).await.json();
    assert_eq!((&first["stop_reason"], &first["content"][0]["input"]), (&json!("tool_use"), &json!({"n": 1})));
    let said = json!({"role": "assistant", "content": first["content"]});
    let result = json!({"type": "tool_result", "tool_use_id": first["content"][0]["id"], "content": [{"type": "text", "text": "done"}]});
    let last = json!({"role": "user", "content": [result]});
    let second = ask(MESSAGES, message("m", json!({"tools": tools, "messages": [question, said, last]}))).await.json();
    assert_eq!(second["content"][0]["text"], "The tool says: done");
}

#[tokio::test]
async fn an_answer_in_json_fits_its_schema_in_both_dialects() {
    let schema = json!({"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema}});
    let reply = ask(CHAT, chat("m", json!({"response_format": format}))).await.json();
    assert_eq!(reply.pointer("/choices/0/message/content").unwrap(), r#"{"ok":true}"#);
    let format = json!({"format": {"type": "json_schema", "schema": schema}});
    let reply = ask(MESSAGES, message("m", json!({"output_config": format}))).await.json();
    assert_eq!(reply["content"][0]["text"], r#"{"ok":true}"#);
}

#[tokio::test]
async fn the_reason_for_the_end_is_the_right_one() {
    let finish = async |extra: Value| ask(CHAT, chat("m", extra)).await.json()["choices"][0]["finish_reason"].clone();
    assert_eq!(finish(json!({"max_tokens": 1})).await, "length");
    assert_eq!(finish(json!({"stop": "simulator"})).await, "stop");
    let reply = ask(MESSAGES, message("m", json!({"stop_sequences": ["simulator"]}))).await.json();
    assert_eq!((&reply["stop_reason"], &reply["stop_sequence"]), (&json!("stop_sequence"), &json!("simulator")));
    let reply = ask(MESSAGES, message("m", json!({"max_tokens": 1}))).await.json();
    assert_eq!((&reply["stop_reason"], &reply["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(1)));
}

#[tokio::test]
async fn images_are_seen_and_counted() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let content = json!([{"type": "text", "text": "Hi there"}, image]);
    let reply = ask(CHAT, chat("m", json!({"messages": [{"role": "user", "content": content}]}))).await.json();
    assert!(reply.pointer("/choices/0/message/content").unwrap().as_str().unwrap().contains("I can see an image"));
    assert_eq!(reply.pointer("/usage/prompt_tokens").unwrap(), 4 + 2 + 85);
}

#[tokio::test]
async fn several_answers_are_several_choices() {
    let reply = ask(CHAT, chat("m", json!({"n": 2}))).await.json();
    assert_eq!(reply["choices"].as_array().unwrap().len(), 2);
    assert_eq!(reply["choices"][1]["index"], 1);
}

#[tokio::test]
async fn tokens_are_counted_before_they_are_spent() {
    let counted = ask("/messages/count_tokens", chat("m", json!({"system": "be kind"}))).await.json();
    let spent = ask(MESSAGES, message("m", json!({"system": "be kind"}))).await.json();
    assert_eq!(counted, json!({"input_tokens": 8}));
    assert_eq!(spent["usage"]["input_tokens"], 8);
}

#[tokio::test]
async fn the_models_are_listed_in_the_shape_that_is_asked_for() {
    let get = |version: Option<&str>| {
        let mut request = Request::get("http://simulator.invalid/v1/models");
        if let Some(version) = version {
            request = request.header("anthropic-version", version);
        }
        request.body(Body::Empty).unwrap()
    };
    let simulator = Simulator::default();
    let list = async |version| {
        let response = simulator.send(get(version), Hop::within(Duration::ZERO)).await.unwrap();
        let body: Bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    assert_eq!(list(None).await["data"][0]["object"], "model");
    assert_eq!(list(Some("2023-06-01")).await["data"][0]["type"], "model");
}

#[tokio::test]
async fn malformed_requests_are_refused_naming_the_field() {
    let param = async |body: Value| {
        let reply = ask(CHAT, body).await;
        assert_eq!(reply.status, 400);
        reply.json()["error"]["param"].as_str().unwrap().to_owned()
    };
    assert_eq!(param(json!({"messages": [{"role": "user", "content": "x"}]})).await, "model");
    assert_eq!(param(json!({"model": "m"})).await, "messages");
    assert_eq!(param(json!({"model": "m", "messages": []})).await, "messages");
    assert_eq!(param(chat("m", json!({"messages": [{"role": "boss", "content": "x"}]}))).await, "messages[0].role");
    assert_eq!(param(chat("m", json!({"messages": [{"role": "user"}]}))).await, "messages[0].content");
    assert_eq!(param(chat("m", json!({"max_tokens": 0}))).await, "max_tokens");
    let orphan = json!([{"role": "tool", "tool_call_id": "call_1", "content": "x"}]);
    assert_eq!(param(chat("m", json!({"messages": orphan}))).await, "messages[0].role");
    assert_eq!(param(chat("m", json!({"tool_choice": "required"}))).await, "tool_choice");
}

#[tokio::test]
async fn malformed_messages_are_refused_in_their_own_shape() {
    let refused = async |body: Value| {
        let reply = ask(MESSAGES, body).await;
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (400, &json!("invalid_request_error")));
        reply.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(chat("m", json!({}))).await, "max_tokens: field required");
    let result = json!([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]}]);
    assert!(refused(message("m", json!({"messages": result}))).await.contains("`toolu_1`"));
    let thinking = json!({"type": "enabled", "budget_tokens": 1000});
    assert!(refused(message("m", json!({"thinking": thinking}))).await.starts_with("thinking."));
}

#[tokio::test]
async fn what_is_not_json_or_not_there_is_refused() {
    let simulator = Simulator::default();
    let post = |path: &str, body: &'static str| {
        Request::post(format!("http://h/v1{path}")).body(Body::Full(body.into())).unwrap()
    };
    let status = async |request| simulator.send(request, Hop::within(Duration::ZERO)).await.unwrap().status().as_u16();
    assert_eq!(status(post(CHAT, "{")).await, 400);
    assert_eq!(status(post("/audio/speech", "{}")).await, 404);
    assert_eq!(status(Request::get("http://h/v1/messages").body(Body::Empty).unwrap()).await, 405);
}

#[tokio::test]
async fn an_error_status_is_told_in_the_dialect() {
    let reply = ask(CHAT, chat("sim-429", json!({}))).await;
    assert_eq!((reply.status, &reply.headers["retry-after"]), (429, &HeaderValue::from_static("1")));
    assert_eq!(reply.json()["error"]["code"], "rate_limit_exceeded");
    let reply = ask(MESSAGES, message("sim-529", json!({}))).await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (529, &json!("overloaded_error")));
    assert_eq!(ask(CHAT, chat("sim-401", json!({}))).await.json()["error"]["code"], "invalid_api_key");
    assert_eq!(ask(CHAT, chat("sim-context", json!({}))).await.json()["error"]["code"], "context_length_exceeded");
    assert_eq!(ask(CHAT, chat("sim-filter", json!({}))).await.json()["error"]["code"], "content_filter");
    let reply = ask(MESSAGES, message("sim-context", json!({}))).await;
    assert!(reply.json()["error"]["message"].as_str().unwrap().starts_with("prompt is too long"));
}

#[tokio::test]
async fn a_cut_stream_has_no_end_and_a_clean_cut_no_terminator() {
    let stream = json!({"stream": true});
    let cut = ask(CHAT, chat("sim-cut", stream.clone())).await;
    assert!(!cut.ended && !cut.events().is_empty() && !cut.text.contains("[DONE]"));
    let clean = ask(CHAT, chat("sim-cut-clean", stream.clone())).await;
    assert!(clean.ended && !clean.events().is_empty() && !clean.text.contains("[DONE]"));
    let early = ask(CHAT, chat("sim-cut-early", stream.clone())).await;
    assert_eq!((early.status, early.ended, early.text.as_str()), (200, true, ""));
    let whole = ask(CHAT, chat("sim-cut", json!({}))).await;
    assert!(!whole.ended && !whole.text.is_empty());
    let garbled = ask(CHAT, chat("sim-garbled", json!({}))).await;
    assert!(garbled.ended && serde_json::from_str::<Value>(&garbled.text).is_err());
}

#[tokio::test]
async fn an_error_in_a_stream_is_its_last_event() {
    let stream = json!({"stream": true});
    let reply = ask(CHAT, chat("sim-error-in-stream", stream.clone())).await;
    assert!(reply.events().last().unwrap()["error"].is_object() && !reply.text.contains("[DONE]"));
    let reply = ask(MESSAGES, message("sim-error-in-stream", stream)).await;
    assert!(reply.text.contains("event: error\n") && !reply.text.contains("message_stop"));
}

#[tokio::test]
async fn an_unreachable_provider_and_a_flaky_one_are_what_they_say() {
    let simulator = Simulator::default();
    let error = send(&simulator, CHAT, &chat("sim-unreachable", json!({}))).await.err().unwrap();
    assert!(matches!(error, TransportError::Connect(_)));
    let simulator = Simulator::default();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(send(&simulator, CHAT, &chat("sim-flaky", json!({}))).await.unwrap().status);
    }
    assert_eq!(statuses, [503, 200, 503, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_answer_has_headers_and_nothing_more_and_a_silent_one_not_even_those() {
    let simulator = Simulator::default();
    let wait = Duration::from_secs(3600);
    let body = chat("sim-stall", json!({"stream": true}));
    assert!(tokio::time::timeout(wait, send(&simulator, CHAT, &body)).await.is_err());
    let request = |model: &str| {
        let body = chat(model, json!({"stream": true})).to_string();
        Request::post("http://h/v1/chat/completions").body(Body::Full(body.into())).unwrap()
    };
    assert_eq!(simulator.send(request("sim-stall"), Hop::within(wait)).await.unwrap().status(), 200);
    assert!(tokio::time::timeout(wait, simulator.send(request("sim-silent"), Hop::within(wait))).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn time_passes_as_the_script_says() {
    let script = Script { latency: Duration::from_secs(2), token_delay: Duration::from_secs(1), ..Script::default() };
    let simulator = Simulator::new(script);
    for streamed in [false, true] {
        let began = Instant::now();
        send(&simulator, CHAT, &chat("m", json!({"stream": streamed, "max_tokens": 3}))).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 5);
    }
    let began = Instant::now();
    send(&Simulator::default(), CHAT, &chat("sim-slow", json!({}))).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn the_same_request_to_a_fresh_simulator_gets_the_same_bytes() {
    let body = chat("m", json!({"stream": true}));
    assert_eq!(ask(CHAT, body.clone()).await.text, ask(CHAT, body).await.text);
}
