//! What stands in the books of requests that are not plain chats: copies for shadows, and what is forwarded unread.

use std::collections::BTreeMap;

use serde_json::json;
use tidegate::base::ids::AccountId;
use tidegate::base::money::Nanos;
use tidegate::state::read::{self, Period};
use tidegate::state::{Embedded, Ledger, Slot};

use crate::support::{Act, FakeUpstream, House, chat, completion, sse, stream_of, streamed, whole};

/// A dollar for a million tokens in, ten for a million out.
fn gateway(url: &str, shadow: &str, rest: &str) -> String {
    let price = "price: { in: 1, out: 10 }";
    format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{url}\", {price} }}\n  \
         s: {{ kind: openai_compatible, url: \"{shadow}\", {price} }}\n{rest}"
    )
}

async fn spent(house: &House, account: &str) -> Nanos {
    let ledger = house.gateway.world().stores.ledger.clone().unwrap();
    let (spent, held) = ledger.standing(&AccountId::new(account), Slot::FIRST).await.unwrap();
    assert_eq!(held, Nanos::ZERO, "of a request that is over");
    spent
}

#[tokio::test]
async fn a_copy_is_booked_beside_its_original_on_the_budget_that_pays_for_it() {
    let (a, s) = (FakeUpstream::answering(&completion("a")).await, FakeUpstream::answering(&completion("s")).await);
    let yaml = gateway(
        &a.url(),
        &s.url(),
        "budgets:\n  trials: { per: policy, usd: 1, window: day }\n\
         policies:\n  - policy: p\n    route: { target: a/x, shadow: { to: s/y, percent: 100%, budget: trials } }\n",
    );
    let house = House::with(&yaml).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    let lines = house.access_lines(2).await;
    let (copies, own): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.get("shadow_of").is_some());
    let (copy, own) = (copies[0], own[0]);
    assert_eq!(
        (&copy["shadow_of"], &copy["target"], &copy["policy"]),
        (&own["request_id"], &json!("s/y"), &json!("p"))
    );
    assert!(copy["cost_usd"].as_f64().unwrap() > 0.0 && own["cost_usd"] == copy["cost_usd"]);
    let cost = (copy["cost_usd"].as_f64().unwrap() * 1e9).round() as i64;
    assert_eq!(spent(&house, "trials/p").await, Nanos(cost), "only the copy is on that budget");
    let metrics = house.admin.get("/metrics").await;
    let metrics = metrics.text();
    let requests = metrics.lines().find(|line| line.starts_with("tidegate_requests_total{")).unwrap();
    assert!(requests.ends_with(" 1"), "a copy is nobody's request: {requests}");
}

#[tokio::test]
async fn a_copy_that_its_budget_cannot_bear_is_not_sent() {
    let (a, s) = (FakeUpstream::answering(&completion("a")).await, FakeUpstream::answering(&completion("s")).await);
    let yaml = gateway(
        &a.url(),
        &s.url(),
        "budgets:\n  trials: { per: policy, usd: 0.000001, window: day }\n\
         policies:\n  - policy: p\n    route: { target: a, shadow: { to: s, percent: 100%, budget: trials } }\n",
    );
    let house = House::with(&yaml).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "a");
    let lines = house.access_lines(2).await;
    let copy = lines.iter().find(|line| line.get("shadow_of").is_some()).unwrap();
    assert_eq!((&copy["outcome"], &copy["code"]), (&json!("refused"), &json!("budget_exceeded")));
    assert_eq!((s.count(), spent(&house, "trials/p").await), (0, Nanos::ZERO));
}

#[tokio::test]
async fn what_is_forwarded_costs_what_its_answer_says() {
    let answer = json!({ "object": "list", "data": [{ "embedding": [0.5] }], "usage": { "prompt_tokens": 8, "total_tokens": 8 } });
    let a = FakeUpstream::answering(&answer.to_string()).await;
    let yaml = gateway(&a.url(), &a.url(), "policies:\n  - { policy: p, route: { weighted: { a: 1, s: 1 } } }\n");
    let house = House::with(&yaml).await;
    let asked = json!({ "model": "m", "input": "eight tokens of text" });
    assert_eq!(house.http.post("/v1/embeddings", &asked).await.json(), answer);
    let line = &house.access_lines(1).await[0];
    assert_eq!(
        (&line["input_tokens"], &line["output_tokens"], &line["cost_usd"]),
        (&json!(8), &json!(0), &json!(0.000008))
    );
    // What costs nothing has no cost.
    house.http.get("/v1/files").await;
    assert!(house.access_lines(2).await[1].get("cost_usd").is_none());
}

