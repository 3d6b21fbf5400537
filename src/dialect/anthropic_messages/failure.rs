//! Errors: what Anthropic's say, and ours in its words.

use bytes::Bytes;
use bytestring::ByteString;

use super::ID;
use crate::base::json::{Kind, Reader, Result, Writer};
use crate::base::stop::{Failure, FaultClass, Reply, Stop};

/// The longest text that is quoted of a reply that is no error report.
const LONGEST_QUOTE: usize = 200;

/// Reads an error report that came with `status`.
pub(super) fn read(status: u16, body: &Bytes) -> Failure {
    let mut report = Report::default();
    let is_report = ByteString::try_from(body.clone()).is_ok_and(|body| report.read(&body).is_ok());
    if !is_report {
        report = Report { message: Some(quote(body)), ..Report::default() };
    }
    let message = report.message.unwrap_or_default();
    let class = class(status, report.kind.as_deref().unwrap_or_default(), &message);
    // Only what a caller's own client can read is passed on as it is.
    let wire = (report.is_error && report.kind.is_some()).then(|| (ID, body.clone()));
    Failure { class, reply: Reply { status, message, kind: report.kind, code: report.code, param: None, wire } }
}

/// Reads an error that came inside a stream, whose status was 200.
pub(super) fn read_event(data: &ByteString) -> Failure {
    let mut report = Report::default();
    let _ = report.read(data);
    read(status_of(report.kind.as_deref().unwrap_or_default()), data.as_bytes())
}

#[derive(Default)]
struct Report {
    is_error: bool,
    kind: Option<String>,
    message: Option<String>,
    code: Option<String>,
}

impl Report {
    /// # Errors
    /// When the body is not a JSON object.
    fn read(&mut self, body: &ByteString) -> Result<()> {
        let mut reader = Reader::new(body);
        reader.object(|reader, key| {
            match (key, reader.peek()?) {
                ("type", Kind::String) => self.is_error = reader.text()? == "error",
                ("error", Kind::Object) => reader.object(|reader, key| self.detail(key, reader))?,
                // What proxies in front of Anthropic write.
                ("error" | "message" | "detail", Kind::String) => self.message = Some(reader.string()?),
                _ => {}
            }
            Ok(())
        })?;
        reader.end()
    }

    fn detail(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        match (key, reader.peek()?) {
            ("type", Kind::String) => self.kind = Some(reader.string()?),
            ("message", Kind::String) => self.message = Some(reader.string()?),
            ("code", Kind::String) => self.code = Some(reader.string()?),
            _ => {}
        }
        Ok(())
    }
}

/// The first line of a reply in plain text.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.starts_with('<') {
        return "the reply is a page, not an error report".to_owned();
    }
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(LONGEST_QUOTE).collect()
}

/// The class of an error. Messages come first: Anthropic reports quite different things as
/// `invalid_request_error`.
fn class(status: u16, kind: &str, message: &str) -> FaultClass {
    let message = message.to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|words| message.contains(words));
    if kind == "request_too_large" || status == 413 {
        return FaultClass::ContextTooLong;
    }
    if matches!(kind, "invalid_request_error" | "") && (400..500).contains(&status) {
        if says(&[
            "prompt is too long",
            "exceed context limit",
            "exceeds the context window",
            "context_length_exceeded",
        ]) {
            return FaultClass::ContextTooLong;
        }
        // An account without money is like one over its rate: another target may well answer.
        if says(&["credit balance is too low"]) {
            return FaultClass::RateLimited;
        }
    }
    if says(&["content filtering policy", "blocked by content filter"]) {
        return FaultClass::ContentFiltered;
    }
    match kind {
        "authentication_error" | "permission_error" => FaultClass::Credential,
        "rate_limit_error" | "overloaded_error" | "billing_error" => FaultClass::RateLimited,
        "api_error" | "timeout_error" => FaultClass::ServerError,
        "invalid_request_error" | "not_found_error" => FaultClass::Rejected,
        _ => class_of_status(status),
    }
}

fn class_of_status(status: u16) -> FaultClass {
    match status {
        401 | 403 => FaultClass::Credential,
        402 | 429 | 529 => FaultClass::RateLimited,
        408 => FaultClass::ServerError,
        400..=499 => FaultClass::Rejected,
        _ => FaultClass::ServerError,
    }
}

/// The status an error of this type has where it is not told.
fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// Writes an error: the upstream's own report if it is one of Anthropic's. Ours has a `code` besides. What
/// an upstream says of the gateway's own credential is not for the caller.
pub(super) fn write(stop: &Stop, request_id: &str) -> Vec<u8> {
    if let Stop::Failed(failed) = stop
        && failed.fault.class() != FaultClass::Credential
        && let Some((ID, body)) = failed.fault.reply().and_then(|reply| reply.wire.as_ref())
    {
        return body.to_vec();
    }
    let mut writer = Writer::new();
    writer.object(|writer| {
        writer.key("type").str("error");
        writer.key("error").object(|writer| {
            writer.key("type").str(kind_of(stop.status()));
            writer.key("message").str(&stop.message());
            writer.key("code").str(stop.code());
        });
        writer.key("request_id").str(request_id);
    });
    writer.into_bytes()
}
