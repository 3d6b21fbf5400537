//! Errors: how vendors' are classed, and what callers are told.

use std::time::Duration;

use super::*;
use crate::base::ids::TargetName;
use crate::base::stop::{Failed, Fault, Refusal};

fn class(status: u16, body: &str) -> &'static str {
    OpenAiChat.read_failure(status, &Bytes::copy_from_slice(body.as_bytes())).class.name()
}

fn told(stop: &Stop) -> Value {
    value(OpenAiChat.write_failure(stop, "req_1"))
}

fn failed(status: u16, body: &'static str) -> Stop {
    let failure = OpenAiChat.read_failure(status, &Bytes::from_static(body.as_bytes()));
    Stop::Failed(Failed { fault: failure.at(TargetName::new("a"), None), tried: vec![TargetName::new("a")] })
}

#[test]
fn a_failure_is_classed_by_its_status_and_its_words() {
    let cases = [
        (429, r#"{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}"#, "rate_limited"),
        (429, r#"{"error":{"message":"no credit","type":"insufficient_quota"}}"#, "rate_limited"),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#, "rate_limited"),
        (
            413,
            r#"{"error":{"message":"too large for tokens per minute","code":"rate_limit_exceeded"}}"#,
            "rate_limited",
        ),
        (529, "overloaded", "rate_limited"),
        (401, r#"{"error":{"message":"Incorrect API key provided"}}"#, "credential"),
        (403, r#"{"error":{"message":"not for you"}}"#, "credential"),
        (400, r#"{"code":"x","error":"Incorrect API key provided: ab***"}"#, "credential"),
        (403, r#"{"error":{"message":"your input was flagged","code":403}}"#, "content_filtered"),
        (408, "", "server_error"),
        (500, "", "server_error"),
        (503, r#"{"error":{"message":"The engine is currently overloaded"}}"#, "server_error"),
        (400, r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#, "context_too_long"),
        (400, r#"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#, "context_too_long"),
        (422, r#"{"detail":"prompt is too long: 9 tokens"}"#, "context_too_long"),
        (
            400,
            r#"{"error":{"message":"x","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "content_filtered",
        ),
        (400, r#"{"error":{"message":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#, "content_filtered"),
        (400, r#"{"error":{"message":"unknown parameter","param":"foo","type":"invalid_request_error"}}"#, "rejected"),
        (404, r#"{"error":{"message":"no such model","code":"model_not_found"}}"#, "rejected"),
        (422, r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, "rejected"),
    ];
    for (status, body, expected) in cases {
        assert_eq!(class(status, body), expected, "{status} {body}");
    }
}

#[test]
fn every_shape_of_error_gives_its_message() {
    let reply = |body: &str| OpenAiChat.read_failure(400, &Bytes::copy_from_slice(body.as_bytes())).reply;
    assert_eq!(reply(r#"{"detail":"Invalid API Key"}"#).message, "Invalid API Key");
    assert_eq!(reply(r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#).message, "field required");
    assert_eq!(reply(r#"[{"error":{"code":400,"message":"from google"}}]"#).message, "from google");
    assert_eq!(reply(r#"{"message":"flat"}"#).message, "flat");
    let full = reply(r#"{"error":{"message":"m","type":"t","param":"p","code":7}}"#);
    assert_eq!((full.kind.as_deref(), full.param.as_deref(), full.code.as_deref()), (Some("t"), Some("p"), Some("7")));
    assert_eq!(reply("").message, "");
}

#[test]
fn an_error_page_becomes_a_short_clean_message() {
    let page =
        format!("<html><head><title>502 Bad Gateway</title></head>\n<body>{}</body></html>", "word ".repeat(500));
    let reply = OpenAiChat.read_failure(502, &Bytes::from(page)).reply;
    assert!(reply.message.starts_with("502 Bad Gateway word word"));
    assert!(reply.message.chars().count() <= 200);
    assert!(!reply.message.contains('<'));
}

#[test]
fn an_upstreams_own_words_are_passed_on() {
    let body = r#"{ "error" : {"message":"no such model","code":"model_not_found"} }"#;
    assert_eq!(OpenAiChat.write_failure(&failed(404, body), "req_1"), body.as_bytes());
}

#[test]
fn what_an_upstream_says_of_the_gateways_credential_is_not_passed_on() {
    let told = told(&failed(401, r#"{"error":{"message":"bad key sk-canary"}}"#));
    assert!(!told.to_string().contains("canary"));
    assert_eq!((&told["error"]["type"], &told["error"]["code"]), (&"api_error".into(), &"upstream_credential".into()));
}

#[test]
fn a_body_that_clients_would_not_take_for_an_error_is_not_passed_on() {
    let told = told(&failed(502, "<html>down</html>"));
    assert_eq!(told["error"]["message"], "`a` failed with status 502: down");
}

#[test]
fn a_refusal_is_told_with_its_code_and_place() {
    let told = told(&Refusal::unknown_model("m").into());
    assert_eq!(
        told,
        serde_json::json!({
            "error": {
                "message": "the model `m` does not exist or you may not use it",
                "type": "not_found_error", "param": "model", "code": "model_not_found",
            },
            "request_id": "req_1",
        })
    );
}

#[test]
fn the_type_of_an_error_follows_its_status() {
    let kind = |status| told(&Refusal::new(status, "c", "m").into())["error"]["type"].as_str().unwrap().to_owned();
    assert_eq!(
        [400, 401, 402, 403, 404, 413, 429, 500, 503].map(kind),
        [
            "invalid_request_error",
            "authentication_error",
            "insufficient_quota",
            "permission_error",
            "not_found_error",
            "invalid_request_error",
            "rate_limit_error",
            "server_error",
            "api_error"
        ]
    );
    let fault = Fault::PassedOver {
        target: TargetName::new("a"),
        reason: "open".into(),
        retry_after: Some(Duration::from_secs(1)),
    };
    assert_eq!(told(&Stop::Failed(Failed { fault, tried: vec![] }))["error"]["type"], "api_error");
}
