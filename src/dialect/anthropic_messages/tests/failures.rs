//! Errors, read and written.

use super::*;
use crate::base::ids::TargetName;
use crate::base::stop::{Failed, FaultClass, Refusal, Stop};

fn report(kind: &str, message: &str) -> Bytes {
    Bytes::from(format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_9"}}"#))
}

fn class(status: u16, kind: &str, message: &str) -> FaultClass {
    DIALECT.read_failure(status, &report(kind, message)).class
}

#[test]
fn every_error_has_its_class() {
    use FaultClass::{ContentFiltered, ContextTooLong, Credential, RateLimited, Rejected, ServerError};
    assert_eq!(class(401, "authentication_error", "invalid x-api-key"), Credential);
    assert_eq!(class(403, "permission_error", "no"), Credential);
    assert_eq!(class(429, "rate_limit_error", "slow down"), RateLimited);
    assert_eq!(class(529, "overloaded_error", "Overloaded"), RateLimited);
    assert_eq!(class(500, "api_error", "Internal"), ServerError);
    assert_eq!(class(504, "timeout_error", "late"), ServerError);
    assert_eq!(class(413, "request_too_large", "big"), ContextTooLong);
    assert_eq!(
        class(400, "invalid_request_error", "prompt is too long: 3333404 tokens > 200000 maximum"),
        ContextTooLong
    );
    assert_eq!(
        class(400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
        ContextTooLong
    );
    assert_eq!(class(400, "invalid_request_error", "Output blocked by content filtering policy"), ContentFiltered);
    assert_eq!(class(400, "invalid_request_error", "Your credit balance is too low to access"), RateLimited);
    assert_eq!(class(402, "billing_error", "pay"), RateLimited);
    assert_eq!(class(400, "invalid_request_error", "messages: required"), Rejected);
    assert_eq!(class(404, "not_found_error", "model: x"), Rejected);
    assert_eq!(class(418, "future_error", "x"), Rejected);
    assert_eq!(class(599, "future_error", "x"), ServerError);
}

#[test]
fn a_reply_that_is_no_report_gives_a_short_message() {
    let html = DIALECT.read_failure(502, &Bytes::from_static(b" <html><body>Bad gateway</body></html>"));
    assert_eq!(
        (html.class, html.reply.message.as_str()),
        (FaultClass::ServerError, "the reply is a page, not an error report")
    );
    assert!(html.reply.wire.is_none());
    let text = DIALECT.read_failure(429, &Bytes::from("too\u{7} many\nrequests".to_owned() + &"x".repeat(999)));
    assert_eq!((text.class, text.reply.message.as_str()), (FaultClass::RateLimited, "too many"));
    let bytes = DIALECT.read_failure(500, &Bytes::from_static(b"\xff\xfe"));
    assert_eq!(bytes.class, FaultClass::ServerError);
    let other = DIALECT.read_failure(404, &Bytes::from_static(br#"{"error":"no such page"}"#));
    assert_eq!(
        (other.class, other.reply.message.as_str(), other.reply.wire.is_some()),
        (FaultClass::Rejected, "no such page", false)
    );
}

#[test]
fn an_upstreams_own_report_reaches_the_caller_unchanged() {
    let bytes = report("rate_limit_error", "slow down");
    let failure = DIALECT.read_failure(429, &bytes);
    assert_eq!(
        (failure.reply.message.as_str(), failure.reply.kind.as_deref()),
        ("slow down", Some("rate_limit_error"))
    );
    let fault = failure.at(TargetName::new("t"), None);
    let stop = Stop::Failed(Failed { fault, tried: Vec::new() });
    assert_eq!(DIALECT.write_failure(&stop, "req_1"), bytes);
}

#[test]
fn what_an_upstream_says_of_our_credential_is_not_passed_on() {
    let failure = DIALECT.read_failure(401, &report("authentication_error", "invalid x-api-key"));
    let stop = Stop::Failed(Failed { fault: failure.at(TargetName::new("t"), None), tried: Vec::new() });
    let written = json(&DIALECT.write_failure(&stop, "req_1"));
    assert_eq!(
        (&written["error"]["type"], &written["error"]["code"]),
        (&"api_error".into(), &"upstream_credential".into())
    );
    assert!(!written.to_string().contains("x-api-key"));
}

#[test]
fn our_own_refusals_are_said_in_anthropics_words() {
    let kind = |status| {
        let written = json(&DIALECT.write_failure(&Refusal::new(status, "some_code", "why \"so\"").into(), "req_1"));
        assert_eq!((&written["type"], &written["request_id"]), (&"error".into(), &"req_1".into()));
        assert_eq!(
            (&written["error"]["message"], &written["error"]["code"]),
            (&"why \"so\"".into(), &"some_code".into())
        );
        written["error"]["type"].as_str().unwrap().to_owned()
    };
    let kinds: Vec<_> = [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 504, 529].map(kind).into();
    assert_eq!(
        kinds.join(" "),
        "invalid_request_error authentication_error billing_error permission_error not_found_error request_too_large invalid_request_error rate_limit_error api_error api_error overloaded_error timeout_error overloaded_error"
    );
}
