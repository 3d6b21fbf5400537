//! The decision log: every request leaves a record of what was decided, and none of what was said.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::auth::{KeyHash, VirtualKey};

use crate::support::{FakeUpstream, House, chat, completion, sse, stream_of, streamed, whole};

fn gateway(upstream: &FakeUpstream, decisions: &str) -> String {
    format!(
        "telemetry: {{ decisions: {{ dir: kept{decisions} }} }}\n\
         callers: {{ anonymous: true, user: header x-user-id }}\n\
         providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }}\n\
         policies:\n\
         \x20 - {{ policy: mails, for: {{ models: [mails] }}, steps: [{{ redact: {{ find: [email] }} }}], route: up }}\n\
         \x20 - {{ policy: p, route: {{ fallback: [up], attempts_per_target: 2, retry_on: [server_error] }} }}\n",
        upstream.url()
    )
}

async fn house(scripts: Vec<crate::support::Script>) -> (FakeUpstream, House) {
    let up = FakeUpstream::start(scripts).await;
    let house = House::with(&gateway(&up, "")).await;
    (up, house)
}

/// What the admin port says at this path. Decisions are written by a thread, which may be late on a busy machine.
pub async fn told(house: &House, path: &str) -> Value {
    let mut answer = house.admin.get(path).await;
    for _ in 0..400 {
        if answer.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        answer = house.admin.get(path).await;
    }
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// One field of each decision that is listed.
async fn listed(house: &House, query: &str, field: &str) -> Value {
    let list = told(house, &format!("/decisions?{query}")).await;
    list["decisions"].as_array().unwrap().iter().map(|decision| decision[field].clone()).collect()
}

#[tokio::test]
async fn a_request_is_found_by_the_id_of_its_answer_with_each_step_and_attempt() {
    let failing = whole(500, r#"{"error":{"message":"oh","type":"x"}}"#);
    let (_up, house) = house(vec![failing, whole(200, &completion("hi"))]).await;
    let answer = house.http.post_with("/v1/chat/completions", &[("x-user-id", "u1")], chat("m").to_string()).await;
    let id = answer.header("x-request-id").to_owned();
    let decision = told(&house, &format!("/decisions/{id}")).await;
    assert_eq!(
        (&decision["request_id"], &decision["trace_id"], &decision["status"], &decision["outcome"]),
        (&json!(id), &json!(answer.header("x-trace-id")), &json!(200), &json!("ok"))
    );
    assert_eq!(
        (&decision["policy"], &decision["model"], &decision["target"], &decision["user"], &decision["revision"]),
        (&json!("p"), &json!("m"), &json!("up"), &json!("u1"), &json!(answer.header("x-tidegate-revision")))
    );
    let tries = decision["tries"].as_array().unwrap();
    let outcomes: Vec<_> = tries.iter().map(|tried| (tried["outcome"].as_str().unwrap(), &tried["status"])).collect();
    assert_eq!(outcomes, [("server_error", &json!(500)), ("ok", &json!(200))]);
    assert_eq!((&tries[0]["recovered"], &tries[0]["usage"]), (&json!(true), &Value::Null));
    assert_eq!(tries[1]["usage"], json!({ "text_in": 10, "out": 2 }));
    assert_eq!((&tries[1]["cost_usd"], &decision["cost_usd"]), (&json!(0.00003), &json!(0.00003)));
    assert!(decision["estimated_input_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn what_a_guard_has_found_is_told_by_type_and_count_and_no_text_is_on_disk() {
    let (_up, house) = house(vec![whole(200, &completion("the answer"))]).await;
    let body = json!({ "model": "mails", "messages": [{ "role": "user", "content": "write to jane@example.org" }] });
    let answer = house.http.post("/v1/chat/completions", &body).await;
    let decision = told(&house, &format!("/decisions/{}", answer.header("x-request-id"))).await;
    let step = &decision["steps"][0];
    assert_eq!((&step["step"], &step["guard"]), (&json!("redact"), &json!(true)));
    assert!(step["notes"].to_string().contains("email"), "{step}");
    let kept: String = files(&house).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!(!kept.is_empty() && !kept.contains("jane") && !kept.contains("the answer") && !kept.contains("write to"));
}

#[tokio::test]
async fn strangers_cannot_push_out_the_decisions_about_others() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let key = VirtualKey::generate().unwrap();
    let keys = format!("version: 1\nkeys:\n  k1: {{ hash: \"{}\" }}\n", KeyHash::of(key.secret().expose()));
    let yaml = gateway(&up, "").replace("callers: { anonymous: true,", "callers: { keys: keys.yaml,");
    let house = House::with_files(&[("tidegate.yaml", &yaml), ("keys.yaml", &keys)]).await;
    for key in [key.secret().expose(), "tg-nobody"] {
        let bearer = format!("Bearer {key}");
        house.http.post_with("/v1/chat/completions", &[("authorization", &bearer)], chat("m").to_string()).await;
    }
    assert_eq!(house.access_lines(2).await[1]["status"], 401);
    assert_eq!(listed(&house, "", "key").await, json!(["k1"]));
}

#[tokio::test]
async fn decisions_are_listed_newest_first_and_told_apart_by_what_is_asked_for() {
    let scripts = vec![
        whole(200, &completion("hi")),
        whole(400, r#"{"error":{"message":"oh","type":"x"}}"#),
        sse::stream(&stream_of(&["a"])),
    ];
    let (_up, house) = house(scripts).await;
    house.http.post("/v1/chat/completions", &chat("one")).await;
    house.http.post("/v1/chat/completions", &chat("two")).await;
    house.http.post("/v1/chat/completions", &streamed("three")).await;
    assert_eq!(listed(&house, "", "model").await, json!(["three", "two", "one"]));
    assert_eq!(listed(&house, "limit=1", "model").await, json!(["three"]));
    assert_eq!(listed(&house, "status=400", "model").await, json!(["two"]));
    assert_eq!(listed(&house, "errors=true", "model").await, json!(["two"]));
    assert_eq!(listed(&house, "model=one&policy=p", "status").await, json!([200]));
    assert_eq!(listed(&house, "since=1h&min_cost=0.00001", "model").await, json!(["three", "one"]));
    assert_eq!(listed(&house, "until=1h", "model").await, json!([]));
    assert_eq!(told(&house, "/decisions?limit=2").await["more"], true);
    assert_eq!(told(&house, "/decisions?limit=3").await["more"], false);
}

#[tokio::test]
async fn a_query_that_means_nothing_is_refused_with_what_would() {
    let (_up, house) = house(vec![]).await;
    for (path, help) in [
        ("/decisions?limit=many", "from 1 to 1000"),
        ("/decisions?colour=red", "min_cost"),
        ("/decisions/42", "x-request-id"),
    ] {
        let answer = house.admin.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains(help), "{path}: {}", answer.text());
    }
    assert_eq!(house.admin.get("/decisions/req_00000000000000000000000000").await.status, 404);
}

#[tokio::test]
async fn without_a_word_about_it_nothing_is_recorded_and_that_is_said() {
    let house = House::with("providers: { s: { kind: simulator } }\npolicies: [{ policy: p, route: s/x }]\n").await;
    let answer = house.admin.get("/decisions").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("decisions: { dir:"), "{}", answer.text());
}

#[tokio::test]
async fn a_reload_keeps_the_record_and_one_without_it_ends_it() {
    let (up, house) = house(vec![whole(200, &completion("hi")), whole(200, &completion("hi"))]).await;
    house.http.post("/v1/chat/completions", &chat("one")).await;
    house.write("tidegate.yaml", &gateway(&up, ", size: 1MiB"));
    assert!(house.reloader.reload(&house.gateway));
    house.http.post("/v1/chat/completions", &chat("two")).await;
    assert_eq!(listed(&house, "", "model").await, json!(["two", "one"]));
    house.write("tidegate.yaml", &gateway(&up, "").replace("decisions: { dir: kept }", ""));
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(house.admin.get("/decisions").await.status, 404);
}

#[tokio::test]
async fn the_record_stays_within_its_bound_and_keeps_the_newest() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&gateway(&up, ", size: 64KiB")).await;
    for number in 0..150 {
        house.http.post("/v1/chat/completions", &chat(&format!("m{number}"))).await;
    }
    let models = listed(&house, "limit=1000", "model").await;
    assert_eq!(models[0], "m149");
    let total: u64 = files(&house).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(total <= 64 << 10, "{total} bytes");
    assert!((20..150).contains(&models.as_array().unwrap().len()), "{}", models.as_array().unwrap().len());
}

