//! What is charged for kept answers.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::{FakeUpstream, House, chat, completion, sse, stream_of, streamed, whole};

const PATH: &str = "/v1/chat/completions";

async fn house(upstream: &FakeUpstream, cache: &str) -> House {
    let yaml = format!(
        "budgets: {{ all: {{ per: policy, usd: 1, window: total, mode: strict }} }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\npolicies:\n  - policy: p\n    steps: [ budget: [all], cache: {{ {cache} }} ]\n    route: up\n",
        upstream.url()
    );
    House::with(&yaml).await
}

/// What the budget has spent once nothing is set aside any more.
async fn spent(house: &House) -> Value {
    for _ in 0..500 {
        let account = house.admin.get("/budgets").await.json()["accounts"][0].clone();
        if account["held_usd"] == 0 {
            return account["spent_usd"].clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something is set aside still");
}

#[tokio::test]
async fn a_hit_is_charged_at_the_share_that_the_policy_names_and_once() {
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    let house = house(&upstream, "charge: 25%").await;
    // 10 tokens in and 2 out, at 1 and 2 dollars for a million: 14 millionths of a dollar.
    for body in [chat("m"), chat("m"), streamed("m")] {
        house.http.post(PATH, &body).await;
    }
    let lines = house.access_lines(3).await;
    let usd = |name: &str| lines.iter().map(|line| line[name].as_f64()).collect::<Vec<_>>();
    assert_eq!(lines.iter().map(|line| line["cache"].as_str().unwrap()).collect::<Vec<_>>(), ["miss", "hit", "hit"]);
    assert_eq!(usd("cost_usd"), [Some(0.000_014), Some(0.000_003_5), Some(0.000_003_5)]);
    assert_eq!(usd("saved_usd"), [None, Some(0.000_010_5), Some(0.000_010_5)]);
    assert_eq!(spent(&house).await.to_string(), "0.000021");
    let metrics = house.admin.get("/metrics").await;
    for expected in [
        "tidegate_cache_saved_usd_total{policy=\"p\"} 0.000021",
        "tidegate_cache_charged_usd_total{policy=\"p\"} 0.000007",
    ] {
        assert!(metrics.text().contains(expected), "{}", metrics.text());
    }
    let told = house.admin.get("/cache").await.json();
    assert_eq!(told["policies"][0]["charged_usd"], "0.000007");
}

#[tokio::test]
async fn unless_the_policy_says_so_hits_cost_nothing() {
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    let house = house(&upstream, "").await;
    for _ in 0..3 {
        house.http.post(PATH, &chat("m")).await;
    }
    let lines = house.access_lines(3).await;
    assert!(lines[1].get("cost_usd").is_none() && lines[2].get("cost_usd").is_none());
    assert_eq!(spent(&house).await.to_string(), "0.000014");
}

#[tokio::test]
async fn who_hangs_up_on_a_hit_is_charged_once_all_the_same() {
    let upstream = FakeUpstream::answering(&completion(&"many words ".repeat(1_000))).await;
    let house = house(&upstream, "charge: 100%").await;
    house.http.post(PATH, &chat("m")).await;
    let json = [("content-type", "application/json")];
    drop(house.http.begin(Method::POST, PATH, &json, Bytes::from(streamed("m").to_string())).await);
    let lines = house.access_lines(2).await;
    assert_eq!(lines[1]["cost_usd"], lines[0]["cost_usd"]);
    assert_eq!(spent(&house).await.to_string(), "0.000028");
}

#[tokio::test]
async fn what_a_budget_has_sent_to_a_cheaper_target_is_no_answer_for_those_who_are_not_sent_there() {
    let (dear, cheap) =
        (FakeUpstream::answering(&completion("dear")).await, FakeUpstream::answering(&completion("cheap")).await);
    for (steps, expected) in [("cache: {}, budget: [small]", "miss"), ("budget: [small], cache: {}", "hit")] {
        let yaml = format!(
            "budgets: {{ small: {{ per: policy, usd: 0.000001, window: day, on_exceed: {{ to: cheap }} }} }}\nproviders:\n  \
             dear: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\n  \
             cheap: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 0, out: 0 }} }}\npolicies:\n  - policy: p\n    \
             steps: [ {steps} ]\n    route: dear\n",
            dear.url(),
            cheap.url()
        );
        let house = House::with(&yaml).await;
        for expected in ["miss", expected] {
            let answer = house.http.post(PATH, &chat("m")).await;
            assert_eq!((answer.says().as_str(), answer.header("x-tidegate-cache")), ("cheap", expected), "{steps}");
        }
    }
    assert_eq!(dear.count(), 0);
}

/// A list by which `dear` costs a hundred times as much as `m`.
const PRICES: &str = "version: 1\nvendors:\n  openai_compatible:\n    - source: https://example.org\n      checked: 2026-10-01\n      models:\n        m: [{ from: 2026-01-01, in: \"1\", out: \"1\", priority: { times: \"2\" } }]\n        dear: [{ from: 2026-01-01, in: \"100\", out: \"100\", priority: { times: \"2\" } }]\n";

const BUDGET: &str = "budgets: { all: { per: policy, usd: 1, window: total, unknown_price: estimate } }\n";

/// What an answer cost when it was made, and what was charged for it and saved when it was given once more.
async fn cost_and_worth(upstream: &FakeUpstream, rest: &str, steps: &str, body: Value) -> [Option<f64>; 3] {
    let yaml = format!(
        "{rest}prices: {{ files: [prices.yaml] }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: p\n    steps: [ {steps} ]\n    route: up\n",
        upstream.url()
    );
    let house = House::with_files(&[("tidegate.yaml", &yaml), ("prices.yaml", PRICES)]).await;
    for _ in 0..2 {
        house.http.post(PATH, &body).await;
    }
    let lines = house.access_lines(2).await;
    assert_eq!((&lines[0]["cache"], &lines[1]["cache"]), (&json!("miss"), &json!("hit")), "{steps}");
    [lines[0]["cost_usd"].as_f64(), lines[1]["cost_usd"].as_f64(), lines[1]["saved_usd"].as_f64()]
}

#[tokio::test]
async fn a_hit_is_charged_by_the_price_of_the_model_that_was_asked_whatever_its_caller_named() {
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    let steps = "rewrite: { model: dear }, cache: { charge: 25% }";
    let usd = cost_and_worth(&upstream, "", steps, chat("m")).await;
    assert_eq!(usd, [Some(0.001_2), Some(0.000_3), Some(0.000_9)]);
}

#[tokio::test]
async fn a_hit_is_charged_by_the_class_of_service_that_its_answer_was_made_in() {
    let mut answer: Value = serde_json::from_str(&completion("hello to you")).unwrap();
    answer["service_tier"] = json!("priority");
    let upstream = FakeUpstream::answering(&answer.to_string()).await;
    let usd = cost_and_worth(&upstream, "", "cache: { charge: 25% }", chat("m")).await;
    assert_eq!(usd, [Some(0.000_024), Some(0.000_006), Some(0.000_018)]);
}

#[tokio::test]
async fn or_that_was_asked_for_where_its_answer_does_not_say() {
    let mut asked = chat("m");
    asked["service_tier"] = json!("priority");
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    for steps in ["cache: {}, budget: [all]", "budget: [all], cache: {}"] {
        let usd = cost_and_worth(&upstream, BUDGET, steps, asked.clone()).await;
        assert_eq!(usd, [Some(0.000_024), None, Some(0.000_024)], "{steps}");
    }
}

#[tokio::test]
async fn where_its_provider_did_not_say_what_it_took_a_hit_is_charged_by_the_estimate() {
    let mut answer: Value = serde_json::from_str(&completion("hello to you")).unwrap();
    answer.as_object_mut().unwrap().remove("usage");
    for (script, body) in
        [(whole(200, &answer.to_string()), chat("m")), (sse::stream(&stream_of(&["hello ", "to you"])), streamed("m"))]
    {
        let upstream = FakeUpstream::start(vec![script]).await;
        let [cost, charged, saved] = cost_and_worth(&upstream, "", "cache: { charge: 100% }", body).await;
        assert!(cost.is_some_and(|cost| cost > 0.0));
        assert_eq!((charged, saved), (cost, Some(0.0)));
    }
}

#[tokio::test]
async fn where_nobody_knows_the_price_a_hit_saves_what_was_estimated() {
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    for steps in ["cache: {}, budget: [all]", "budget: [all], cache: {}"] {
        let [cost, _, saved] = cost_and_worth(&upstream, BUDGET, steps, chat("nobody-knows")).await;
        assert!(cost.is_some_and(|cost| cost > 0.0));
        assert_eq!(saved, cost, "{steps}");
    }
}

#[tokio::test]
async fn a_hit_on_what_a_budget_has_sent_to_another_target_is_charged_by_the_price_of_that() {
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    let yaml = format!(
        "budgets: {{ small: {{ per: policy, usd: 0.000001, window: day, on_exceed: {{ to: free }} }} }}\nproviders:\n  \
         dear: {{ kind: openai_compatible, url: \"{url}\", price: {{ in: 1, out: 2 }} }}\n  \
         free: {{ kind: openai_compatible, url: \"{url}\", price: {{ in: 0, out: 0 }} }}\npolicies:\n  - policy: p\n    \
         steps: [ budget: [small], cache: {{}} ]\n    route: dear\n",
        url = upstream.url(),
    );
    let house = House::with(&yaml).await;
    for _ in 0..2 {
        house.http.post(PATH, &chat("m")).await;
    }
    let lines = house.access_lines(2).await;
    assert_eq!((&lines[1]["cache"], &lines[1]["saved_usd"]), (&json!("hit"), &json!(0)), "{}", lines[1]);
}

#[tokio::test]
async fn a_kept_answer_that_is_refused_on_its_way_saves_nothing_and_is_none_that_was_given() {
    let word = |action: &str| whole(200, &json!({ "action": action }).to_string());
    let guard = FakeUpstream::start(vec![word("allow"), word("refuse")]).await;
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    let yaml = format!(
        "screens: {{ guard: {{ kind: webhook, url: \"{}\" }} }}\nproviders:\n  \
         up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\npolicies:\n  - policy: p\n    \
         steps: [ screen: {{ by: guard, where: [answer] }}, cache: {{ charge: 25% }} ]\n    route: up\n",
        guard.url(),
        upstream.url()
    );
    let house = House::with(&yaml).await;
    assert_eq!(house.http.post(PATH, &chat("m")).await.status, 200);
    assert_eq!(house.http.post(PATH, &chat("m")).await.status, 403);
    let line = &house.access_lines(2).await[1];
    assert_eq!((&line["outcome"], &line["cache"]), (&json!("refused"), &json!("hit")), "{line}");
    let said = ["cache_tier", "saved_usd", "cost_usd"].map(|name| line.get(name));
    assert_eq!(said, [None; 3], "{line}");
    let metrics = house.admin.get("/metrics").await;
    let counted = metrics.text().lines().filter(|line| !line.starts_with('#')).filter(|line| {
        ["given", "saved_usd", "charged_usd"].iter().any(|what| line.starts_with(&format!("tidegate_cache_{what}")))
    });
    assert!(
        counted.clone().all(|line| line.ends_with(" 0") || line.ends_with(" 0.0")),
        "{:?}",
        counted.collect::<Vec<_>>()
    );
}
