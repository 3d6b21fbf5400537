//! Who may call, and that their keys stay with the gateway.

use http::Method;
use serde_json::json;
use tidegate::auth::{KeyHash, VirtualKey};

use crate::support::{FakeUpstream, House, chat, completion};

/// A gateway with one key, and the key.
async fn with_a_key(upstream: &FakeUpstream, about: &str) -> (House, String) {
    let key = VirtualKey::generate().unwrap();
    let hash = KeyHash::of(key.secret().expose());
    let gateway = format!(
        "version: 1\ncallers: {{ keys: keys.yaml, user: [header x-user-id, body metadata.user_id] }}\n\
         providers:\n  up: {{ kind: openai_compatible, url: \"{}\", key: \"${{env:NOT_SET:-sk-upstream}}\" }}\n\
         policies:\n  - policy: ours\n    for: {{ team: search }}\n    route: up\n",
        upstream.url()
    );
    let keys = format!("version: 1\nkeys:\n  k1:\n    hash: {hash}\n    team: search\n{about}");
    let house = House::with_files(&[("tidegate.yaml", &gateway), ("keys.yaml", &keys)]).await;
    (house, key.secret().expose().to_owned())
}

#[tokio::test]
async fn every_header_that_sdks_put_a_key_in_is_understood_and_none_travels_on() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let (house, key) = with_a_key(&upstream, "").await;
    let bearer = format!("Bearer {key}");
    for (name, value) in
        [("authorization", bearer.as_str()), ("x-api-key", &key), ("api-key", &key), ("x-goog-api-key", &key)]
    {
        let answer = house.http.post_with("/v1/chat/completions", &[(name, value)], chat("m").to_string()).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    for request in upstream.received() {
        assert!(!request.head.contains(&key), "{}", request.head);
        assert_eq!(request.header("authorization"), Some("Bearer sk-upstream"));
    }
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["key"], &line["team"]), (&json!("k1"), &json!("search")));
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_refused_in_the_callers_dialect_before_the_body_is_read() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let (house, _) = with_a_key(&upstream, "").await;
    for headers in [vec![], vec![("authorization", "Bearer tg-wrong")]] {
        let openai = house.http.post_with("/v1/chat/completions", &headers, "not json").await;
        assert_eq!((openai.status, &openai.json()["error"]["code"]), (401, &json!("invalid_api_key")));
        let anthropic = house.http.post_with("/v1/messages", &headers, "not json").await;
        assert_eq!((anthropic.status, &anthropic.json()["error"]["type"]), (401, &json!("authentication_error")));
        assert!(!openai.text().contains("tg-wrong"));
    }
    assert_eq!(house.http.get("/v1/models").await.status, 401);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_expired_key_is_refused() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let (house, key) = with_a_key(&upstream, "    expires: 2020-01-01T00:00:00Z\n").await;
    let answer = house.http.post_with("/v1/chat/completions", &[("x-api-key", &key)], chat("m").to_string()).await;
    assert_eq!((answer.status, upstream.count()), (401, 0));
    assert!(answer.text().contains("expired"), "{}", answer.text());
}

#[tokio::test]
async fn a_key_may_name_only_its_models_and_sees_only_them() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let (house, key) = with_a_key(&upstream, "    models: [\"small-*\"]\n").await;
    let post = async |model: &str| {
        house.http.post_with("/v1/chat/completions", &[("x-api-key", &key)], chat(model).to_string()).await
    };
    assert_eq!(post("small-1").await.status, 200);
    let refused = post("large-1").await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn a_key_for_certain_models_cannot_name_another_in_a_body_that_is_not_read() {
    let upstream = FakeUpstream::answering("{}").await;
    let (house, key) = with_a_key(&upstream, "    models: [\"small-*\"]\n").await;
    for kind in ["application/json", "Application/JSON;charset=utf-8", "text/plain", "multipart/form-data; boundary=b"]
    {
        let headers = [("x-api-key", key.as_str()), ("content-type", kind)];
        let body = json!({ "model": "large-1", "input": "x" }).to_string().into();
        let answer = house.http.send(Method::POST, "/v1/embeddings", &headers, body).await;
        assert!(matches!(answer.status, 403 | 404), "{kind}: {}", answer.status);
    }
    assert_eq!(upstream.count(), 0);
    let headers = [("x-api-key", key.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    assert_eq!(house.http.send(Method::POST, "/v1/files", &headers, "file".into()).await.status, 200);
}

#[tokio::test]
async fn users_are_taken_from_where_the_file_says() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let (house, key) = with_a_key(&upstream, "").await;
    let mut body = chat("m");
    body["metadata"] = json!({ "user_id": "from-body" });
    house.http.post_with("/v1/chat/completions", &[("x-api-key", &key)], body.to_string()).await;
    house
        .http
        .post_with("/v1/chat/completions", &[("x-api-key", &key), ("x-user-id", "from-header")], body.to_string())
        .await;
    let lines = house.access_lines(2).await;
    let users: Vec<_> = lines.iter().map(|line| line["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["from-body", "from-header"]);
}

#[tokio::test]
async fn a_new_key_works_after_a_reload_and_a_removed_one_does_not() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let (house, old) = with_a_key(&upstream, "").await;
    let new = VirtualKey::generate().unwrap();
    house.write(
        "keys.yaml",
        &format!("version: 1\nkeys:\n  k2: {{ hash: \"{}\", team: search }}\n", KeyHash::of(new.secret().expose())),
    );
    assert!(house.reloader.reload(&house.gateway));
    let send = async |key: &str| {
        house.http.send(Method::GET, "/v1/models", &[("x-api-key", key)], Default::default()).await.status
    };
    assert_eq!((send(new.secret().expose()).await, send(&old).await), (200, 401));
}

/// An issuer that signs with ES256, and its key set.
struct Issuer {
    key: rcgen::KeyPair,
    kid: &'static str,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        Self { key: rcgen::KeyPair::generate().unwrap(), kid }
    }

    fn jwk(&self) -> serde_json::Value {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let point = self.key.public_key_raw();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid, "x": x, "y": y })
    }

    fn token(&self, claims: &serde_json::Value) -> String {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(self.kid.to_owned());
        let key = jsonwebtoken::EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }
}