#[tokio::test]
async fn what_is_forwarded_and_says_nothing_of_its_usage_is_counted_as_unpriced() {
    let a = FakeUpstream::answering(r#"{"data":[]}"#).await;
    let yaml = gateway(&a.url(), &a.url(), "policies:\n  - { policy: p, route: { weighted: { a: 1, s: 1 } } }\n");
    let house = House::with(&yaml).await;
    house.http.post("/v1/images/generations", &json!({ "model": "m", "prompt": "a gate" })).await;
    assert!(house.access_lines(1).await[0].get("cost_usd").is_none());
    let metrics = house.admin.get("/metrics").await;
    let metrics = metrics.text();
    assert!(metrics.contains("tidegate_price_unknown_total 1"), "{metrics}");
}

#[tokio::test]
async fn a_forwarded_answer_that_is_refused_has_been_paid_for_all_the_same() {
    let answer = json!({ "object": "text_completion", "choices": [{ "index": 0, "text": "ask jo@example.org" }],
        "usage": { "prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12 } });
    let a = FakeUpstream::answering(&answer.to_string()).await;
    let steps = "steps: [{ redact: { find: [email], where: [answer], action: refuse } }]";
    let yaml = gateway(
        &a.url(),
        &a.url(),
        &format!("policies:\n  - {{ policy: p, {steps}, route: {{ weighted: {{ a: 1, s: 1 }} }} }}\n"),
    );
    let house = House::with(&yaml).await;
    let refused = house.http.post("/v1/completions", &json!({ "model": "m", "prompt": "whom?" })).await;
    assert!(refused.status >= 400 && !refused.text().contains("jo@"), "{}", refused.text());
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["code"], &line["cost_usd"]), (&json!("guard_refused"), &json!(0.000048)));
    let metrics = house.admin.get("/metrics").await;
    assert!(!metrics.text().contains("tidegate_price_unknown_total 1"), "its price is known");
}

/// What the metrics say each target has cost, and what the books say of the same, in nano-dollars.
async fn counted_and_booked(house: &House, books: &Embedded) -> [BTreeMap<String, i64>; 2] {
    books.flush().await.unwrap();
    let mut booked = BTreeMap::new();
    for line in read::lines(&house.path("books"), Period::EVER).unwrap() {
        let line = line.unwrap();
        let (team, target) = (line.team.as_deref().unwrap_or_default(), line.target.unwrap());
        *booked.entry(format!("team=\"{team}\",target=\"{target}\"")).or_default() += line.cost.0;
    }
    let metrics = house.admin.get("/metrics").await;
    let lines = metrics.text().lines();
    let series = lines.filter_map(|line| line.strip_prefix("tidegate_cost_usd_total{")?.split_once("} "));
    let nanos = |usd: &str| (usd.parse::<f64>().unwrap() * 1e9).round() as i64;
    [series.map(|(labels, usd)| (labels.to_owned(), nanos(usd))).collect(), booked]
}

#[tokio::test]
async fn metrics_have_each_cost_under_the_target_that_is_paid_as_the_books_do() {
    let dies = sse::broken_off(&stream_of(&["Hel"]), 1, Act::Close);
    let a = FakeUpstream::start(vec![dies, whole(200, &completion("ask jo@example.org"))]).await;
    let s = FakeUpstream::start(vec![sse::stream(&stream_of(&["from", "s"]))]).await;
    let steps = "steps: [{ redact: { find: [email], where: [answer], action: refuse } }]";
    let policies = format!("policies:\n  - {{ policy: p, {steps}, route: {{ fallback: [a, s] }} }}\n");
    let (house, books) = House::booking(&gateway(&a.url(), &s.url(), &policies)).await;
    assert_eq!(house.http.post("/v1/chat/completions", &streamed("m")).await.says(), "froms");
    assert_eq!(house.access_lines(1).await[0]["target"], "s");
    let [counted, booked] = counted_and_booked(&house, &books).await;
    assert_eq!(counted, booked);
    let paid = |target: &str, of: &BTreeMap<String, i64>| of[&format!("team=\"\",target=\"{target}\"")];
    assert!(paid("a", &counted) > 0 && paid("s", &counted) > 0, "{counted:?}");

    // The caller gets nothing of it, and it was paid for.
    assert!(house.http.post("/v1/chat/completions", &chat("m")).await.status >= 400);
    let line = &house.access_lines(2).await[1];
    assert_eq!(line["code"], "guard_refused");
    let [after, booked] = counted_and_booked(&house, &books).await;
    assert_eq!(after, booked);
    let cost = (line["cost_usd"].as_f64().unwrap() * 1e9).round() as i64;
    assert!(cost > 0);
    assert_eq!(paid("a", &after), paid("a", &counted) + cost);
}
