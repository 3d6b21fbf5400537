//! Kept answers: given again as they were, once asked for, and to nobody they were not meant for.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;

use crate::support::{
    Act, Answered, FakeUpstream, House, Script, chat, completion, messages, sse, stream_of, streamed, whole,
};

const PATH: &str = "/v1/chat/completions";

fn one_upstream(upstream: &FakeUpstream, settings: &str) -> String {
    with_steps(upstream, &format!("cache: {{ {settings} }}"))
}

/// One upstream, asked once, behind these steps.
pub fn with_steps(upstream: &FakeUpstream, steps: &str) -> String {
    format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\npolicies:\n  - policy: p\n    steps: [ {steps} ]\n    route: {{ fallback: [up], attempts_per_target: 1 }}\n",
        upstream.url()
    )
}

/// The same script, but nothing comes before the wait is over.
pub fn after(wait: Duration, script: Script) -> Script {
    std::iter::once(Act::Wait(wait)).chain(script).collect()
}

pub async fn ask(house: &House, body: &serde_json::Value) -> Answered {
    house.http.post(PATH, body).await
}

#[tokio::test]
async fn a_hit_leaves_as_the_bytes_that_came_but_for_its_id() {
    let upstream = FakeUpstream::answering(&completion("hello to you")).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let (first, second) = (ask(&house, &chat("m")).await, ask(&house, &chat("m")).await);
    assert_eq!((first.header("x-tidegate-cache"), second.header("x-tidegate-cache")), ("miss", "hit"));
    assert_eq!((second.header("age"), second.header("x-tidegate-attempts")), ("0", "0"));
    let id = second.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("chatcmpl-") && id != first.json()["id"].as_str().unwrap(), "{id}");
    assert_eq!(second.text().replace(&id, "chatcmpl-1"), first.text());
    let lines = house.access_lines(2).await;
    assert_eq!((lines[0]["cache"].as_str(), lines[1]["cache"].as_str()), (Some("miss"), Some("hit")));
    assert_eq!(lines[1]["saved_usd"], lines[0]["cost_usd"]);
    assert!(lines[1].get("cost_usd").is_none() && lines[1].get("target").is_none(), "{}", lines[1]);
    let metrics = house.admin.get("/metrics").await;
    for expected in [
        "tidegate_cache_total{policy=\"p\",result=\"hit\"} 1",
        "tidegate_cache_total{policy=\"p\",result=\"miss\"} 1",
        "tidegate_cache_saved_usd_total{policy=\"p\"} 0.000014",
    ] {
        assert!(metrics.text().contains(expected), "{}", metrics.text());
    }
    assert_eq!(upstream.count(), 1);
}

fn asking(text: &str) -> serde_json::Value {
    json!({"model": "m", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]})
}

#[tokio::test]
async fn a_question_in_other_words_has_the_same_answer_where_the_policy_says_so() {
    let upstream = FakeUpstream::answering(&completion("like this")).await;
    let house = House::with(&one_upstream(&upstream, "canonical: true")).await;
    for (text, result, tier) in [
        ("How do I reset my password?", "miss", ""),
        ("Hi, how can I reset my password?", "hit", "canonical"),
        ("How do I reset my password?", "hit", "exact"),
        ("How do I reset your password?", "miss", ""),
        ("Translate: how do I reset my password", "miss", ""),
    ] {
        let answer = ask(&house, &asking(text)).await;
        assert_eq!(
            (answer.header("x-tidegate-cache"), answer.header("x-tidegate-cache-tier")),
            (result, tier),
            "{text}"
        );
    }
    let lines = house.access_lines(5).await;
    assert_eq!((lines[1]["cache_tier"].as_str(), lines[2]["cache_tier"].as_str()), (Some("canonical"), Some("exact")));
    let metrics = house.admin.get("/metrics").await;
    let expected = "tidegate_cache_given_total{policy=\"p\",tier=\"canonical\"} 1";
    assert!(metrics.text().contains(expected), "{}", metrics.text());
}

