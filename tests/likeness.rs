//! Whether two questions may share an answer by their canonical form, held to numbers.
//!
//! `tidegate cache eval` prints the table of a file of pairs: `held_out.jsonl` was written before the rule it tries and
//! changed nothing about it, `by_hand.jsonl` before that, but for the pairs about abilities, which the rule took for the
//! same when they were written. Those of the generator are in `tmp/pairs.jsonl` of the target folder once these tests have
//! run.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tidegate::steps::cache::canonical::canonical;
use tidegate::steps::cache::likeness::features::Features;

#[path = "likeness/data.rs"]
mod data;
#[path = "likeness/generator.rs"]
mod generator;
#[path = "likeness/pairs.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod pairs;
#[cfg(feature = "local-embedder")]
#[path = "support/mod.rs"]
mod support;

use data::TEMPLATES;
use generator::Pair;
use pairs::written;

/// Pairs, and of those that are different the ones that are taken for the same.
struct Measured {
    alike: usize,
    hits: usize,
    different: usize,
    wrong: Vec<(String, String)>,
}

/// By the canonical form.
fn measured(pairs: impl IntoIterator<Item = (String, String, bool)>) -> Measured {
    measured_by(|a, b| canonical(a).is_ok_and(|form| canonical(b) == Ok(form)), pairs)
}

/// By what the words of similar questions let pass, were all texts alike to the embedder.
fn measured_by_words(pairs: impl IntoIterator<Item = (String, String, bool)>) -> Measured {
    let may_be = |a: &str, b: &str| match (canonical(a), canonical(b)) {
        (Ok(one), Ok(other)) => one == other || Features::may_be_the_same(&one, &other),
        _ => false,
    };
    measured_by(may_be, pairs)
}

fn measured_by(
    may_share: impl Fn(&str, &str) -> bool,
    pairs: impl IntoIterator<Item = (String, String, bool)>,
) -> Measured {
    let mut measured = Measured { alike: 0, hits: 0, different: 0, wrong: Vec::new() };
    for (a, b, is_same) in pairs {
        let hit = may_share(&a, &b);
        match is_same {
            true => (measured.alike, measured.hits) = (measured.alike + 1, measured.hits + usize::from(hit)),
            false => {
                measured.different += 1;
                measured.wrong.extend(hit.then_some((a, b)));
            }
        }
    }
    measured
}

fn generated() -> Vec<Pair> {
    TEMPLATES.pairs()
}

fn holds(measured: &Measured) {
    let share = measured.wrong.len() as f64 / measured.different as f64;
    assert!(share <= 0.005, "{} of {}: {:#?}", measured.wrong.len(), measured.different, measured.wrong);
}

#[test]
fn pairs_of_the_generator_that_are_different_do_not_share_answers() {
    let measured = measured(generated().into_iter().map(|pair| (pair.a, pair.b, pair.same)));
    assert!(measured.different >= 2_000 && measured.alike >= 1_500, "{} {}", measured.different, measured.alike);
    assert_eq!(measured.wrong, []);
    assert!(measured.hits > 0);
}

#[test]
fn pairs_written_before_the_rule_do_not_share_answers_either() {
    let measured = measured(written("held_out.jsonl"));
    holds(&measured);
    assert!(measured.hits * 2 > measured.alike, "{} of {}", measured.hits, measured.alike);
    holds(&self::measured(written("by_hand.jsonl")));
}

#[test]
fn words_alone_tell_similar_questions_apart_whatever_an_embedder_says() {
    let generated = measured_by_words(generated().into_iter().map(|pair| (pair.a, pair.b, pair.same)));
    holds(&generated);
    for name in ["held_out.jsonl", "by_hand.jsonl"] {
        holds(&measured_by_words(written(name)));
    }
    let found = |measured: fn(Vec<(String, String, bool)>) -> Measured| measured(written("by_hand.jsonl")).hits;
    let (by_form, by_words) = (found(measured), found(measured_by_words));
    assert!(by_words > by_form, "{by_words} of the paraphrases, and {by_form} by their forms alone");
}

#[test]
fn the_command_says_of_the_generators_pairs_what_is_measured_here() {
    let line =
        |pair: Pair| format!("{}\n", json!({"a": pair.a, "b": pair.b, "same": pair.same, "category": pair.category}));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pairs.jsonl");
    std::fs::write(&path, generated().into_iter().map(line).collect::<String>()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.args(["cache", "eval", "--json"]).arg(&path).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tiers = said["tiers"].as_array().unwrap();
    let all = &tiers.iter().find(|tier| tier["tier"] == "canonical").unwrap()["all"];
    let counts = ["same", "hits", "different", "false_hits"].map(|count| all[count].as_u64().unwrap());
    let Measured { alike, hits, different, wrong } =
        measured(generated().into_iter().map(|pair| (pair.a, pair.b, pair.same)));
    assert_eq!(counts, [alike, hits, different, wrong.len()].map(|count| count as u64));
}

/// With a model's likenesses more may be told apart, and never less.
#[cfg(feature = "local-embedder")]
#[test]
fn the_command_asks_a_model_in_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let pin = support::tiny::Tiny::install(&place.path().join("tiny")).to_string();
    let pairs = place.path().join("pairs.jsonl");
    let pair = |a: &str, b: &str| format!("{}\n", json!({"a": a, "b": b, "same": true}));
    let text = pair("How do I select page 7 of the photo?", "How do I choose page 7 of the photograph?");
    std::fs::write(&pairs, text).unwrap();
    let hits = |least: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["cache", "eval", "--json", "--embedder", "tiny", "--at-least", least]).arg(&pairs);
        let output = command.current_dir(place.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["embedder"]["sha256"], pin);
        assert_eq!(
            (&said["embedder"]["at_least"], &said["embedder"]["has_score"]),
            (&json!(least.parse::<f64>().unwrap()), &json!(false))
        );
        said["tiers"][2]["all"]["hits"].as_u64().unwrap()
    };
    // The two lie .9998 from each other.
    assert_eq!((hits("0.99"), hits("1")), (1, 0));
}
