//! New versions of plugins under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tidegate::rehearsal::golden;
use tidegate::steps::plugin::trial;
use tokio::signal::unix::{SignalKind, signal};

use crate::probe::{Hooks, built, file, house};
use crate::support::{Act, FakeUpstream, House, chat, chunk, completion, sse, streamed};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose plugin is a file in its own folder.
async fn with_own_copy(upstream: &FakeUpstream, step: &str) -> (House, String) {
    let text = file(upstream, Hooks::Request, step);
    let text = text.replace(&built(Hooks::Request).display().to_string(), "tone.wasm");
    let folder = tempfile::tempdir().unwrap();
    // There is no file yet where the gateway will be, so it begins without the plugin.
    drop(folder);
    let house = House::with(&format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies: [{{ policy: p, route: up }}]\n",
        upstream.url()
    ))
    .await;
    std::fs::copy(built(Hooks::Request), house.path("tone.wasm")).unwrap();
    house.write("tidegate.yaml", &text);
    assert!(house.reloader.reload(&house.gateway), "{:?}", house.reloader.status());
    (house, text)
}

#[tokio::test]
async fn a_file_that_is_replaced_is_noticed_and_a_broken_one_changes_nothing() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let (house, _text) = with_own_copy(&upstream, "config: { request: { do: respond, text: one } }").await;
    let hang_up = signal(SignalKind::hangup()).unwrap();
    let watch = tokio::spawn(Arc::clone(&house.reloader).watch(Arc::clone(&house.gateway), hang_up));
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "one");

    std::fs::write(house.path("tone.wasm"), b"not a component").unwrap();
    for _ in 0..500 {
        let status = house.admin.get("/policies").await.json();
        if status["last_reload"]["ok"] == json!(false) {
            let problem = status["last_reload"]["problems"][0].as_str().unwrap().to_owned();
            assert!(problem.contains("tone.wasm") && problem.contains("it is no WebAssembly"), "{problem}");
            assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "one");
            std::fs::copy(built(Hooks::Response), house.path("tone.wasm")).unwrap();
            return after_the_next(&house, watch).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the broken file was not noticed");
}

/// A component that does not look at requests takes over.
async fn after_the_next(house: &House, watch: tokio::task::JoinHandle<()>) {
    for _ in 0..500 {
        if house.http.post(CHAT, &chat("m")).await.says() == "fine" {
            return watch.abort();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the good file was not noticed");
}

#[tokio::test]
async fn a_component_that_does_not_pass_its_cases_is_not_put_in_charge() {
    trial::play_with(golden::trial);
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let (house, text) = with_own_copy(&upstream, "config: { request: { do: respond, text: one } }").await;
    let cases = |reply: &str| {
        format!(
            "version: 1\nconfig: {{ request: {{ do: respond, text: two }} }}\ncases:\n  - name: it answers by itself\n    \
             request: {{ model: m, messages: [{{ role: user, content: hi }}] }}\n    \
             expect: {{ verdict: respond, reply: {reply} }}\n"
        )
    };
    let reload = || (house.reloader.reload(&house.gateway), house.reloader.status().problems.concat());
    house.write(
        "tidegate.yaml",
        &text.replace("{ wasm", "{ cases: [words.yaml], wasm").replace("text: one", "text: three"),
    );
    let (is_good, problem) = reload();
    assert!(!is_good && problem.contains("words.yaml`: No such file"), "{problem}");

    house.write("words.yaml", &cases("four"));
    let (is_good, problem) = reload();
    assert!(!is_good && problem.contains("\"it answers by itself\"") && problem.contains("words.yaml:4"), "{problem}");
    assert!(problem.contains("reply is \"four\" was expected, and it was \"two\""), "{problem}");
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "one", "the one before stays");

    house.write("words.yaml", &cases("two"));
    assert_eq!(reload(), (true, String::new()));
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "three");

    // What has passed once has not passed other cases.
    house.write("words.yaml", &cases("five"));
    let (is_good, problem) = reload();
    assert!(!is_good && problem.contains("does not pass its case"), "{problem}");
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "three");
}

#[tokio::test]
async fn a_stream_under_way_ends_on_the_version_it_began_with() {
    let script = vec![
        sse::head(),
        sse::data(&chunk(json!({ "content": "one " }), None)),
        Act::Wait(std::time::Duration::from_millis(600)),
        sse::data(&chunk(json!({ "content": "two" }), None)),
        sse::data(&chunk(json!({}), Some("stop"))),
        sse::data("[DONE]"),
        sse::end(),
    ];
    let upstream = FakeUpstream::start(vec![script]).await;
    let step = "grants: [answer.text], config: { stream: { do: upper } }";
    let house = house(&upstream, Hooks::Stream, step).await;
    let http = house.http.clone();
    let streaming = tokio::spawn(async move { http.post(CHAT, &streamed("m")).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    house.write("tidegate.yaml", &file(&upstream, Hooks::Stream, &step.replace("upper", "pass")));
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(streaming.await.unwrap().says(), "ONE TWO");
    assert_eq!(house.http.post(CHAT, &streamed("m")).await.says(), "one two");
}

/// In full: 500 reloads, by `PLUGIN_RELOADS=500`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reloads_under_load_drop_no_request_and_leave_nothing_behind() {
    let reloads: usize = std::env::var("PLUGIN_RELOADS").map_or(40, |count| count.parse().unwrap());
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let text = |number: usize| {
        file(&upstream, Hooks::Request, &format!("config: {{ request: {{ do: pass, number: {number} }} }}"))
    };
    let house = House::with(&text(0)).await;
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (http, over, done) = (house.http.clone(), Arc::clone(&over), Arc::clone(&done));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(http.post(CHAT, &chat("m")).await.says(), "fine");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut after_the_first = 0;
    for number in 1..=reloads {
        house.write("tidegate.yaml", &text(number));
        let (reloader, gateway) = (Arc::clone(&house.reloader), Arc::clone(&house.gateway));
        assert!(tokio::task::spawn_blocking(move || reloader.reload(&gateway)).await.unwrap());
        if number == reloads / 4 {
            after_the_first = resident();
        }
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let grown = resident().saturating_sub(after_the_first);
    assert!(
        grown < 64 << 20,
        "{} MiB more after {reloads} reloads and {} requests",
        grown >> 20,
        done.load(Ordering::Relaxed)
    );
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}
