//! A day of questions, replayed through a policy's cache by the command: what it saves, and that it says so when an answer
//! was made for somebody who asked for something else.

use std::process::{Command, Output};

use serde_json::Value;

#[cfg(feature = "local-embedder")]
#[path = "support/tiny.rs"]
mod tiny;

fn tidegate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate")).args(["cache", "day"]).args(arguments).output().unwrap()
}

fn day(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = tidegate(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}")))
}

fn hits(day: &Value, tier: &str) -> u64 {
    let tiers = day["tiers"].as_array().unwrap();
    tiers.iter().find(|known| known["tier"] == tier).map_or(0, |tier| tier["hits"].as_u64().unwrap())
}

const POLICY: &str = "version: 1
callers: { keys: keys.yaml }
providers: { models: { kind: anthropic, key: k, price: { in: 3, out: 15 } } }
policies:
- policy: p
  steps: [ cache: { shared_by: SHARED, canonical: true } ]
  route: models/m
";

const SIMILAR: &str = "version: 1
callers: { keys: keys.yaml }
providers:
  models: { kind: openai_compatible, url: \"http://127.0.0.1:9/v1\", price: { in: 1, out: 4 } }
  near: { kind: openai_compatible, url: \"http://127.0.0.1:9/v1\", price: { in: 0.02, out: 0 } }
policies:
- policy: p
  steps:
  - cache: { shared_by: team, keep: 4h, canonical: true, similar: { by: near/small, false_hits_at_most: 21% } }
  route: models
";

#[test]
fn a_day_of_the_crowd_saves_by_every_tier_and_gives_nobody_an_answer_to_another_question() {
    // A tenth of a day of the crowd, so fewer trials are enough: fifteen without a wrong one, where a fifth may be wrong.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.yaml");
    std::fs::write(&file, SIMILAR).unwrap();
    let (code, day) = day(&["--requests", "1500", "-f", file.to_str().unwrap()]);
    assert_eq!((code, &day["false_hits"]), (Some(0), &Value::from(0)), "{day}");
    for tier in ["exact", "canonical", "similar"] {
        assert!(hits(&day, tier) > 0, "{tier}: {day}");
    }
    let count = |name: &str| day[name].as_u64().unwrap();
    assert_eq!(count("upstream_calls") + count("upstream_calls_avoided"), 1_500, "{day}");
    assert_eq!((count("requests"), count("not_answered")), (1_500, 0));
    assert!((0.2..0.95).contains(&day["saved"].as_f64().unwrap()), "{day}");
}

#[cfg(feature = "local-embedder")]
#[test]
fn a_model_in_the_process_does_its_work_on_that_day_and_one_that_is_not_installed_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = (folder.path().join("tidegate.yaml"), folder.path().join("tiny"));
    let pin = tiny::Tiny::install(&model);
    let here = format!("embedders: {{ here: {{ kind: local, dir: tiny, sha256: \"{pin}\" }} }}\npolicies:");
    let policy = SIMILAR.replace("by: near/small", "by: here, at_least: 0.5").replace("policies:", &here);
    std::fs::write(&file, policy).unwrap();
    let arguments = ["--requests", "1500", "-f", file.to_str().unwrap()];
    let (code, by_model) = day(&arguments);
    assert_eq!((code, by_model["not_answered"].as_u64()), (Some(0), Some(0)), "{by_model}");
    assert!(hits(&by_model, "similar") > 0, "{by_model}");
    let embedded = ["texts_embedded", "texts_embedded_here"].map(|name| by_model[name].as_u64().unwrap());
    assert!(embedded[0] > 100 && embedded[0] == embedded[1], "{by_model}");
    assert_eq!(by_model["embeddings_usd"], "0.0000");
    let told = String::from_utf8(tidegate(&arguments).stdout).unwrap();
    assert!(told.contains("similar: by the model in this process"), "{told}");
    std::fs::remove_file(model.join("config.json")).unwrap();
    let output = tidegate(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("config.json") && said.contains("`tidegate embedder install DIR`"), "{said}");
}

#[test]
fn without_files_a_policy_with_all_tiers_is_tried() {
    let (code, day) = day(&["--requests", "100"]);
    assert_eq!(
        (code, day["policies"][0].as_str(), day["requests"].as_u64()),
        (Some(0), Some("day"), Some(100)),
        "{day}"
    );
}

#[test]
fn teams_that_share_what_is_each_ones_own_are_told_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.yaml");
    let with = |shared_by: &str| {
        std::fs::write(&file, POLICY.replace("SHARED", shared_by)).unwrap();
        day(&["--requests", "600", "-f", file.to_str().unwrap()])
    };
    let (code, by_team) = with("team");
    assert_eq!((code, by_team["false_hits"].as_u64()), (Some(0), Some(0)), "{by_team}");
    let (code, by_policy) = with("policy");
    assert!(code == Some(1) && by_policy["false_hits"].as_u64() > Some(0), "{by_policy}");
    assert!(by_policy["first_false_hits"][0]["made_for"].as_str().unwrap().starts_with("team-"), "{by_policy}");
    assert!(hits(&by_policy, "exact") > hits(&by_team, "exact"));
}

#[test]
fn a_teams_own_questions_are_judged_by_what_it_says_they_mean() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("questions.jsonl");
    let lines = [
        r#"{"question": "How do I reset it all?", "means": "reset"}"#,
        r#"{"question": "how can I reset it all", "means": "reset"}"#,
        r#"{"question": "How do I reset it all?", "means": "something else"}"#,
        r#"{"question": "How do I undo it all?"}"#,
        r#"{"question": "How do I undo it all?"}"#,
        r#"{"question": "how to undo it all"}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    // Six lines lie four hours apart.
    let policy = folder.path().join("tidegate.yaml");
    std::fs::write(&policy, POLICY.replace("SHARED", "team, keep: 24h")).unwrap();
    let (code, day) = day(&[file.to_str().unwrap(), "-f", policy.to_str().unwrap()]);
    assert_eq!(
        (code, day["false_hits"].as_u64(), day["upstream_calls"].as_u64()),
        (Some(1), Some(1), Some(2)),
        "{day}"
    );
    let unjudged: u64 = day["tiers"].as_array().unwrap().iter().map(|tier| tier["unjudged"].as_u64().unwrap()).sum();
    assert_eq!((hits(&day, "exact"), hits(&day, "canonical"), unjudged), (2, 2, 1), "{day}");
    std::fs::write(&file, "{\"q\": 1}\n").unwrap();
    let output = tidegate(&[file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("questions.jsonl:1: unknown field"), "{said}");
}
