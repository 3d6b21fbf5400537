//! Tests of policies whose plugins look outside: what they call is played, and so are callers with tokens.

use std::path::Path;
use std::process::Command;

use crate::probe::{Hooks, built};

const GATEWAY: &str = r#"
version: 1
callers: { jwt: { issuer: "https://sso.example", jwks: "https://sso.example/keys", team: org.team } }
providers: { up: { kind: openai, key: "${env:OPENAI_API_KEY:-none}" } }
policies:
  - policy: gold
    when: has(caller.claims.plan) && caller.claims.plan == "gold"
    route: up/large
  - policy: default
    steps:
      - plugin:
          wasm: PROBE
          grants: [{ http: ["POST https://check.example/v1"] }]
          config: { request: { do: fetch, text: "https://check.example/v1/ok" } }
    route: up/small
"#;

fn run(folder: &Path, suite: &str) -> (bool, String) {
    std::fs::write(folder.join("gateway.yaml"), GATEWAY.replace("PROBE", &built(Hooks::Request).display().to_string()))
        .unwrap();
    std::fs::write(folder.join("suite.test.yaml"), format!("version: 1\ngateway: gateway.yaml\ntests:\n{suite}"))
        .unwrap();
    let tested = Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("test").arg(folder.join("suite.test.yaml")).output();
    let tested = tested.unwrap();
    let said = [tested.stdout, tested.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (tested.status.success(), said)
}

#[test]
fn what_a_plugin_calls_is_played_and_what_it_has_sent_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let suite = r#"
  - name: the server answers
    caller: { team: support }
    given: { http: { "POST https://check.example/v1/ok": { status: 200, body: pong } } }
    request: { model: m, messages: [{ role: user, content: hello }] }
    expect: { answer: 200 pong, attempts: [], upstream: { "POST https://check.example/v1/ok": { contains: ping } } }
  - name: it refuses
    caller: { team: support }
    given: { http: { "POST https://check.example/v1/ok": { status: 503, body: { busy: true } } } }
    request: { model: m, messages: [{ role: user, content: hello }] }
    expect: { answer: '503 {"busy":true}' }
  - name: nobody plays it
    caller: { team: support }
    request: { model: m, messages: [{ role: user, content: hello }] }
    expect: { answer_contains: "no answer for it under `given.http`" }
"#;
    let (passed, said) = run(folder.path(), suite);
    assert!(passed && said.contains("3 passed"), "{said}");
    let (passed, said) = run(folder.path(), &suite.replace("contains: ping", "contains: pong"));
    assert!(!passed && said.contains("1 failed") && said.contains("check.example"), "{said}");
}

#[test]
fn a_caller_may_have_the_claims_of_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let suite = r#"
  - name: gold
    caller: { claims: { plan: gold, org: { team: support } } }
    request: { model: m, messages: [{ role: user, content: hello }] }
    upstream: { up/large: [{ text: hi }] }
    expect: { policy: gold, attempts: [up/large], log: { team: support } }
  - name: another plan
    caller: { claims: { plan: basic } }
    request: { model: m, messages: [{ role: user, content: hello }] }
    expect: { policy: default }
"#;
    let (passed, said) = run(folder.path(), suite);
    assert!(passed && said.contains("2 passed"), "{said}");
    let (passed, said) =
        run(folder.path(), &suite.replace("{ claims: { plan: basic } }", "{ team: x, claims: { plan: basic } }"));
    assert!(!passed && said.contains("all there is to a caller with claims is in them"), "{said}");
}
