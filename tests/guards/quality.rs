//! How much is found of what is there, and how much of what is not.

use std::collections::BTreeMap;

use fastrand::Rng;
use tidegate::steps::redact::{Detector, Settings};

use super::{corpus, values};

const SAYINGS: [(&str, &str); 5] = [
    ("Please look at ", " and tell me more."),
    ("Hello, ", ", thanks!"),
    ("(", ")"),
    ("{\"value\": \"", "\"}"),
    ("I sent it:\n", "\n"),
];

fn detector(find: &[&str]) -> Detector {
    Detector::compile(&Settings { find: find.iter().map(|name| (*name).to_owned()).collect(), ..Settings::default() })
        .unwrap()
}

/// By kind: how many there were, were found, and were found as what they are.
fn recall(detector: &Detector) -> BTreeMap<&'static str, (u32, u32, u32)> {
    let mut rng = Rng::with_seed(7);
    let mut counts: BTreeMap<&'static str, (u32, u32, u32)> = BTreeMap::new();
    for _ in 0..8_000 {
        let (kind, before, value) = values::labelled(&mut rng);
        let (left, right) = *rng.choice(&SAYINGS).unwrap();
        let text = format!("{left}{before}{value}{right}");
        let range = left.len() + before.len()..left.len() + before.len() + value.len();
        let count = counts.entry(kind).or_default();
        count.0 += 1;
        if let Some(found) = detector.findings(&text, "").into_iter().find(|found| found.range == range) {
            count.1 += 1;
            count.2 += u32::from(detector.name(found.shape) == kind);
        } else if count.0 - count.1 < 3 {
            println!("missed {kind}: {text:?}");
        }
    }
    counts
}

/// By kind, what was found in clean text, per MB.
fn alarms(detector: &Detector, text: &str) -> BTreeMap<String, (u32, String)> {
    let mut counts: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for found in detector.findings(text, "") {
        let entry = counts.entry(detector.name(found.shape).to_owned()).or_default();
        entry.0 += 1;
        entry.1 = text[found.range.start.saturating_sub(0)..found.range.end].to_owned();
    }
    counts
}

#[test]
fn of_every_kind_that_has_a_form_nearly_all_is_found() {
    let counts = recall(&detector(&["all"]));
    for (kind, (there, found, named)) in &counts {
        let recall = f64::from(*found) / f64::from(*there);
        println!("{kind:18} {there:5} recall {recall:.3} named right {:.3}", f64::from(*named) / f64::from(*there));
        assert!(recall >= if *kind == "phone" { 0.9 } else { 0.95 }, "{kind}: {recall}");
    }
}

#[test]
fn clean_text_raises_hardly_any_alarm() {
    let text = corpus::clean(11, 3_000_000);
    let megabytes = text.len() as f64 / 1e6;
    let kinds: Vec<&str> =
        tidegate::steps::redact::kinds::all().map(|kind| kind.name).filter(|name| *name != "url").collect();
    for (name, most, detector) in [("default", 2.0, detector(&[])), ("all", 20.0, detector(&kinds))] {
        let alarms = alarms(&detector, &text);
        let rate = f64::from(alarms.values().map(|(count, _)| *count).sum::<u32>()) / megabytes;
        println!("{name}: {rate:.1} per MB {alarms:?}");
        assert!(rate <= most, "{name}: {rate} per MB, {alarms:?}");
    }
}