#[tokio::test]
async fn whatever_else_differs_other_words_are_another_question() {
    let upstream = FakeUpstream::answering(&completion("like this")).await;
    let house = House::with(&one_upstream(&upstream, "canonical: true")).await;
    ask(&house, &asking("How do I reset my password?")).await;
    let other = || asking("how can I reset my password");
    let (mut told, mut formed, mut later, mut warm, mut armed) = (other(), other(), other(), other(), other());
    told["messages"][0]["content"] = json!("Be brief");
    formed["response_format"] = json!({"type": "json_object"});
    later["messages"].as_array_mut().unwrap().insert(1, json!({"role": "assistant", "content": "Yes?"}));
    warm["temperature"] = json!(0.5);
    armed["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    for body in [told, formed, later, warm, armed] {
        assert_eq!(ask(&house, &body).await.header("x-tidegate-cache"), "miss", "{body}");
    }
    assert_eq!(ask(&house, &other()).await.header("x-tidegate-cache"), "hit");
}

#[tokio::test]
async fn words_are_taken_to_the_letter_unless_the_policy_says_otherwise() {
    let upstream = FakeUpstream::answering(&completion("like this")).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    ask(&house, &asking("How do I reset my password?")).await;
    assert_eq!(ask(&house, &asking("how do I reset my password?")).await.header("x-tidegate-cache"), "miss");
}

#[tokio::test]
async fn the_admin_port_counts_what_is_kept_and_forgets_it() {
    let upstream = FakeUpstream::answering(&completion("like this")).await;
    let house = House::with(&one_upstream(&upstream, "shared_by: policy")).await;
    for _ in 0..3 {
        ask(&house, &chat("m")).await;
    }
    house.access_lines(3).await;
    let told = house.admin.get("/cache").await.json();
    let policy = &told["policies"][0];
    assert_eq!((policy["answers"].as_u64(), policy["saved_usd"].as_str()), (Some(1), Some("0.000028")), "{told}");
    assert_eq!(policy["since_start"], json!({"hit": 2, "miss": 1}));
    let forget = async |scope: &str| {
        let path = format!("/cache?scope={scope}");
        let answer = house.admin.send(Method::DELETE, &path, &[], Bytes::new()).await;
        (answer.status, answer.text().to_owned())
    };
    assert_eq!(forget("policy%3Dp,team=t").await, (200, "{\"forgotten\":0}".to_owned()));
    assert_eq!(forget("team=t").await.0, 400);
    assert_eq!(forget("policy=p").await, (200, "{\"forgotten\":1}".to_owned()));
    assert_eq!(ask(&house, &chat("m")).await.header("x-tidegate-cache"), "miss");
}

#[tokio::test]
async fn what_policies_share_lies_in_one_place_which_is_counted_and_forgotten_as_one() {
    let upstream = FakeUpstream::answering(&completion("the same for all")).await;
    let policy = |name: &str, when: &str, keeps: &str| {
        format!("  - policy: {name}\n{when}    steps: [ cache: {{ {keeps} }} ]\n    route: up\n")
    };
    let when = |name: &str| format!("    when: 'request.header(\"x-policy\") == \"{name}\"'\n");
    let house = House::with(&format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n{}{}{}",
        upstream.url(),
        policy("own", &when("own"), ""),
        policy("one", &when("one"), "shared_by: everyone"),
        policy("other", "", "shared_by: everyone"),
    ))
    .await;
    let ask = async |policy: &str| {
        let answer = house.http.post_with(PATH, &[("x-policy", policy)], chat("m").to_string()).await;
        answer.header("x-tidegate-cache").to_owned()
    };
    assert_eq!([ask("one").await, ask("other").await, ask("own").await], ["miss", "hit", "miss"]);
    house.access_lines(3).await;
    let told = house.admin.get("/cache").await.json();
    let kept = |name: &str| {
        let policies = told["policies"].as_array().unwrap();
        let found = policies.iter().find(|policy| policy["policy"] == name).unwrap();
        (found["answers"].as_u64().unwrap(), found["since_start"].clone())
    };
    assert_eq!((kept("*"), kept("own")), ((1, json!({})), (1, json!({"miss": 1}))));
    assert_eq!((kept("one"), kept("other")), ((0, json!({"miss": 1})), (0, json!({"hit": 1}))));
    let forgotten = house.admin.send(Method::DELETE, "/cache?scope=everyone", &[], Bytes::new()).await;
    assert_eq!(forgotten.text(), "{\"forgotten\":1}");
    assert_eq!([ask("other").await, ask("own").await], ["miss", "hit"]);
}

