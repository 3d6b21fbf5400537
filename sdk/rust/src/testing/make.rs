//! Requests, answers and streams to try a hook with.

use crate::{ChatRequest, ChatResponse, Choice, Context, Delta, Message, Part, Piece, Role};

/// A request with one message of the user. Its fields can be changed.
pub fn ask(text: impl Into<String>) -> ChatRequest {
    ChatRequest {
        model: "chat".into(),
        messages: vec![Message::text(Role::User, text)],
        tools: Vec::new(),
        params_json: "{}".into(),
        streaming: false,
    }
}

/// An answer of one text. Its fields can be changed.
pub fn answer(text: impl Into<String>) -> ChatResponse {
    let choice = Choice { index: 0, parts: vec![Part::Text(text.into())], finish_reason: Some("stop".into()) };
    ChatResponse {
        model: "chat-2026".into(),
        provider: Some("house".into()),
        choices: vec![choice],
        usage: None,
        streaming: false,
    }
}

/// A caller nobody knows anything about. Its fields can be changed.
pub fn context() -> Context {
    Context {
        request_id: "req_test".into(),
        policy: "default".into(),
        dialect: "openai_chat".into(),
        key: None,
        team: None,
        user: None,
        caller_tags: Vec::new(),
        claims_json: None,
        headers: Vec::new(),
        tags: Vec::new(),
        deadline_ms: 1_000,
    }
}

/// Pieces of one text, and its end.
pub fn deltas(pieces: &[&str]) -> Vec<Delta> {
    let pieces = pieces.iter().map(|text| Piece::Text((*text).to_owned())).chain([Piece::End]);
    pieces.map(|piece| Delta { choice: 0, part: 0, piece }).collect()
}
