//! Reloads drop nothing, and broken files change nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::support::{Act, FakeUpstream, House, chat, completion, sse, stream_of, streamed};

fn routed_to(upstream: &FakeUpstream, policy: &str) -> String {
    format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: {policy}\n    route: up\n",
        upstream.url()
    )
}

#[tokio::test]
async fn a_broken_policy_file_leaves_the_old_revision_in_charge_and_says_so() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&routed_to(&upstream, "first")).await;
    let revision = house.gateway.pin().revision.clone();
    house.write("tidegate.yaml", &routed_to(&upstream, "second").replace("route: up", "rout: up"));
    assert!(!house.reloader.reload(&house.gateway));
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.header("x-tidegate-policy"), &house.gateway.pin().revision), ("first", &revision));
    let status = house.admin.get("/policies").await.json();
    assert_eq!(status["last_reload"]["ok"], json!(false));
    assert!(status["last_reload"]["problems"][0].as_str().unwrap().contains("tidegate.yaml:"), "{status}");
    assert!(house.admin.get("/metrics").await.text().contains("tidegate_policy_reload_failed 1"));

    house.write("tidegate.yaml", &routed_to(&upstream, "second"));
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.header("x-tidegate-policy"), "second");
    assert!(house.admin.get("/metrics").await.text().contains("tidegate_policy_reload_failed 0"));
}

fn hang_up() -> Signal {
    signal(SignalKind::hangup()).unwrap()
}

#[tokio::test]
async fn a_change_of_a_file_is_noticed() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&routed_to(&upstream, "first")).await;
    let watch = tokio::spawn(Arc::clone(&house.reloader).watch(Arc::clone(&house.gateway), hang_up()));
    house.write("tidegate.yaml", &routed_to(&upstream, "second"));
    for _ in 0..500 {
        if house.http.post("/v1/chat/completions", &chat("m")).await.header("x-tidegate-policy") == "second" {
            return watch.abort();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the change was not noticed");
}

#[tokio::test]
async fn a_swap_of_links_as_kubernetes_does_it_is_noticed() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&routed_to(&upstream, "first")).await;
    let folder = house.path("");
    let complete =
        |policy: &str| format!("version: 1\ncallers: {{ anonymous: true }}\n{}", routed_to(&upstream, policy));
    for (name, policy) in [("..v1", "first"), ("..v2", "second")] {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("tidegate.yaml"), complete(policy)).unwrap();
    }
    std::os::unix::fs::symlink("..v1", folder.join("..data")).unwrap();
    std::fs::remove_file(folder.join("tidegate.yaml")).unwrap();
    std::os::unix::fs::symlink("..data/tidegate.yaml", folder.join("tidegate.yaml")).unwrap();
    assert!(house.reloader.reload(&house.gateway));
    let watch = tokio::spawn(Arc::clone(&house.reloader).watch(Arc::clone(&house.gateway), hang_up()));
    std::os::unix::fs::symlink("..v2", folder.join("..tmp")).unwrap();
    std::fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    for _ in 0..500 {
        if house.http.post("/v1/chat/completions", &chat("m")).await.header("x-tidegate-policy") == "second" {
            return watch.abort();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the swap was not noticed");
}

#[tokio::test]
async fn a_file_that_was_away_is_loaded_when_it_comes_back() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&routed_to(&upstream, "first")).await;
    std::fs::remove_file(house.path("tidegate.yaml")).unwrap();
    assert!(!house.reloader.reload(&house.gateway));
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.header("x-tidegate-policy"), "first");
    let watch = tokio::spawn(Arc::clone(&house.reloader).watch(Arc::clone(&house.gateway), hang_up()));
    house.write("tidegate.yaml", &routed_to(&upstream, "second"));
    for _ in 0..500 {
        if house.http.post("/v1/chat/completions", &chat("m")).await.header("x-tidegate-policy") == "second" {
            return watch.abort();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its return was not noticed");
}

#[tokio::test]
async fn a_stream_keeps_the_revision_it_began_with() {
    let mut script = sse::broken_off(&stream_of(&["one", "two"]), 2, Act::Wait(Duration::from_millis(200)));
    script.extend(stream_of(&["one", "two"]).iter().skip(2).map(|frame| sse::data(frame)));
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&routed_to(&upstream, "first")).await;
    let (http, body) = (house.http.clone(), streamed("m"));
    let call = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while upstream.count() == 0 {
        tokio::task::yield_now().await;
    }
    house.write("tidegate.yaml", "policies:\n  - policy: closed\n    route: { deny: { status: 403 } }\n");
    assert!(house.reloader.reload(&house.gateway));
    let answer = call.await.unwrap();
    assert_eq!((answer.says().as_str(), answer.header("x-tidegate-policy")), ("onetwo", "first"));
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_across_twenty_reloads_lose_none() {
    const REQUESTS: usize = 10_000;
    let yaml = |policy: &str| {
        format!("providers:\n  sim: {{ kind: simulator }}\npolicies:\n  - policy: {policy}\n    route: sim\n")
    };
    let house = House::with(&yaml("p0")).await;
    let done = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..20)
        .map(|_| {
            let (http, done) = (house.http.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let body = chat("m");
                for _ in 0..REQUESTS / 20 {
                    let answer = http.post("/v1/chat/completions", &body).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 1..=20 {
        while done.load(Ordering::Relaxed) < round * REQUESTS / 21 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let is_good = round % 2 == 0;
        house.write(
            "tidegate.yaml",
            &yaml(&format!("p{round}")).replace("route", if is_good { "route" } else { "rout" }),
        );
        let (reloader, gateway) = (Arc::clone(&house.reloader), Arc::clone(&house.gateway));
        let loaded = tokio::task::spawn_blocking(move || reloader.reload(&gateway)).await.unwrap();
        assert_eq!(loaded, is_good);
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), REQUESTS);
    let metrics = house.admin.get("/metrics").await;
    let counted = metrics
        .text()
        .lines()
        .filter(|line| line.starts_with("tidegate_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap());
    assert_eq!(counted.sum::<usize>(), REQUESTS);
}
