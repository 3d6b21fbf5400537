//! Several gateways, as processes, that share what was answered to similar questions, and how that has fared.

use std::time::{Duration, Instant};

use serde_json::Value;
use support::redis::Redis;
use support::running::{Running, ask_this, get};
use support::{FakeUpstream, completion, whole};
use tempfile::TempDir;

mod support;

/// A gateway in a folder of its own.
struct Member {
    folder: TempDir,
    running: Running,
}

impl Member {
    /// One whose answers come from there, and that looks for similar questions so, or not at all.
    fn with(upstream: &FakeUpstream, redis: &Redis, similar: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "version: 1\ncallers: {{ anonymous: true }}\nstate: {{ redis: \"{}\", timeout: 2s, gone_after: 3s }}\nproviders:\n  up: {{ kind: \
             openai_compatible, url: \"{}\" }}\n  sim: {{ kind: simulator }}\npolicies:\n- policy: p\n  steps: [ cache: {{ canonical: \
             true{similar} }} ]\n  route: up\n",
            redis.url(),
            upstream.url(),
        );
        std::fs::write(folder.path().join("tidegate.yaml"), text).unwrap();
        let running = Running::start(folder.path());
        Self { folder, running }
    }

    /// One that tries this share of the answers that could be given. Fifteen trials without a wrong one are enough where a fifth
    /// may be wrong.
    fn asking(upstream: &FakeUpstream, redis: &Redis, check: &str, by: &str) -> Self {
        let rest = "at_least: 0.5, timeout: 5s, false_hits_at_most: 21%";
        Self::with(upstream, redis, &format!(", similar: {{ by: {by}, {rest}, check: {check} }}"))
    }

    fn start(upstream: &FakeUpstream, redis: &Redis) -> Self {
        Self::asking(upstream, redis, "0%", "sim/small")
    }

    /// What came of looking for the answer, and the tier it was found by.
    fn ask(&self, way: usize, page: usize) -> (String, String) {
        let answer = ask_this(&self.running.address, "m", &WAYS[way].replace("{}", &page.to_string())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let header =
            |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        (header("x-tidegate-cache: "), header("x-tidegate-cache-tier: "))
    }

    /// Asks pages both ways, of which the second is tried against the first.
    fn try_out(&self, pages: std::ops::Range<usize>) {
        for page in pages {
            assert_eq!([0, 1].map(|way| self.ask(way, page).0), ["miss", "miss"], "{page}");
        }
    }

    fn told(&self) -> Value {
        let told = get(&self.running.admin, "/cache");
        let told: Value = serde_json::from_str(told.split_once("\r\n\r\n").unwrap().1).unwrap();
        told["policies"][0].clone()
    }

    /// How many were tried, how many of them were wrong, and whether such answers are given, of those who share them.
    fn fared(&self) -> Vec<(u64, u64, bool)> {
        let told = self.told();
        let all = told["similar"].as_array().unwrap().iter();
        all.map(|known| {
            (known["tried"].as_u64().unwrap(), known["wrong"].as_u64().unwrap(), known["gives"].as_bool().unwrap())
        })
        .collect()
    }

    fn questions(&self) -> u64 {
        self.told()["questions"].as_u64().unwrap()
    }

    /// What a command says of this gateway.
    fn tidegate(&self, arguments: &[&str]) -> String {
        let program = env!("CARGO_BIN_EXE_tidegate");
        let mut command = std::process::Command::new(program);
        command.args(arguments).args(["--admin", &self.running.admin]).current_dir(self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Ways to ask for the same, of which no two have one canonical form; the pages are other questions each.
const WAYS: [&str; 2] = ["How do I select page {} of the photo?", "How do I choose page {} of the photograph?"];

/// Waits until it is so. What others do is heard of within a second, but the machine may be busy.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

fn similar() -> (String, String) {
    ("hit".to_owned(), "similar".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_gateway_is_asked_another_answers_in_other_words_once_all_have_found_that_right() {
    let (upstream, redis) = (FakeUpstream::answering(&completion("by glue")).await, Redis::start());
    let (first, second) = (Member::start(&upstream, &redis), Member::start(&upstream, &redis));
    // What is tried last before a gateway ends is told all the same.
    let brief = Member::start(&upstream, &redis);
    brief.try_out(30..31);
    brief.running.stop();
    brief.running.wait();
    soon("the last trial", || first.fared() == [(1, 0, false)]);
    // Each tries some; together they are enough.
    first.try_out(0..7);
    soon("trials", || second.fared() == [(8, 0, false)]);
    second.try_out(20..27);
    soon("all trials", || [&first, &second].iter().all(|one| one.fared() == [(15, 0, true)]));
    assert_eq!(first.ask(0, 99).0, "miss");
    soon("a question", || second.questions() == 31);
    assert_eq!(second.ask(1, 99), similar());
    assert_eq!(second.ask(1, 98).0, "miss");
    // One that comes later knows all of it.
    let third = Member::start(&upstream, &redis);
    soon("all of it", || third.questions() == 32 && third.fared() == [(15, 0, true)]);
    assert_eq!(third.ask(0, 98), similar());
    let told = third.told();
    assert_eq!((told["answers"].as_u64(), told["questions_kept"].as_u64()), (Some(32), Some(32)), "{told}");
    let shown = third.tidegate(&["cache", "stats"]);
    let row: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1], row[3]), ("p", "32", "32"), "{shown}");
    assert!(shown.lines().any(|line| line.split_whitespace().last() == Some("yes")), "{shown}");
    // Another model has learnt nothing of this, and knows none of these questions.
    let other = Member::asking(&upstream, &redis, "0%", "sim/large");
    assert_eq!((other.ask(1, 99).0.as_str(), other.fared()), ("miss", vec![]));
    soon("its own question", || other.questions() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_answer_at_one_gateway_ends_it_at_all_of_them_and_so_does_forgetting() {
    let glue = vec![whole(200, &completion("by glue")); 32];
    let upstream = FakeUpstream::start([glue, vec![whole(200, &completion("nobody knows how"))]].concat()).await;
    let redis = Redis::start();
    let (first, second) = (Member::start(&upstream, &redis), Member::start(&upstream, &redis));
    let doubter = Member::asking(&upstream, &redis, "100%", "sim/small");
    first.try_out(0..15);
    for page in [50, 60] {
        assert_eq!(first.ask(0, page).0, "miss");
    }
    soon("all of it", || [&second, &doubter].iter().all(|one| one.fared() == [(15, 0, true)] && one.questions() == 32));
    assert_eq!(second.ask(1, 60), similar());
    assert_eq!(doubter.ask(1, 50).0, "miss");
    let took = soon("what was wrong", || [&first, &second].iter().all(|one| one.fared() == [(16, 1, false)]));
    println!("a wrong answer was heard of in {took:?}");
    assert_eq!(second.ask(1, 61).0, "miss");
    assert_eq!(second.ask(0, 61).0, "miss");
    let took = soon("a trial", || first.fared() == [(17, 1, false)]);
    println!("a trial was heard of in {took:?}");
    // What is forgotten at one of them is forgotten at all.
    assert_eq!(first.tidegate(&["cache", "forget", "--scope", "policy=p"]), "35 answers forgotten\n");
    let are_empty = || [&first, &second, &doubter].iter().all(|one| one.questions() == 0 && one.fared().is_empty());
    let took = soon("forgetting", are_empty);
    println!("forgetting was heard of in {took:?}");
    assert_eq!(second.told()["questions_kept"].as_u64(), Some(0));
    second.try_out(70..71);
    soon("a new beginning", || first.fared() == [(1, 0, false)] && first.questions() == 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_comes_back_is_caught_up_with_and_one_that_has_lost_everything_is_begun_anew_with() {
    let (upstream, mut redis) = (FakeUpstream::answering(&completion("by glue")).await, Redis::start());
    let (first, second) = (Member::start(&upstream, &redis), Member::start(&upstream, &redis));
    first.try_out(0..15);
    assert_eq!(first.ask(0, 99).0, "miss");
    soon("all of it", || second.fared() == [(15, 0, true)] && second.questions() == 31);
    redis.stop();
    // Nobody gets an error, and nothing is found.
    assert_eq!([0, 1].map(|way| second.ask(way, 98).0), ["miss", "miss"]);
    redis.start_again();
    soon("the store", || {
        get(&second.running.admin, "/cache").starts_with("HTTP/1.1 200") && second.fared() == [(15, 0, true)]
    });
    assert_eq!(second.ask(1, 99), similar());
    soon("the store", || get(&first.running.admin, "/cache").starts_with("HTTP/1.1 200"));
    let known = second.questions();
    assert_eq!(first.ask(0, 97).0, "miss");
    soon("a question", || second.questions() > known);
    assert_eq!(second.ask(1, 97), similar());
    redis.ask(&["FLUSHALL"]);
    soon("the loss", || [&first, &second].iter().all(|one| one.questions() == 0 && one.fared().is_empty()));
    assert_eq!([0, 1].map(|way| second.ask(way, 96).0), ["miss", "miss"]);
    soon("a new beginning", || first.fared() == [(1, 0, false)] && first.questions() == 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_are_asked_for_only_where_they_are_of_use() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let looks = |redis: &Redis| redis.ask(&["INFO", "commandstats"]).contains("cmdstat_hmget");
    let (with, without) = (Redis::start(), Redis::start());
    let _follower = Member::start(&upstream, &with);
    let plain = Member::with(&upstream, &without, "");
    for page in 0..3 {
        plain.ask(0, page);
    }
    soon("news are asked for", || looks(&with));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!looks(&without));
    assert_eq!(plain.told()["answers"].as_u64(), Some(3));
}
