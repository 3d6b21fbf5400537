//! Errors, read and written.
//!
//! Vendors agree on the status and hardly on anything else, so a failure is judged by its status, its codes
//! and the phrases they are known to use. An empty account (402, `insufficient_quota`) counts as a rate
//! limit: the same target will not do, but another may.

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;

use crate::base::ids::DialectId;
use crate::base::json::{Json, Kind, Reader, Writer};
use crate::base::stop::{Failure, Fault, FaultClass, Reply, Stop};
use crate::dialect::openai_chat::ID;

/// How much of a message is kept, in characters.
const LONGEST_MESSAGE: usize = 2_000;
/// How much of a body that is not JSON is shown.
const LONGEST_EXCERPT: usize = 200;

/// Reads the body of an answer with an error status.
pub fn read(status: u16, body: &Bytes) -> Failure {
    let document = serde_json::from_slice::<Value>(body).ok();
    let mut reply = document.as_ref().map(reply).unwrap_or_default();
    if document.is_none() {
        reply.message = excerpt(&String::from_utf8_lossy(body));
    }
    reply.status = status;
    reply.wire = Some((ID, body.clone()));
    let inner = document.as_ref().map(inner_words).unwrap_or_default();
    Failure { class: class(&reply, &inner), reply }
}

/// Reads an error that came inside a stream. Some say the status it would have had.
pub fn read_in_stream(data: &ByteString) -> Failure {
    let mut failure = read(500, data.as_bytes());
    let status = failure.reply.code.as_ref().and_then(|code| code.parse().ok());
    if let Some(status @ 400..600) = status {
        failure = read(status, data.as_bytes());
    }
    failure
}

/// The message in an error.
pub fn message_of(error: &Json) -> String {
    let document = serde_json::from_str::<Value>(&error.0).unwrap_or_default();
    reply(&serde_json::json!({ "error": document })).message
}

/// Finds what an error says, in any of the shapes vendors give it.
fn reply(document: &Value) -> Reply {
    // Google's list of one.
    let document = document.as_array().and_then(|list| list.first()).unwrap_or(document);
    let error = document.get("error").filter(|error| !error.is_null()).unwrap_or(document);
    let word = |key: &str| match error.get(key)? {
        Value::String(word) if !word.is_empty() => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let message = match error {
        Value::String(message) => Some(message.clone()),
        _ => ["message", "detail", "error_message", "msg"].into_iter().find_map(word),
    };
    // FastAPI's list of what is wrong.
    let details = || error.get("detail")?.as_array()?.first()?.get("msg")?.as_str().map(str::to_owned);
    let message = message.or_else(details).unwrap_or_default();
    Reply {
        message: message.chars().take(LONGEST_MESSAGE).collect(),
        kind: word("type"),
        code: word("code"),
        param: word("param"),
        ..Reply::default()
    }
}

/// What lies deeper: Azure's inner error, OpenRouter's metadata and the provider's own answer in it.
fn inner_words(document: &Value) -> String {
    let of = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default();
    ["/error/innererror/code", "/error/metadata/error_type", "/error/metadata/raw"].map(of).join(" ")
}

/// The words of a body that is not JSON: an error page, most likely.
fn excerpt(body: &str) -> String {
    let mut words = String::new();
    let mut in_tag = false;
    for c in body.chars().take(20_000) {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                words.push(' ');
            }
            _ if in_tag => {}
            c if c.is_control() => words.push(' '),
            c => words.push(c),
        }
    }
    let words: Vec<&str> = words.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_EXCERPT).collect()
}

