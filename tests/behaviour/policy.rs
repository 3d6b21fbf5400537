//! What the files say is what happens.

use serde_json::json;

use crate::support::{FakeUpstream, House, chat, completion};

#[tokio::test]
async fn the_first_policy_that_covers_a_request_decides_on_it() {
    let (a, b) = (FakeUpstream::answering(&completion("a")).await, FakeUpstream::answering(&completion("b")).await);
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: tools\n    when: request.has_tools\n    route: b\n\
         \x20 - policy: large\n    for: {{ models: [\"big-*\"] }}\n    route: b/huge\n\
         \x20 - policy: rest\n    route: a\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    let plain = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(
        (plain.says().as_str(), plain.header("x-tidegate-policy"), plain.header("x-tidegate-model")),
        ("a", "rest", "a/m")
    );
    let big = house.http.post("/v1/chat/completions", &chat("big-one")).await;
    assert_eq!((big.header("x-tidegate-policy"), big.header("x-tidegate-model")), ("large", "b/huge"));
    assert_eq!(b.received()[0].json()["model"], "huge");
    let mut tools = chat("m");
    tools["tools"] = json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }]);
    assert_eq!(house.http.post("/v1/chat/completions", &tools).await.header("x-tidegate-policy"), "tools");
}

#[tokio::test]
async fn a_named_target_is_shown_as_the_provider_and_model_that_served() {
    let a = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\ntargets:\n  t: {{ provider: a, model: real }}\npolicies:\n  - policy: p\n    route: t\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.header("x-tidegate-model"), "a/real");
}

#[tokio::test]
async fn a_request_that_no_policy_covers_is_refused() {
    let a = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    for: {{ models: [known] }}\n    route: a\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    let answer = house.http.post("/v1/chat/completions", &chat("unknown")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("no_policy")));
    assert_eq!(a.count(), 0);
}

#[tokio::test]
async fn a_request_that_nothing_changes_reaches_the_provider_byte_for_byte() {
    let a = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    route: a/renamed\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    let odd = r#"{ "x_unknown" : [1.0, 1e2,{"k":null}],"messages":[ {"content":"caf\u00e9 \/ \n","role":"user","vendor":true} ],  "model":"m" ,"temperature":0.70}"#;
    house.http.post_with("/v1/chat/completions", &[], odd).await;
    let received = a.received();
    assert_eq!(String::from_utf8_lossy(&received[0].body), odd.replace("\"m\"", "\"renamed\""));
}

#[tokio::test]
async fn rewrite_sets_caps_and_defaults_and_keeps_everything_else() {
    let a = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    steps:\n\
         \x20     - rewrite: {{ set: {{ temperature: 0 }}, default: {{ top_p: 0.5, seed: 7 }}, cap: {{ max_tokens: 100 }}, system: \"be brief\" }}\n    route: a\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    let mut body = chat("m");
    body["temperature"] = json!(1.5);
    body["seed"] = json!(1);
    body["max_tokens"] = json!(5000);
    body["metadata"] = json!({ "kept": "yes" });
    house.http.post("/v1/chat/completions", &body).await;
    let sent = a.received()[0].json();
    assert_eq!(
        (&sent["temperature"], &sent["top_p"], &sent["seed"], &sent["max_tokens"]),
        (&json!(0), &json!(0.5), &json!(1), &json!(100))
    );
    assert_eq!(sent["messages"][0], json!({ "role": "system", "content": "be brief" }));
    assert_eq!(sent["messages"][1], body["messages"][0]);
    assert_eq!(sent["metadata"], body["metadata"]);
}

#[tokio::test]
async fn a_policy_in_observe_mode_changes_nothing() {
    let a = FakeUpstream::answering(&completion("a")).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    mode: observe\n    steps:\n      - rewrite: {{ set: {{ temperature: 0 }} }}\n    route: a\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(a.received()[0].json(), chat("m"));
}

#[tokio::test]
async fn a_route_may_deny_with_the_words_of_the_policy() {
    let yaml =
        "policies:\n  - policy: p\n    route: { deny: { status: 403, code: closed, message: \"closed today\" } }\n";
    let house = House::with(yaml).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (403, Some("closed")));
    assert_eq!(answer.header("x-should-retry"), "false");
}

#[tokio::test]
async fn models_lead_to_targets_of_their_own() {
    let (a, b) = (FakeUpstream::answering(&completion("a")).await, FakeUpstream::answering(&completion("b")).await);
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         models:\n  small: {{ targets: [a/mini] }}\n  large: {{ targets: [b/maxi, a/mini] }}\n\
         policies:\n  - policy: p\n    for: {{ models: [small, large] }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("small")).await.header("x-tidegate-model"), "a/mini");
    assert_eq!(house.http.post("/v1/chat/completions", &chat("large")).await.header("x-tidegate-model"), "b/maxi");
    let models = house.http.get("/v1/models").await.json();
    assert_eq!(
        (&models["object"], &models["data"][0]["id"], &models["data"][1]["id"]),
        (&json!("list"), &json!("large"), &json!("small"))
    );
    let theirs = house
        .http
        .send(http::Method::GET, "/v1/models", &[("anthropic-version", "2023-06-01")], Default::default())
        .await
        .json();
    assert_eq!((&theirs["has_more"], &theirs["data"][0]["type"]), (&json!(false), &json!("model")));
    assert_eq!(house.http.get("/v1/models/small").await.json()["id"], "small");
    assert_eq!(house.http.get("/v1/models/other").await.status, 404);
}

