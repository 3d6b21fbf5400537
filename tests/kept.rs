//! Answers that the program has kept are there after it was killed, whole or not at all; and what it costs to look for them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::running::{Running, ask, ask_this, get};
use support::{Act, FakeUpstream, whole};
use tidegate::state::{CostLine, Mark, read};

mod support;

const GATEWAY: &str = "version: 1
callers: { anonymous: true }
state: { dir: state }
providers: { sim: { kind: simulator } }
policies:
- policy: p
  steps: [ cache: { entries: 100 } ]
  route: sim
";

/// What came of looking for the answer, and the answer's text.
fn asked(running: &Running, model: &str) -> (String, String) {
    let answer = ask(&running.address, model).unwrap();
    let result = answer.lines().find_map(|line| line.strip_prefix("x-tidegate-cache: ")).unwrap_or_default();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let text = json["choices"][0]["message"]["content"].as_str().unwrap();
    (result.to_owned(), text.to_owned())
}

#[test]
fn answers_outlive_the_program_however_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    let first = Running::start(folder.path());
    let (result, said) = asked(&first, "before");
    assert_eq!(result, "miss");
    first.stop();
    first.wait();
    for round in 0..3 {
        let running = Running::start(folder.path());
        assert_eq!(asked(&running, "before"), ("hit".to_owned(), said.clone()), "round {round}");
        let (is_over, number, kept) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let model = format!("m{round}-{}", number.fetch_add(1, Ordering::Relaxed));
                        if ask(&running.address, &model).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                            kept.lock().unwrap().push(model);
                        }
                    }
                });
            }
            while kept.lock().unwrap().len() < 20 {
                std::thread::yield_now();
            }
            running.kill();
            is_over.store(true, Ordering::Relaxed);
        });
        running.wait();
        let again = Running::start(folder.path());
        for model in kept.lock().unwrap().iter().take(20) {
            let (result, text) = asked(&again, model);
            assert!(["hit", "miss"].contains(&result.as_str()), "{result}");
            // Models of the simulator say the same, so an answer that was kept in part would be another.
            assert_eq!(text, said, "{result}");
        }
        again.kill();
        again.wait();
    }
}

#[test]
fn what_is_damaged_on_the_disk_is_asked_for_anew_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    let first = Running::start(folder.path());
    let models: Vec<String> = (0..6).map(|number| format!("m{number}")).collect();
    let texts: HashSet<String> = models.iter().map(|model| asked(&first, model).1).collect();
    // Models of the simulator say the same.
    assert_eq!(texts.len(), 1);
    first.stop();
    first.wait();
    let whole = damage(&folder.path().join("state/answers"));
    let again = Running::start(folder.path());
    let results: Vec<_> = models.iter().map(|model| asked(&again, model)).collect();
    assert!(results.iter().all(|(_, text)| texts.contains(text)));
    assert_eq!(results.iter().filter(|(result, _)| result == "hit").count(), whole);
    let metrics = get(&again.admin, "/metrics");
    let expected = format!("tidegate_cache_events_total{{policy=\"p\",event=\"damaged\"}} {}", models.len() - whole);
    assert!(metrics.contains(&expected), "{metrics}");
    // They are kept anew.
    assert!(models.iter().all(|model| asked(&again, model).0 == "hit"));
}

/// Harms each answer in another way, but for some; how many are left as they were.
fn damage(folder: &Path) -> usize {
    let kept = sled::open(folder).unwrap();
    let answers: Vec<_> = kept.scan_prefix(b"a").map(Result::unwrap).collect();
    assert_eq!(answers.len(), 6);
    let harms: [fn(&mut Vec<u8>); 4] = [
        |answer| *answer.last_mut().unwrap() ^= 1,
        |answer| answer.truncate(answer.len() / 2),
        |answer| answer[0] -= 1,
        |answer| answer.clear(),
    ];
    for ((key, value), harm) in answers.iter().zip(harms) {
        let mut value = value.to_vec();
        harm(&mut value);
        kept.insert(key, value).unwrap();
    }
    // One that is whole, but another's.
    kept.insert(&answers[4].0, &answers[5].1).unwrap();
    kept.flush().unwrap();
    1
}

