//! Answers to questions that are like another one in other words: tried first, and given only where that was right.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::state::{CostLine, Mark, read};

use crate::decisions::told;
use crate::support::{Act, Answered, FakeUpstream, House, Script, completion, whole};

const PATH: &str = "/v1/chat/completions";

/// Ways to ask for the same, of which no two have one canonical form; the pages are other questions each.
const WAYS: [&str; 2] = ["How do I select page {} of the photo?", "How do I choose page {} of the photograph?"];

pub fn question(way: usize, page: usize) -> String {
    WAYS[way].replace("{}", &page.to_string())
}

fn asking(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// A model that finds all texts alike.
pub fn embedding(texts: usize) -> String {
    let data: Vec<_> = (0..texts).map(|index| json!({"index": index, "embedding": [0.5, 0.5, 0.1]})).collect();
    json!({"object": "list", "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}).to_string()
}

async fn house(upstream: &FakeUpstream, embedder: &FakeUpstream, settings: &str) -> House {
    House::with(&gateway_file(upstream, embedder, settings)).await
}

pub fn gateway_file(upstream: &FakeUpstream, embedder: &FakeUpstream, settings: &str) -> String {
    format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\n  near: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 0 }} }}\npolicies:\n  - policy: p\n    steps: [ cache: {{ canonical: true, similar: {{ by: near/small, timeout: 5s{settings} }} }} ]\n    route: up\n",
        upstream.url(),
        embedder.url()
    )
}

async fn ask(house: &House, text: &str) -> Answered {
    house.http.post(PATH, &asking(text)).await
}

fn tier(answer: &Answered) -> (&str, &str) {
    (answer.header("x-tidegate-cache"), answer.header("x-tidegate-cache-tier"))
}

/// Asks a page both ways until this many answers have been tried.
pub async fn try_out(house: &House, pages: std::ops::Range<usize>) {
    for page in pages {
        for way in 0..2 {
            assert_eq!(ask(house, &question(way, page)).await.header("x-tidegate-cache"), "miss", "{way} {page}");
        }
    }
}

#[tokio::test]
async fn nothing_is_given_by_likeness_until_it_has_proved_to_be_right_and_then_it_is() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let embedder = FakeUpstream::answering(&embedding(1)).await;
    // Fifteen trials without a wrong one are enough where a fifth may be wrong.
    let house = house(&upstream, &embedder, ", false_hits_at_most: 21%, check: 0%").await;
    try_out(&house, 0..15).await;
    let told = house.admin.get("/cache").await.json();
    let known = &told["policies"][0]["similar"][0];
    assert_eq!(
        (known["tried"].as_u64(), known["wrong"].as_u64(), known["gives"].as_bool()),
        (Some(15), Some(0), Some(true)),
        "{told}"
    );
    ask(&house, &question(0, 99)).await;
    let asked = upstream.count();
    let given = ask(&house, &question(1, 99)).await;
    assert_eq!((tier(&given), given.says().as_str(), upstream.count()), (("hit", "similar"), "by glue", asked));
    assert_eq!(given.header("x-tidegate-cache-similarity"), "1.0000");
    // What is another question by a single word is asked, however alike the model finds the two.
    for other in ["How do I select page 98 of the photo?", "How do I not select page 99 of the photo?"] {
        assert_eq!(ask(&house, other).await.header("x-tidegate-cache"), "miss", "{other}");
    }
    let metrics = house.admin.get("/metrics").await;
    let expected = "tidegate_cache_given_total{policy=\"p\",tier=\"similar\"} 1";
    assert!(metrics.text().contains(expected), "{}", metrics.text());
}

#[tokio::test]
async fn answers_that_differ_earn_no_trust() {
    let answers =
        (0..64).map(|number| whole(200, &completion(&format!("this is what chapter {number} says")))).collect();
    let upstream = FakeUpstream::start(answers).await;
    let embedder = FakeUpstream::answering(&embedding(1)).await;
    let house = house(&upstream, &embedder, ", false_hits_at_most: 21%, check: 0%").await;
    try_out(&house, 0..20).await;
    let told = house.admin.get("/cache").await.json();
    let known = &told["policies"][0]["similar"][0];
    assert_eq!(
        (known["tried"].as_u64(), known["wrong"].as_u64(), known["gives"].as_bool()),
        (Some(20), Some(20), Some(false))
    );
    try_out(&house, 20..22).await;
}