#[tokio::test]
async fn a_record_that_was_torn_is_passed_over_by_those_that_read_it_and_by_the_next_that_write() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let first = House::with(&gateway(&up, "")).await;
    first.http.post("/v1/chat/completions", &chat("one")).await;
    assert_eq!(listed(&first, "", "model").await, json!(["one"]));
    let file = files(&first).remove(0);
    let whole = fs::read(&file).unwrap();
    fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(&whole[..whole.len() / 2]).unwrap();
    assert_eq!(listed(&first, "", "model").await, json!(["one"]));
    // What a gateway finds that was killed while it wrote.
    let second = House::with(&gateway(&up, "").replace("dir: kept", &format!("dir: {}", copy(&file).display()))).await;
    second.http.post("/v1/chat/completions", &chat("two")).await;
    assert_eq!(listed(&second, "", "model").await, json!(["two", "one"]));
}

#[tokio::test]
async fn a_disk_that_takes_nothing_holds_nobody_up_and_what_is_lost_is_counted() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&gateway(&up, "")).await;
    fs::write(house.path("kept"), "a file where the folder should be").unwrap();
    for _ in 0..3 {
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 200);
    }
    let _ = house.admin.get("/decisions").await;
    let metrics = house.admin.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_decisions_dropped_total 3"), "{}", metrics.text());
    fs::remove_file(house.path("kept")).unwrap();
    house.http.post("/v1/chat/completions", &chat("again")).await;
    assert_eq!(listed(&house, "", "model").await, json!(["again"]));
}

fn files(house: &House) -> Vec<PathBuf> {
    let entries = fs::read_dir(house.path("kept")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect()
}

/// A folder that has a copy of this file.
fn copy(file: &std::path::Path) -> PathBuf {
    let folder = file.parent().unwrap().with_extension("copy");
    fs::create_dir(&folder).unwrap();
    fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    folder
}