#[tokio::test]
async fn a_token_is_verified_by_the_keys_its_issuer_publishes() {
    let (first, stranger) = (Issuer::new("k1"), Issuer::new("k1"));
    let published = FakeUpstream::answering(&json!({ "keys": [first.jwk()] }).to_string()).await;
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "callers: {{ jwt: {{ issuer: \"https://sso.test\", jwks: \"{}/jwks.json\", team: groups.0, user: sub }} }}\n\
         providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    for: {{ team: search }}\n    route: up\n",
        published.url(),
        upstream.url()
    );
    let house = House::with(&yaml).await;
    let claims = json!({ "iss": "https://sso.test", "sub": "alice", "groups": ["search"], "exp": 4_000_000_000_u64 });
    let send = async |token: String| {
        let bearer = format!("Bearer {token}");
        house.http.post_with("/v1/chat/completions", &[("authorization", &bearer)], chat("m").to_string()).await.status
    };
    assert_eq!(send(first.token(&claims)).await, 200);
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["team"], &line["user"]), (&json!("search"), &json!("alice")));
    let mut expired = claims.clone();
    expired["exp"] = json!(1_000_000_000);
    assert_eq!(send(first.token(&expired)).await, 401);
    assert_eq!(send(stranger.token(&claims)).await, 401);
    assert!(upstream.received().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn costs_are_told_apart_by_teams_that_look_like_some_and_those_that_the_files_name() {
    let (issuer, key) = (Issuer::new("k1"), VirtualKey::generate().unwrap());
    let published = FakeUpstream::answering(&json!({ "keys": [issuer.jwk()] }).to_string()).await;
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "callers: {{ keys: keys.yaml, anonymous: false, jwt: {{ issuer: \"https://sso.test\", jwks: \"{}/jwks.json\", team: groups.0, user: sub }} }}\n\
         providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }}\n\
         budgets: {{ teams: {{ per: team, usd: 5, window: day }} }}\n\
         policies:\n  - {{ policy: support, for: {{ team: support }}, steps: [{{ budget: [teams] }}], route: up }}\n  \
           - {{ policy: rest, steps: [{{ budget: [teams] }}], route: up }}\n",
        published.url(),
        upstream.url()
    );
    let keys =
        format!("version: 1\nkeys:\n  k1: {{ hash: \"{}\", team: search }}\n", KeyHash::of(key.secret().expose()));
    let house = House::with_files(&[("tidegate.yaml", &yaml), ("keys.yaml", &keys)]).await;
    let mut shown = vec![key.secret().expose().to_owned()];
    for team in ["support", "stranger", "jo@example.org", "a\"b"] {
        let claims = json!({ "iss": "https://sso.test", "sub": "alice", "groups": [team], "exp": 4_000_000_000_u64 });
        shown.push(issuer.token(&claims));
    }
    for shown in shown {
        let bearer = format!("Bearer {shown}");
        let shown = [("authorization", bearer.as_str())];
        let answer = house.http.post_with("/v1/chat/completions", &shown, chat("m").to_string()).await;
        assert_eq!(answer.status, 200);
    }
    let metrics = house.admin.get("/metrics").await;
    let lines = |name: &str| -> Vec<String> {
        let lines = metrics.text().lines().filter(|line| line.starts_with(&format!("{name}{{")));
        let mut lines: Vec<_> = lines.map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    let cost = |team: &str, usd: &str| format!("tidegate_cost_usd_total{{team=\"{team}\",target=\"up\"}} {usd}");
    assert_eq!(
        lines("tidegate_cost_usd_total"),
        [cost("other", "0.00006"), cost("search", "0.00003"), cost("stranger", "0.00003"), cost("support", "0.00003")]
    );
    let left = |team: &str| format!("tidegate_budget_remaining_usd{{budget=\"teams\",scope=\"{team}\"}} 4.99997");
    assert_eq!(lines("tidegate_budget_remaining_usd"), ["other", "search", "stranger", "support"].map(left));
    // A team that the files name from now on has its own.
    house.write("tidegate.yaml", &yaml.replace("team: support", "team: [support, jo@example.org]"));
    assert!(house.reloader.reload(&house.gateway));
    assert!(house.admin.get("/metrics").await.text().contains("scope=\"jo@example.org\""));
}