/// Asks one question of a gateway whose embedder answers so; the lines of the bill, the embedder's first.
async fn billed(embedder: &FakeUpstream, price: &str) -> (Vec<CostLine>, i128) {
    let folder = tempfile::tempdir().unwrap();
    let file = format!(
        "version: 1\ncallers: {{ anonymous: true }}\nstate: {{ dir: state }}\nproviders:\n  sim: {{ kind: simulator, price: {{ \
         in: 1, out: 10 }} }}\n  near: {{ kind: openai_compatible, url: \"{}\"{price} }}\nbudgets: {{ all: {{ per: policy, usd: 1, \
         window: total, mode: strict }} }}\npolicies:\n- policy: p\n  steps: [ budget: [all], cache: {{ canonical: true, \
         similar: {{ by: near/small, timeout: 5s }} }} ]\n  route: sim\n",
        embedder.url()
    );
    std::fs::write(folder.path().join("tidegate.yaml"), file).unwrap();
    let state = folder.path().join("state");
    let work = move || {
        let running = Running::start(folder.path());
        let answer = ask_this(&running.address, "m", "How do I glue a photo?").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        running.stop();
        running.wait();
        folder
    };
    let _folder = tokio::task::spawn_blocking(work).await.unwrap();
    let entries = read::records(&state).unwrap().map(|record| record.unwrap().entry);
    let mut lines: Vec<_> = entries.flat_map(|entry| entry.lines().to_vec()).collect();
    lines.sort_by_key(|line| line.provider.as_ref().map(|provider| provider.as_str() != "near"));
    (lines, read::spent(&state).unwrap().values().sum())
}

/// What embeddings cost is on the policy, and nobody's budget is charged for it.
fn is_on_the_policy_alone((lines, spent): &(Vec<CostLine>, i128)) {
    let [line, asked] = lines.as_slice() else { panic!("{lines:?}") };
    let names = [line.policy.as_ref().map(|name| name.as_str()), line.provider.as_ref().map(|name| name.as_str())];
    assert_eq!((names, &*line.model), ([Some("p"), Some("near")], "small"));
    assert_eq!((&line.key, &line.team, &line.user), (&None, &None, &None));
    assert_eq!(line.target.as_ref().map(|target| target.as_str()), Some("near/small"));
    assert_ne!(line.request, asked.request);
    assert_eq!(*spent, i128::from(asked.cost.0));
}