#[tokio::test]
async fn a_sticky_route_sends_a_session_to_the_same_target_each_time() {
    let (a, b) = (FakeUpstream::answering(&completion("a")).await, FakeUpstream::answering(&completion("b")).await);
    let yaml = format!(
        "callers: {{ anonymous: true, session: [header x-session-id] }}\n\
         providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: p\n    route: {{ weighted: {{ a: 50, b: 50 }}, sticky: session }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    for session in ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"] {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let answer =
                house.http.post_with("/v1/chat/completions", &[("x-session-id", session)], chat("m").to_string()).await;
            seen.insert(answer.says());
        }
        assert_eq!(seen.len(), 1, "{session} saw {seen:?}");
    }
    assert!(a.count() > 0 && b.count() > 0, "{} and {}", a.count(), b.count());
}

#[tokio::test]
async fn a_canary_gets_its_share_and_none_once_it_fails_too_often() {
    let (good, bad) = (
        FakeUpstream::answering(&completion("stable")).await,
        FakeUpstream::start(vec![crate::support::whole(500, "{}")]).await,
    );
    let yaml = format!(
        "providers:\n  good: {{ kind: openai_compatible, url: \"{}\" }}\n  bad: {{ kind: openai_compatible, url: \"{}\" }}\n\
         targets:\n  candidate: {{ provider: bad, breaker: {{ failures: 1000000 }} }}\n\
         policies:\n  - policy: p\n    route: {{ canary: {{ stable: good, candidate: candidate, percent: 50%, abort_if: {{ error_rate: 10%, min_requests: 20 }} }} }}\n",
        good.url(),
        bad.url()
    );
    let house = House::with(&yaml).await;
    for _ in 0..200 {
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "stable");
    }
    assert_eq!((bad.count(), good.count()), (20, 200));

    // Nor after a reload, wherever in the file the canary now stands.
    house.write("tidegate.yaml", &format!("# moved\n\n{yaml}"));
    assert!(house.reloader.reload(&house.gateway));
    for _ in 0..20 {
        house.http.post("/v1/chat/completions", &chat("m")).await;
    }
    assert_eq!(bad.count(), 20);
}

#[tokio::test]
async fn a_shadow_gets_a_copy_and_the_caller_never_waits_for_it() {
    let (a, shadow) = (
        FakeUpstream::answering(&completion("a")).await,
        FakeUpstream::start(vec![vec![crate::support::Act::Stall]]).await,
    );
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  s: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: p\n    route: {{ target: a, shadow: {{ to: s/other, percent: 100% }} }}\n",
        a.url(),
        shadow.url()
    );
    let house = House::with(&yaml).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "a");
    while shadow.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shadow.received()[0].json()["model"], "other");

    let beta = [("openai-beta", "one"), ("x-other", "two")];
    house.http.post_with("/v1/chat/completions", &beta, chat("m").to_string()).await;
    while shadow.count() == 1 {
        tokio::task::yield_now().await;
    }
    let copy = &shadow.received()[1];
    assert_eq!((copy.header("openai-beta"), copy.header("x-other")), (Some("one"), None));
}
