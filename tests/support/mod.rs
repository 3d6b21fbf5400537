//! A small vocabulary for behaviour tests: a [`House`] is a running gateway, a [`FakeUpstream`] a provider
//! scripted to the byte. Both use real sockets.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

pub mod browser;
mod client;
pub mod collector;
pub mod grpc;
mod house;
pub mod prometheus;
pub mod redis;
pub mod running;
pub mod tiny;
mod upstream;
pub mod wasm;

pub use client::{Answered, Ending, Http};
pub use house::House;
pub use upstream::{Act, FakeUpstream, Script, sse, whole, whole_with};

/// A minimal chat request in OpenAI's dialect.
pub fn chat(model: &str) -> serde_json::Value {
    serde_json::json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] })
}

/// The same, streamed.
pub fn streamed(model: &str) -> serde_json::Value {
    serde_json::json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": "hello" }] })
}

/// A minimal request in Anthropic's dialect.
pub fn messages(model: &str) -> serde_json::Value {
    serde_json::json!({ "model": model, "max_tokens": 100, "messages": [{ "role": "user", "content": "hello" }] })
}

/// A whole OpenAI answer that says `text`.
pub fn completion(text: &str) -> String {
    serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12 }
    })
    .to_string()
}

/// The data of one chunk of an OpenAI stream.
pub fn chunk(delta: serde_json::Value, finish: Option<&str>) -> String {
    serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }]
    })
    .to_string()
}

/// The frames of a complete OpenAI stream that says `words` one by one.
pub fn stream_of(words: &[&str]) -> Vec<String> {
    let mut frames = vec![chunk(serde_json::json!({ "role": "assistant", "content": "" }), None)];
    frames.extend(words.iter().map(|word| chunk(serde_json::json!({ "content": word }), None)));
    frames.push(chunk(serde_json::json!({}), Some("stop")));
    frames.push("[DONE]".into());
    frames
}