#[tokio::test]
async fn an_embedder_that_is_slow_costs_its_budget_of_time_and_no_more() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let embedder = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let house = house(&upstream, &embedder, "").await;
    // The default is shorter than the one that these tests have for busy machines.
    house.write("tidegate.yaml", &std::fs::read_to_string(house.path("tidegate.yaml")).unwrap().replace("5s", "50ms"));
    assert!(house.reloader.reload(&house.gateway));
    let begun = std::time::Instant::now();
    let answer = ask(&house, &question(0, 1)).await;
    assert_eq!((answer.status, answer.header("x-tidegate-cache")), (200, "miss"));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let metrics = house.admin.get("/metrics").await;
    let expected = "tidegate_cache_events_total{policy=\"p\",event=\"not_embedded\"} 1";
    assert!(metrics.text().contains(expected), "{}", metrics.text());
}

#[tokio::test]
async fn an_embedder_that_is_down_is_left_alone_after_a_while_and_nobody_notices() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let broken = FakeUpstream::start(vec![whole(500, "{\"error\":{\"message\":\"no\"}}")]).await;
    let house = house(&upstream, &broken, "").await;
    for page in 0..40 {
        assert_eq!(ask(&house, &question(0, page)).await.status, 200);
    }
    assert_eq!(broken.count(), 5, "after that it is left alone");
}

/// What the trail says of looking for a similar question.
async fn noted(house: &House, answer: &Answered) -> Value {
    let decision = told(house, &format!("/decisions/{}", answer.header("x-request-id"))).await;
    decision["steps"][0]["notes"]["similar"].clone()
}

#[tokio::test]
async fn an_embedder_that_works_again_is_asked_again_once_it_was_left_alone_for_a_while() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let failing = std::iter::repeat_n(whole(500, "{\"error\":{\"message\":\"no\"}}"), 5);
    let embedder = FakeUpstream::start(failing.chain([whole(200, &embedding(1))]).collect()).await;
    let house = house(&upstream, &embedder, "").await;
    let file = std::fs::read_to_string(house.path("tidegate.yaml")).unwrap();
    house.write("tidegate.yaml", &format!("telemetry: {{ decisions: {{ dir: kept }} }}\n{file}"));
    assert!(house.reloader.reload(&house.gateway));
    for page in 0..8 {
        let answer = ask(&house, &question(0, page)).await;
        assert_eq!((answer.status, noted(&house, &answer).await), (200, json!("not_embedded")), "{page}");
    }
    assert_eq!(embedder.count(), 5);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(16)).await;
    tokio::time::resume();
    for (page, asked, expected) in [(8, 6, Value::Null), (9, 7, json!("numbers"))] {
        let answer = ask(&house, &question(0, page)).await;
        assert_eq!((noted(&house, &answer).await, embedder.count()), (expected, asked));
    }
    let known = house.admin.get("/cache").await.json();
    assert_eq!(known["policies"][0]["questions"], json!(2), "{known}");
}

#[tokio::test]
async fn a_batch_that_nobody_answers_in_time_is_charged_for_by_a_guess() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let embedder = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let (house, _books) = House::booking(&gateway_file(&upstream, &embedder, "").replace("5s", "50ms")).await;
    assert_eq!(ask(&house, &question(0, 1)).await.status, 200);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    // "how to select page 1 of the photo" is 33 bytes, of which four are a token.
    let line = booked(&house, "small").await;
    assert_eq!((line.usage.text_in, line.cost.0), (Some(8), 8_000));
    assert_eq!(line.marks, [Mark::Estimated, Mark::Failed]);
}

