//! Answers that the program has kept are there after it was killed, whole or not at all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::running::{Running, ask};

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