fn class(reply: &Reply, inner: &str) -> FaultClass {
    let codes = [reply.code.as_deref(), reply.kind.as_deref(), Some(inner)].map(Option::unwrap_or_default).join(" ");
    let (codes, message) = (codes.to_lowercase(), format!("{} {inner}", reply.message).to_lowercase());
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    let is = |words: &[&str]| words.iter().any(|word| codes.contains(word));
    match reply.status {
        402 | 429 | 529 => return FaultClass::RateLimited,
        400..500 if is(&LIMIT_CODES) => return FaultClass::RateLimited,
        401 => return FaultClass::Credential,
        _ => {}
    }
    if is(&LENGTH_CODES) || says(&LENGTH_PHRASES) {
        return FaultClass::ContextTooLong;
    }
    if is(&FILTER_CODES) || says(&FILTER_PHRASES) {
        return FaultClass::ContentFiltered;
    }
    match reply.status {
        403 => FaultClass::Credential,
        400..500 if is(&CREDENTIAL_CODES) || says(&CREDENTIAL_PHRASES) => FaultClass::Credential,
        408 => FaultClass::ServerError,
        400..500 => FaultClass::Rejected,
        _ => FaultClass::ServerError,
    }
}

const LIMIT_CODES: [&str; 3] = ["rate_limit", "insufficient_quota", "ratelimitreached"];
const LENGTH_CODES: [&str; 4] =
    ["context_length_exceeded", "too_many_prompt_tokens", "string_above_max_length", "exceed_context_size"];
const LENGTH_PHRASES: [&str; 18] = [
    "maximum context length",
    "max context length",
    "maximum prompt length",
    "context length exceeded",
    "exceeds the context",
    "exceed context",
    "context window",
    "prompt is too long",
    "prompt too long",
    "too many tokens",
    "input is too long",
    "reduce the length",
    // Gemini, vLLM, SGLang, TGI, Together, LM Studio.
    "exceeds the maximum number of tokens",
    "maximum model length",
    "model's context length",
    "`max_new_tokens` must be",
    "`inputs` must have less than",
    "context length of only",
];
const FILTER_CODES: [&str; 4] =
    ["content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation"];
const FILTER_PHRASES: [&str; 4] =
    ["content management policy", "content exists risk", "safety system", "input was flagged"];
const CREDENTIAL_CODES: [&str; 2] = ["invalid_api_key", "authentication_error"];
const CREDENTIAL_PHRASES: [&str; 3] = ["incorrect api key", "invalid api key", "api key not valid"];

/// The body of an answer that is an error. An upstream's own words of this dialect are passed on, unless
/// they speak of the gateway's credential.
pub fn write(stop: &Stop, request_id: &str) -> Vec<u8> {
    if let Some(body) = own_words(stop) {
        return body.to_vec();
    }
    let (kind, code, param) = match stop {
        Stop::Refused(refusal) => (kind_for(refusal.status), Some(refusal.code.as_ref()), refusal.param.as_deref()),
        Stop::Failed(failed) => {
            let param = failed.fault.reply().and_then(|reply| reply.param.as_deref());
            (kind_for(stop.status()), Some(failed.fault.code()), param)
        }
    };
    let mut writer = Writer::new();
    writer.object(|writer| {
        writer.key("error").object(|writer| {
            writer.key("message").str(&stop.message());
            writer.key("type").str(kind);
            for (key, value) in [("param", param), ("code", code)] {
                match value {
                    Some(value) => writer.key(key).str(value),
                    None => writer.key(key).null(),
                }
            }
        });
        writer.key("request_id").str(request_id);
    });
    writer.into_bytes()
}

fn own_words(stop: &Stop) -> Option<&Bytes> {
    let Stop::Failed(failed) = stop else { return None };
    if matches!(failed.fault, Fault::Credential { .. }) {
        return None;
    }
    let wire: &(DialectId, Bytes) = failed.fault.reply()?.wire.as_ref()?;
    (wire.0 == ID && is_error(&wire.1)).then_some(&wire.1)
}

/// Whether a client of this dialect would see an error in the body.
fn is_error(body: &Bytes) -> bool {
    let Ok(body) = ByteString::try_from(body.clone()) else { return false };
    let mut reader = Reader::new(&body);
    let mut has_error = false;
    let read = reader.object(|reader, key| {
        has_error |= key == "error" && reader.peek()? != Kind::Null;
        Ok(())
    });
    read.is_ok() && has_error && reader.end().is_ok()
}

fn kind_for(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        500 => "server_error",
        _ => "api_error",
    }
}
