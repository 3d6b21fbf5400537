//! Whatever a plugin does, the gateway goes on, and the caller gets an answer at once.

use std::time::{Duration, Instant};

use crate::probe::{Hooks, house};
use crate::support::{FakeUpstream, House, chat, completion};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose plugin does this to requests, and is allowed little.
async fn attacked(act: &str, more: &str) -> (House, FakeUpstream) {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let step = format!("config: {{ request: {act} }}, {more}");
    (house(&upstream, Hooks::Request, &step).await, upstream)
}

/// Sends a request, which must be refused soon and in these metrics' word.
async fn is_refused(act: &str, more: &str, outcome: &str) {
    let (house, upstream) = attacked(act, more).await;
    let begun = Instant::now();
    let answer = house.http.post(CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("plugin_failed")), "{act}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{act} took {:?}", begun.elapsed());
    assert!(upstream.received().is_empty(), "{act}");
    let metrics = house.admin.get("/metrics").await.text().to_owned();
    let count = format!(
        "tidegate_plugin_calls_total{{plugin=\"probe\",policy=\"p\",hook=\"request\",outcome=\"{outcome}\"}} 1"
    );
    assert!(metrics.contains(&count), "{act}: {metrics}");
    assert_eq!(house.admin.get("/livez").await.status, 200, "{act}");
    // And another policy would say that it may pass.
    let (house, _upstream) =
        attacked(act, &format!("on_trap: allow, on_timeout: allow, on_error: allow, {more}")).await;
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "fine", "{act}");
}

#[tokio::test]
async fn a_loop_without_end_is_ended_by_the_clock_and_by_fuel() {
    is_refused("{ do: loop }", "limits: { cpu: 20ms }", "timeout").await;
    is_refused("{ do: loop }", "limits: { fuel: 10000000 }", "timeout").await;
}

#[tokio::test]
async fn a_memory_bomb_goes_off_in_its_own_memory() {
    is_refused("{ do: memory }", "limits: { memory: 8MiB, cpu: 2s }", "trap").await;
}

#[tokio::test]
async fn endless_recursion_ends_with_its_stack() {
    is_refused("{ do: recurse }", "limits: { cpu: 2s }", "trap").await;
}

#[tokio::test]
async fn no_more_comes_back_than_may() {
    is_refused("{ do: return, number: 4000000 }", "grants: [request.text], limits: { cpu: 2s }", "trap").await;
}

#[tokio::test]
async fn a_panic_and_an_exit_are_traps() {
    is_refused("{ do: panic, text: hello }", "limits: { cpu: 2s }", "trap").await;
    is_refused("{ do: exit }", "limits: { cpu: 2s }", "trap").await;
}

#[tokio::test]
async fn floods_of_calls_and_of_handles_are_traps() {
    is_refused("{ do: calls, number: 1000 }", "limits: { cpu: 2s }", "trap").await;
}

#[tokio::test]
async fn handles_run_out() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let step = "config: { request: { do: handles, number: 100000 } }, limits: { cpu: 2s }";
    let house = house(&upstream, Hooks::All, step).await;
    assert_eq!(house.http.post(CHAT, &chat("m")).await.status, 503);
}

#[tokio::test]
async fn a_flood_of_log_lines_is_dropped_and_counted() {
    let (house, _upstream) = attacked(
        "{ do: log, number: 200, text: '0123456789 0123456789 0123456789 0123456789 0123456789' }",
        "limits: { cpu: 2s }",
    )
    .await;
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "fine");
    let metrics = house.admin.get("/metrics").await.text().to_owned();
    let dropped =
        metrics.lines().find(|line| line.starts_with("tidegate_plugin_log_dropped_bytes_total")).unwrap_or_default();
    assert!(dropped.rsplit(' ').next().is_some_and(|count| count.parse::<f64>().unwrap() > 1_000.0), "{metrics}");
}

#[tokio::test]
async fn sleeping_in_a_call_to_the_host_ends_with_the_time_of_the_call() {
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let step = format!("grants: [{{ http: ['{url}'] }}], limits: {{ wall: 300ms }}");
    let (house, _upstream) = attacked(&format!("{{ do: fetch, text: '{url}/x', number: 60000 }}"), &step).await;
    let begun = Instant::now();
    let answer = house.http.post(CHAT, &chat("m")).await;
    assert!(answer.says().contains("Timeout") || answer.status == 503, "{}", answer.text());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn there_are_no_files_and_no_environment() {
    for act in ["{ do: files }", "{ do: environment }"] {
        let (house, _upstream) = attacked(act, "limits: { cpu: 2s }").await;
        assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "fine", "{act}");
    }
}

#[tokio::test]
async fn no_instance_sees_the_memory_of_one_before() {
    let (house, _upstream) = attacked("{ do: dirt }", "isolation: request, limits: { cpu: 5s, wall: 20s }").await;
    for _ in 0..4 {
        assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "fine");
    }
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_left_alone_and_found_well_again() {
    let (house, _upstream) = attacked("{ do: fail }", "").await;
    for _ in 0..5 {
        assert!(house.http.post(CHAT, &chat("m")).await.text().contains("failed"));
    }
    let left_alone = house.http.post(CHAT, &chat("m")).await;
    assert!(left_alone.text().contains("is not available"), "{}", left_alone.text());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(house.http.post(CHAT, &chat("m")).await.text().contains("` failed"), "a probe is let through");
    assert!(house.http.post(CHAT, &chat("m")).await.text().contains("is not available"));
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_the_middle_of_a_call_harms_nobody() {
    let (house, _upstream) = attacked("{ do: loop }", "limits: { cpu: 5s, wall: 10s }").await;
    for _ in 0..3 {
        let request = chat("m");
        let asking = house.http.post(CHAT, &request);
        assert!(tokio::time::timeout(Duration::from_millis(50), asking).await.is_err());
    }
    assert_eq!(house.admin.get("/livez").await.status, 200);
}

#[tokio::test]
async fn others_are_served_while_a_plugin_computes() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let act = "config: { request: { do: loop } }, limits: { cpu: 5s, wall: 60s }";
    let text = crate::probe::file(&upstream, Hooks::Request, act)
        .replace("policies:\n", "policies:\n  - policy: free\n    for: { models: [free] }\n    route: up\n");
    let house = House::with(&text).await;
    let busy = house.http.clone();
    let looping = tokio::spawn(async move { busy.post(CHAT, &chat("m")).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    assert_eq!(house.http.post(CHAT, &chat("free")).await.says(), "fine");
    assert!(begun.elapsed() < Duration::from_millis(4_500), "{:?}", begun.elapsed());
    assert_eq!(looping.await.unwrap().status, 503);
}