#[tokio::test]
async fn a_hit_is_a_stream_for_whoever_wants_one_in_any_dialect() {
    let upstream = FakeUpstream::answering(&completion(
        "a sentence of rather many words, for a test that wants to see it come in several pieces",
    ))
    .await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let said = ask(&house, &chat("m")).await.says();
    let stream = ask(&house, &streamed("m")).await;
    assert_eq!((stream.says(), stream.header("x-tidegate-cache")), (said.clone(), "hit"));
    assert!(stream.data().len() > 4 && stream.data().last() == Some(&"[DONE]"), "{}", stream.text());
    let mut body = messages("m");
    body["max_tokens"] = json!(7);
    let mut ours = chat("m");
    ours["max_tokens"] = json!(7);
    ask(&house, &ours).await;
    body["stream"] = json!(true);
    let theirs = house.http.post("/v1/messages", &body).await;
    assert_eq!(theirs.header("x-tidegate-cache"), "hit");
    assert!(theirs.text().contains("event: message_stop") && theirs.text().contains("sentence"), "{}", theirs.text());
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_fails_is_not_kept() {
    let frames = stream_of(&["Hel", "lo"]);
    let mut failing = vec![sse::head(), sse::data(&frames[1])];
    failing.push(sse::data(r#"{"error":{"message":"out of memory","type":"server_error","code":null}}"#));
    let scripts = vec![sse::broken_off(&frames, 2, Act::Close), failing, sse::stream(&frames)];
    let upstream = FakeUpstream::start(scripts).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    for (result, says) in [("miss", "Hel"), ("miss", "Hel"), ("miss", "Hello"), ("hit", "Hello")] {
        let answer = ask(&house, &streamed("m")).await;
        assert_eq!((answer.header("x-tidegate-cache"), answer.says().as_str()), (result, says));
    }
}

#[tokio::test]
async fn a_thousand_who_ask_the_same_at_once_ask_the_provider_once() {
    for (body, script) in
        [(chat("m"), whole(200, &completion("hello"))), (streamed("m"), sse::stream(&stream_of(&["hel", "lo"])))]
    {
        let upstream = FakeUpstream::start(vec![after(Duration::from_millis(500), script)]).await;
        let house = House::with(&one_upstream(&upstream, "")).await;
        let answers = join_all((0..1_000).map(|_| ask(&house, &body))).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.says() == "hello"));
        assert_eq!(upstream.count(), 1);
        let first = answers.iter().filter(|answer| answer.header("x-tidegate-cache") == "miss").count();
        assert_eq!(first, 1);
        let lines = house.access_lines(1_000).await;
        assert_eq!(lines.iter().filter(|line| line.get("cost_usd").is_some()).count(), 1);
    }
}

#[tokio::test]
async fn who_is_first_may_hang_up_in_the_middle_and_the_others_hear_the_rest() {
    let frames = stream_of(&["one ", "two ", "three"]);
    let mut script = vec![sse::head(), sse::data(&frames[0]), sse::data(&frames[1])];
    script.push(Act::Wait(Duration::from_millis(400)));
    script.extend(frames[2..].iter().map(|frame| sse::data(frame)));
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let body = Bytes::from(streamed("m").to_string());
    let json = [("content-type", "application/json")];
    let mut first = house.http.begin(Method::POST, PATH, &json, body).await;
    assert!(first.body_mut().frame().await.is_some());
    let others = async {
        let asked = streamed("m");
        join_all((0..20).map(|_| ask(&house, &asked))).await
    };
    let hang_up = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        drop(first);
    };
    let (others, ()) = tokio::join!(others, hang_up);
    for other in &others {
        assert_eq!((other.says().as_str(), other.header("x-tidegate-cache")), ("one two three", "shared"));
        assert_eq!(other.data().last(), Some(&"[DONE]"));
    }
    assert_eq!(upstream.count(), 1);
    // What it cost is on the account of who was first, as if he had stayed.
    let lines = house.access_lines(21).await;
    let paid: Vec<_> = lines.iter().filter(|line| line.get("cost_usd").is_some()).collect();
    assert_eq!((paid.len(), paid[0]["outcome"].as_str()), (1, Some("hang_up")));
    assert_eq!(ask(&house, &streamed("m")).await.header("x-tidegate-cache"), "hit");
}

#[tokio::test]
async fn an_answer_too_large_to_be_kept_is_not_held_for_those_who_come_late() {
    let long = "many words ".repeat(4_000);
    let frames = stream_of(&[long.as_str(); 40]);
    let mut script = vec![sse::head()];
    script.extend(frames[..30].iter().map(|frame| sse::data(frame)));
    script.push(Act::Wait(Duration::from_millis(400)));
    script.extend(frames[30..].iter().map(|frame| sse::data(frame)));
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, "largest: 1KiB")).await;
    let asked = streamed("m");
    let late = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        ask(&house, &asked).await
    };
    let (first, late) = tokio::join!(ask(&house, &asked), late);
    assert_eq!((first.says(), late.says()), (long.repeat(40), long.repeat(40)));
    assert_eq!((late.header("x-tidegate-cache"), upstream.count()), ("miss", 2));
}