/// The first line in the books about a model, once it is there.
async fn booked(house: &House, model: &str) -> CostLine {
    for _ in 0..1_000 {
        let entries = read::records(&house.path("books")).unwrap().filter_map(|record| Some(record.ok()?.entry));
        let line = entries.flat_map(|entry| entry.lines().to_vec()).find(|line| &*line.model == model);
        if let Some(line) = line {
            return line;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there is no line about `{model}`")
}

#[tokio::test]
async fn texts_of_many_requests_are_put_together() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    // Whatever the first batch holds, the later ones are sent while it is under way.
    let slow: Script =
        std::iter::once(Act::Wait(Duration::from_millis(300))).chain(whole(200, &embedding(32))).collect();
    let embedder = FakeUpstream::start(vec![slow]).await;
    let house = house(&upstream, &embedder, "").await;
    let asked = (0..100).map(|page| {
        let (http, body) = (house.http.clone(), asking(&question(0, page)));
        async move { http.post(PATH, &body).await.status }
    });
    let statuses = futures_util::future::join_all(asked).await;
    assert!(statuses.iter().all(|status| *status == 200));
    let texts: Vec<usize> =
        embedder.received().iter().map(|batch| batch.json()["input"].as_array().unwrap().len()).collect();
    assert_eq!(texts.iter().sum::<usize>(), 100);
    assert!(texts.len() < 50 && texts.iter().all(|batch| *batch <= 32), "{texts:?}");
    let sent = embedder.received()[0].json();
    assert_eq!((&sent["model"], embedder.received()[0].path()), (&json!("small"), "/v1/embeddings"));
}

#[tokio::test]
async fn a_policy_that_cannot_have_it_does_not_load() {
    let load = |cache: &str| {
        let text = format!(
            "version: 1\ncallers: {{ anonymous: true }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"http://127.0.0.1:9/v1\" }}\n  claude: {{ kind: anthropic, key: \"${{env:NOT_SET:-k}}\" }}\npolicies:\n  - policy: p\n    steps: [ cache: {{ {cache} }} ]\n    route: up\n"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidegate.yaml"), text).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["check", "-f", "tidegate.yaml"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said)
    };
    let (loads, said) = load("canonical: true, similar: { by: up/small }");
    assert!(loads, "{said}");
    for (cache, expected) in [
        ("similar: { by: up/small }", "canonical: true"),
        ("canonical: true, similar: { by: nobody/small }", "nobody"),
        ("canonical: true, similar: { by: up/small, at_least: 0.1 }", "at_least"),
        ("canonical: true, similar: { by: up/small, at_least: 0.9, threshold: 1 }", "threshold"),
        ("canonical: true, similar: { by: up/small, false_hits_at_most: 0% }", "leave `similar` out"),
    ] {
        let (loads, said) = load(cache);
        assert!(!loads && said.contains(expected), "{cache}: {said}");
    }
}

#[tokio::test]
async fn policies_that_share_no_answers_earn_no_trust_for_each_other() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let embedder = FakeUpstream::answering(&embedding(1)).await;
    let cache = "cache: { shared_by: everyone, canonical: true, similar: { by: near/small, timeout: 5s, false_hits_at_most: 21%, check: 0% } }";
    let when = "    when: 'request.header(\"x-policy\") == \"other\"'\n";
    let house = House::with(&format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\n  near: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: other\n{when}    steps: [ {cache} ]\n    route: up/other\n  - policy: p\n    steps: [ {cache} ]\n    route: up/m\n",
        upstream.url(),
        embedder.url()
    ))
    .await;
    try_out(&house, 0..15).await;
    ask(&house, &question(0, 99)).await;
    assert_eq!(tier(&ask(&house, &question(1, 99)).await), ("hit", "similar"));
    let ask_other = async |way: usize| {
        let body = asking(&question(way, 99)).to_string();
        house.http.post_with(PATH, &[("x-policy", "other")], body).await.header("x-tidegate-cache").to_owned()
    };
    assert_eq!([ask_other(0).await, ask_other(1).await], ["miss", "miss"]);
    let tried = async || {
        let told = house.admin.get("/cache").await.json();
        let all = told["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == "*").cloned();
        let similar = all.map(|all| all["similar"].as_array().unwrap().clone()).unwrap_or_default();
        similar.iter().map(|known| known["tried"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(tried().await, [15, 1]);
    // Whoever forgets what everyone shares forgets both.
    house.admin.send(http::Method::DELETE, "/cache?scope=everyone", &[], bytes::Bytes::new()).await;
    ask(&house, &question(0, 99)).await;
    assert_eq!(tried().await, [0_u64; 0]);
}