#[tokio::test]
async fn a_batch_of_embeddings_is_a_line_on_the_policy_and_on_nobodys_budget() {
    let reply = |usage: &str| whole(200, &format!(r#"{{"data":[{{"index":0,"embedding":[1,0.5]}}]{usage}}}"#));
    let counted = FakeUpstream::start(vec![reply(r#","usage":{"prompt_tokens":9,"total_tokens":9}"#)]).await;
    // Two dollars for a million tokens.
    let bill = billed(&counted, ", price: { in: 2, out: 0 }").await;
    is_on_the_policy_alone(&bill);
    assert_eq!((bill.0[0].cost.0, bill.0[0].marks.as_slice()), (18_000, [].as_slice()));
    // One that does not say what it has used is charged for by the length of the texts: "how to glue a photo" is 19 bytes, of
    // which four are a token.
    let silent = FakeUpstream::start(vec![reply("")]).await;
    let bill = billed(&silent, ", price: { in: 2, out: 0 }").await;
    is_on_the_policy_alone(&bill);
    assert_eq!((bill.0[0].cost.0, bill.0[0].marks.as_slice()), (8_000, [Mark::Estimated].as_slice()));
    let free = FakeUpstream::start(vec![reply(r#","usage":{"prompt_tokens":9,"total_tokens":9}"#)]).await;
    let bill = billed(&free, "").await;
    is_on_the_policy_alone(&bill);
    assert_eq!((bill.0[0].cost.0, bill.0[0].marks.as_slice()), (0, [Mark::Unpriced].as_slice()));
}

#[tokio::test]
async fn a_batch_that_fails_is_charged_for_where_the_embedder_may_have_been_at_work() {
    let price = ", price: { in: 2, out: 0 }";
    let refusing = FakeUpstream::start(vec![whole(500, r#"{"error":{"message":"no"}}"#)]).await;
    let (lines, _) = billed(&refusing, price).await;
    let providers: Vec<_> = lines.iter().map(|line| line.provider.as_ref().unwrap().as_str()).collect();
    assert_eq!((providers.as_slice(), refusing.count()), (["sim"].as_slice(), 1));
    let broken_off = |head: &str| vec![Act::Write(head.as_bytes().to_vec()), Act::Close];
    for script in [
        whole(200, "no JSON"),
        whole(200, r#"{"data":[{"index":0,"embedding":"none"}],"usage":{"prompt_tokens":9}}"#),
        broken_off("HTTP/1.1 200 OK\r\ncontent-length: 90\r\ncontent-type: application/json\r\n\r\n{\"data\""),
    ] {
        let failing = FakeUpstream::start(vec![script.clone()]).await;
        let bill = billed(&failing, price).await;
        is_on_the_policy_alone(&bill);
        let (cost, marks) = (bill.0[0].cost.0, bill.0[0].marks.as_slice());
        assert_eq!((cost, marks), (8_000, [Mark::Estimated, Mark::Failed].as_slice()), "{script:?}");
    }
}

/// Fifteen trials without a wrong one are enough where a fifth may be wrong.
const SIMILAR: &str = "version: 1
callers: { anonymous: true }
state: { dir: state }
providers: { sim: { kind: simulator, simulate: { say: \"by glue\" } } }
policies:
- policy: p
  steps:
  - cache:
      canonical: true
      similar: { by: sim/small, at_least: 0.5, timeout: 5s, false_hits_at_most: 21%, check: 0% }
  route: sim
";

/// Ways to ask for the same, of which no two have one canonical form; the pages are other questions each.
const WAYS: [&str; 2] = ["How do I select page {} of the photo?", "How do I choose page {} of the photograph?"];

/// What came of looking for the answer, and the tier it was found by.
fn asked_for_page(running: &Running, way: usize, page: usize) -> std::io::Result<(String, String)> {
    let answer = ask_this(&running.address, "m", &WAYS[way].replace("{}", &page.to_string()))?;
    let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    Ok((header("x-tidegate-cache: "), header("x-tidegate-cache-tier: ")))
}

fn told(running: &Running) -> serde_json::Value {
    let told = get(&running.admin, "/cache");
    serde_json::from_str::<serde_json::Value>(told.split_once("\r\n\r\n").unwrap().1).unwrap()["policies"][0].clone()
}

/// The program anew, once it knows at least so many questions again.
fn again(folder: &Path, questions: u64) -> Running {
    let running = Running::start(folder);
    let begun = std::time::Instant::now();
    while told(&running)["questions"].as_u64() < Some(questions) {
        assert!(begun.elapsed().as_secs() < 60, "{}", told(&running));
        std::thread::yield_now();
    }
    running
}

fn stopped(running: Running) {
    running.stop();
    running.wait();
}

fn tidegate(folder: &Path, arguments: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_tidegate");
    let output = std::process::Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn similar_questions_and_the_trust_in_them_outlive_the_program_until_they_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), SIMILAR).unwrap();
    let first = Running::start(folder.path());
    for page in 0..15 {
        for way in 0..2 {
            assert_eq!(asked_for_page(&first, way, page).unwrap().0, "miss", "{way} {page}");
        }
    }
    assert_eq!(asked_for_page(&first, 0, 99).unwrap().0, "miss");
    let before = told(&first);
    assert_eq!(
        (before["similar"][0]["tried"].as_u64(), before["questions"].as_u64()),
        (Some(15), Some(31)),
        "{before}"
    );
    stopped(first);
    let second = again(folder.path(), 31);
    assert_eq!(told(&second)["similar"], before["similar"]);
    let similar = ("hit".to_owned(), "similar".to_owned());
    assert_eq!(asked_for_page(&second, 1, 99).unwrap(), similar);
    assert_eq!(asked_for_page(&second, 1, 98).unwrap().0, "miss");
    stopped(second);
    // Another model has learnt nothing, and another would have to begin anew.
    std::fs::write(folder.path().join("tidegate.yaml"), SIMILAR.replace("sim/small", "sim/large")).unwrap();
    let third = Running::start(folder.path());
    assert_eq!(asked_for_page(&third, 1, 97).unwrap().0, "miss");
    assert_eq!(told(&third)["similar"].as_array().map(Vec::len), Some(0));
    stopped(third);
    let shown = tidegate(folder.path(), &["cache", "stats", "--dir", "state"]);
    let row: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1], row[3]), ("p", "33", "33"), "{shown}");
    // And what the first had learnt is there again once it is back.
    std::fs::write(folder.path().join("tidegate.yaml"), SIMILAR).unwrap();
    let fourth = again(folder.path(), 32);
    assert_eq!(asked_for_page(&fourth, 1, 99).unwrap(), similar);
    stopped(fourth);
}

#[test]
fn what_is_forgotten_of_similar_questions_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), SIMILAR).unwrap();
    let first = Running::start(folder.path());
    for (way, page) in (0..3).flat_map(|page| [(0, page), (1, page)]) {
        asked_for_page(&first, way, page).unwrap();
    }
    assert!(tidegate(folder.path(), &["cache", "stats", "--admin", &first.admin]).contains("not yet"));
    tidegate(folder.path(), &["cache", "forget", "--admin", &first.admin, "--scope", "policy=p"]);
    let left = told(&first);
    assert_eq!((left["questions"].as_u64(), left["similar"].as_array().map(Vec::len)), (Some(0), Some(0)), "{left}");
    for (way, page) in (0..3).flat_map(|page| [(0, page), (1, page)]) {
        asked_for_page(&first, way, page).unwrap();
    }
    stopped(first);
    assert!(tidegate(folder.path(), &["cache", "stats", "--dir", "state"]).contains("not yet"));
    tidegate(folder.path(), &["cache", "forget", "--dir", "state", "--scope", "policy=p"]);
    assert!(!tidegate(folder.path(), &["cache", "stats", "--dir", "state"]).contains("not yet"));
    let second = Running::start(folder.path());
    assert_eq!(asked_for_page(&second, 1, 0).unwrap().0, "miss");
    let left = told(&second);
    assert_eq!((left["questions"].as_u64(), left["similar"].as_array().map(Vec::len)), (Some(1), Some(0)), "{left}");
}

#[test]
fn a_program_that_is_killed_leaves_no_question_without_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("tidegate.yaml"),
        SIMILAR.replace("canonical: true", "canonical: true\n      entries: 40"),
    )
    .unwrap();
    for round in 0..3 {
        let (running, next) = (Running::start(folder.path()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for way in 0..2 {
                let (running, next) = (&running, &next);
                scope.spawn(move || {
                    while asked_for_page(running, way, round * 1_000 + next.fetch_add(1, Ordering::Relaxed)).is_ok() {}
                });
            }
            while next.load(Ordering::Relaxed) < 120 {
                std::thread::yield_now();
            }
            running.kill();
        });
        running.wait();
        let kept = sled::open(folder.path().join("state/answers")).unwrap();
        let questions: Vec<_> = kept.scan_prefix(b"v").keys().map(Result::unwrap).collect();
        // What was asked just before may not be on the disk yet.
        assert!((round.min(1)..=41).contains(&questions.len()), "{} in round {round}", questions.len());
        for key in &questions {
            let answer = [b"a", &key[1..]].concat();
            assert!(kept.contains_key(answer).unwrap(), "round {round}");
        }
        drop(kept);
        // All of them are sound, and found.
        stopped(again(folder.path(), questions.len().min(40) as u64));
    }
}