#[tokio::test]
async fn when_who_is_first_hangs_up_before_the_answer_the_provider_is_not_asked_again() {
    let slow = after(Duration::from_millis(400), whole(200, &completion("hello")));
    let upstream = FakeUpstream::start(vec![slow]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let asked = chat("m");
    let first = tokio::time::timeout(Duration::from_millis(150), ask(&house, &asked));
    let others = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        join_all((0..10).map(|_| ask(&house, &asked))).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_err());
    assert!(others.iter().all(|other| other.status == 200 && other.says() == "hello"));
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn when_the_first_fails_one_of_the_others_tries_before_all_do() {
    let error = r#"{"error":{"message":"no","type":"server_error","code":null}}"#;
    let failed = after(Duration::from_millis(200), whole(500, error));
    let upstream = FakeUpstream::start(vec![failed, whole(200, &completion("hello"))]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let asked = chat("m");
    let answers = join_all((0..10).map(|_| ask(&house, &asked))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0..9].to_vec(), statuses[9] >= 500), (vec![200; 9], true));
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_reload_keeps_answers_unless_it_changes_what_bears_on_them() {
    let upstream = FakeUpstream::answering(&completion("hello")).await;
    let yaml = with_steps(&upstream, "{ limit: { per: key, requests: 900/min } }, { cache: {} }");
    let house = House::with(&yaml).await;
    ask(&house, &chat("m")).await;
    let result_with = async |yaml: &str| {
        house.write("tidegate.yaml", yaml);
        assert!(house.reloader.reload(&house.gateway), "{yaml}");
        ask(&house, &chat("m")).await.header("x-tidegate-cache").to_owned()
    };
    for kept in [
        format!("{yaml}# a comment\n"),
        format!("{yaml}log: {{ level: warn }}\nlimits: {{ body: 2MiB }}\n"),
        yaml.replace("900", "800"),
        format!("{yaml}telemetry: {{ otlp: \"http://127.0.0.1:9\" }}\n"),
    ] {
        assert_eq!(result_with(&kept).await, "hit", "{kept}");
    }
    for changed in [
        yaml.replace("{ cache", "{ redact: { find: [email] } }, { cache"),
        yaml.replace("{ cache", "{ rewrite: { default: { top_p: 0.5 } } }, { cache"),
        yaml.replace("{ cache: {} }", "{ cache: {} }, { rewrite: { system: \"Be brief.\" } }"),
        yaml.replace("fallback: [up]", "fallback: [up/other]"),
    ] {
        assert_ne!(changed, yaml);
        assert_eq!(result_with(&changed).await, "miss", "{changed}");
        assert_eq!(result_with(&changed).await, "hit", "{changed}");
    }
    assert_eq!(result_with(&yaml).await, "hit");
}

#[tokio::test]
async fn a_reload_that_says_otherwise_how_much_is_kept_and_for_how_long_loses_nothing() {
    let upstream = FakeUpstream::answering(&completion("hello")).await;
    let yaml = one_upstream(&upstream, "");
    let house = House::with(&yaml).await;
    let result = async |model: &str| ask(&house, &chat(model)).await.header("x-tidegate-cache").to_owned();
    let mut model = 0;
    assert_eq!(result("first").await, "miss");
    for settings in ["keep: 2h", "keep: 2h, stale: 1h", "size: 32MiB", "size: 32MiB, entries: 500", "largest: 1KiB"] {
        house.write("tidegate.yaml", &one_upstream(&upstream, settings));
        assert!(house.reloader.reload(&house.gateway), "{settings}");
        // Another one is kept, which is where the others were lost.
        model += 1;
        assert_eq!(result(&format!("m{model}")).await, "miss", "{settings}");
        assert_eq!(result("first").await, "hit", "{settings}");
    }
    let kept = async || {
        let told = house.admin.get("/cache").await.json();
        told["policies"].as_array().unwrap().iter().filter_map(|policy| policy["answers"].as_u64()).sum::<u64>()
    };
    assert_eq!(kept().await, 6);
    house.write("tidegate.yaml", &yaml.replace("cache: {  }", ""));
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(kept().await, 0, "nobody keeps answers any more");
}
