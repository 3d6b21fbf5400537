use std::sync::Mutex;
use std::time::Duration;

use futures_core::future::BoxFuture;
use http_body_util::{BodyExt, Empty};

use super::*;
use crate::provider::simulator::Script;

const SOON: Duration = Duration::from_secs(20);

/// Keeps the request it was given and answers with a status.
struct Keeper {
    seen: Mutex<Option<http::request::Parts>>,
    status: u16,
}

impl Transport for Keeper {
    fn send<'a>(
        &'a self,
        request: Request<Body>,
        _: Hop<'a>,
    ) -> BoxFuture<'a, Result<Response<ReplyBody>, TransportError>> {
        *self.seen.lock().unwrap() = Some(request.into_parts().0);
        let response = Response::builder().status(self.status).body(ReplyBody::made(Empty::new())).unwrap();
        Box::pin(async move { Ok(response) })
    }
}

fn spec(kind: &str) -> Spec {
    Spec {
        name: ProviderName::new("house"),
        kind: kind.into(),
        url: None,
        keys: vec![Secret::new("sk-one")],
        pick: Pick::RoundRobin,
        headers: Vec::new(),
        ca: None,
        http2: false,
        propagate: false,
        simulate: None,
    }
}

fn call(path: &'static str, headers: &[(&'static str, &str)]) -> Call {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    Call { method: Method::POST, path: path.into(), headers: headers.collect(), body: Body::Empty }
}

fn watched(spec: Spec, status: u16) -> (Provider, Arc<Keeper>) {
    let keeper = Arc::new(Keeper { seen: Mutex::default(), status });
    let transport: Arc<dyn Transport> = Arc::clone(&keeper) as _;
    (Provider { transport, ..Provider::open(spec, &Pools::new()).unwrap() }, keeper)
}

async fn sent(spec: Spec, call: Call) -> http::request::Parts {
    let (provider, keeper) = watched(spec, 200);
    provider.send(call, Hop::within(SOON)).await.unwrap();
    keeper.seen.lock().unwrap().take().unwrap()
}

fn wrong(spec: Spec) -> String {
    Provider::open(spec, &Pools::new()).err().unwrap()
}

#[tokio::test]
async fn the_gateways_credential_takes_the_place_of_the_callers() {
    let caller = [("authorization", "Bearer canary"), ("x-api-key", "canary"), ("content-type", "application/json")];
    let request = sent(spec("openai"), call("/chat/completions", &caller)).await;
    assert_eq!(request.uri, "https://api.openai.com/v1/chat/completions");
    assert_eq!(request.headers["authorization"], "Bearer sk-one");
    assert_eq!(request.headers.get("x-api-key"), None);
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(!format!("{request:?}").contains("sk-one"));
}

#[tokio::test]
async fn a_kinds_headers_are_for_callers_who_send_none() {
    let request = sent(spec("anthropic"), call("/messages", &[])).await;
    assert_eq!(request.uri, "https://api.anthropic.com/v1/messages");
    assert_eq!(request.headers["x-api-key"], "sk-one");
    assert_eq!(request.headers["anthropic-version"], "2023-06-01");
    let newer = sent(spec("anthropic"), call("/messages", &[("anthropic-version", "2027-01-01")])).await;
    assert_eq!(newer.headers["anthropic-version"], "2027-01-01");
}

#[tokio::test]
async fn a_providers_own_headers_win_over_the_callers() {
    let headers = vec![("OpenAI-Organization".to_owned(), Secret::new("org-1"))];
    let request = sent(Spec { headers, ..spec("openai") }, call("/x", &[("openai-organization", "org-2")])).await;
    assert_eq!(request.headers["openai-organization"], "org-1");
}

#[tokio::test]
async fn azure_needs_only_a_host() {
    let url = Some("https://eu.openai.azure.com".to_owned());
    let request = sent(Spec { url, ..spec("azure_openai") }, call("/chat/completions", &[])).await;
    assert_eq!(request.uri, "https://eu.openai.azure.com/openai/v1/chat/completions");
    assert_eq!(request.headers["api-key"], "sk-one");
}

#[tokio::test]
async fn a_path_that_leaves_the_base_is_never_sent() {
    let (provider, keeper) = watched(spec("openai"), 200);
    let error = provider.send(call("/../admin", &[]), Hop::within(SOON)).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)));
    assert!(keeper.seen.lock().unwrap().is_none());
}

#[tokio::test]
async fn a_key_is_passed_over_once_it_was_refused_and_other_statuses_do_not_forgive_it() {
    let keys = vec![Secret::new("sk-one"), Secret::new("sk-two")];
    let (provider, keeper) = watched(Spec { keys, ..spec("openai") }, 401);
    let refused = provider.send(call("/x", &[]), Hop::within(SOON)).await.unwrap();
    refused.key.rejected();
    for _ in 0..3 {
        provider.send(call("/x", &[]), Hop::within(SOON)).await.unwrap();
        let seen = keeper.seen.lock().unwrap().take().unwrap();
        assert_eq!(seen.headers["authorization"], "Bearer sk-two");
    }
}

#[test]
fn a_specification_that_cannot_work_is_refused_with_its_reason_and_without_its_secrets() {
    assert_eq!(wrong(spec("opnai")), "`opnai` is not a kind of provider");
    assert_eq!(wrong(Spec { keys: Vec::new(), ..spec("openai") }), "a provider of kind `openai` needs a `key`");
    assert_eq!(wrong(spec("openai_compatible")), "a provider of kind `openai_compatible` needs a `url`");
    assert_eq!(wrong(Spec { keys: vec![Secret::new(" ")], ..spec("openai") }), "key 0 is empty");
    let keys = vec![Secret::new("sk\ncanary")];
    assert!(!wrong(Spec { keys, ..spec("openai") }).contains("canary"));
    let headers = vec![("host".to_owned(), Secret::new("elsewhere"))];
    assert!(wrong(Spec { headers, ..spec("openai") }).contains("`host`"));
    let ca = Some("/nowhere/ca.pem".into());
    assert!(wrong(Spec { ca, ..spec("openai") }).contains("/nowhere/ca.pem"));
}

#[test]
fn a_reload_finds_its_connections_again_and_another_setting_has_its_own() {
    let pools = Pools::new();
    let old = Provider::open(spec("openai"), &pools).unwrap();
    let new = Provider::open(spec("groq"), &pools).unwrap();
    assert!(Arc::ptr_eq(&old.transport, &new.transport));
    let other = Provider::open(Spec { http2: true, ..spec("openai") }, &pools).unwrap();
    assert!(!Arc::ptr_eq(&old.transport, &other.transport));
}

#[tokio::test]
async fn any_kind_can_be_simulated_without_a_key_or_a_url() {
    let say = Script { say: Some("hi".into()), ..Script::default() };
    for kind in ["simulator", "openai", "openai_compatible"] {
        let spec = Spec { keys: Vec::new(), simulate: Some(say.clone()), ..spec(kind) };
        let provider = Provider::open(spec, &Pools::new()).unwrap();
        let body = r#"{"model": "m", "messages": [{"role": "user", "content": "hello"}]}"#;
        let call = Call { body: Body::Full(body.into()), ..call("/chat/completions", &[]) };
        let sent = provider.send(call, Hop::within(SOON)).await.unwrap();
        let answer = sent.response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&answer).contains(r#""content":"hi""#), "{kind}");
    }
}
