//! How much is found of what is there, and how much of what is not.
//!
//! `cargo test --test guards quality -- --ignored --nocapture` prints recall and precision by kind, and alarms per MB of
//! clean text, for the default set and for all kinds. With `GUARDS_TEXT` naming a file that lists the paths of
//! texts, it prints the alarms in those too.

use std::collections::BTreeMap;

use fastrand::Rng;
use tidegate::steps::redact::{Detector, Settings, kinds};

use super::vectors::VECTORS;
use super::{corpus, injections, values};

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

/// Every kind but that of web addresses, which are no secret.
fn all() -> Detector {
    detector(&kinds::all().map(|kind| kind.name).filter(|name| *name != "url").collect::<Vec<_>>())
}

/// What there is of a kind, and what was made of it.
#[derive(Default)]
struct Count {
    there: u32,
    found: u32,
    /// Found as what it is.
    named: u32,
    /// Found where there is none.
    false_alarms: u32,
}

impl Count {
    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.there)
    }

    fn precision(&self) -> f64 {
        f64::from(self.named) / f64::from(self.named + self.false_alarms)
    }
}

/// By kind, what is found of so many values among look-alikes.
fn count(detector: &Detector, values: usize) -> BTreeMap<String, Count> {
    let mut rng = Rng::with_seed(7);
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for _ in 0..values {
        let (kind, before, value) = values::labelled(&mut rng);
        let (left, right) = *rng.choice(&SAYINGS).unwrap();
        let alike = corpus::alike(&mut rng);
        let text = format!("{left}{before}{value}{right}\n{alike}\n");
        let range = left.len() + before.len()..left.len() + before.len() + value.len();
        let count = counts.entry(kind.to_owned()).or_default();
        count.there += 1;
        let mut is_found = false;
        for found in detector.findings(&text, "") {
            let name = detector.name(found.shape);
            let is_it = found.range == range;
            is_found |= is_it;
            let count = counts.entry(name.to_owned()).or_default();
            count.named += u32::from(is_it && name == kind);
            count.false_alarms += u32::from(!is_it && found.range.start > range.end);
        }
        if let Some(count) = counts.get_mut(kind) {
            count.found += u32::from(is_found);
        }
    }
    counts
}

/// By kind, how often something was found in clean text, and what was found last.
fn alarms(detector: &Detector, text: &str) -> BTreeMap<String, (u32, String)> {
    let mut counts: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for found in detector.findings(text, "") {
        let entry = counts.entry(detector.name(found.shape).to_owned()).or_default();
        entry.0 += 1;
        entry.1 = text[found.range].to_owned();
    }
    counts
}

fn per_megabyte(alarms: &BTreeMap<String, (u32, String)>, bytes: usize) -> f64 {
    f64::from(alarms.values().map(|(count, _)| *count).sum::<u32>()) * 1e6 / bytes as f64
}

/// The vectors of which nothing, or something else, is found.
fn missed(detector: &Detector) -> Vec<String> {
    let mut missed = Vec::new();
    for (kind, texts) in VECTORS {
        for marked in *texts {
            let text: String = marked.chars().filter(|c| !matches!(c, '«' | '»')).collect();
            let value = marked.split('«').nth(1).and_then(|rest| rest.split('»').next()).unwrap();
            let found = detector.findings(&text, "");
            if !found.iter().any(|found| text[found.range.clone()] == *value) {
                let found: Vec<&str> = found.into_iter().map(|found| &text[found.range]).collect();
                missed.push(format!("{kind}: {marked} gives {found:?}"));
            }
        }
    }
    missed
}

#[test]
fn of_every_kind_that_has_a_form_nearly_all_is_found() {
    for (kind, count) in count(&all(), 4_000).iter().filter(|(_, count)| count.there > 0) {
        assert!(count.recall() >= if *kind == "phone" { 0.9 } else { 0.95 }, "{kind}: {}", count.recall());
    }
}

#[test]
fn what_looks_like_a_telephone_number_is_hardly_ever_taken_for_one() {
    let counts = count(&detector(&["phone"]), 4_000);
    let phone = &counts["phone"];
    assert!(phone.recall() >= 0.6 && phone.precision() >= 0.9, "{} {}", phone.recall(), phone.precision());
}

#[test]
fn of_the_published_forms_nearly_all_are_found() {
    let missed = missed(&all());
    let there: usize = VECTORS.iter().map(|(_, texts)| texts.len()).sum();
    assert!(missed.len() * 100 <= there * 2, "{} of {there}:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn clean_text_raises_hardly_any_alarm() {
    let text = corpus::clean(11, 1_000_000);
    for (name, most, detector) in [("default", 2.0, detector(&[])), ("all", 20.0, all())] {
        let alarms = alarms(&detector, &text);
        let rate = per_megabyte(&alarms, text.len());
        assert!(rate <= most, "{name}: {rate} per MB, {alarms:?}");
    }
}

#[test]
fn clean_text_is_hardly_ever_taken_for_an_injection_and_what_is_passed_around_mostly_is() {
    let detector = detector(&["injection_heuristic"]);
    let quiet = corpus::clean(11, 1_000_000) + &injections::LOOKALIKES.join("\n").repeat(4);
    let alarms = alarms(&detector, &quiet);
    assert!(per_megabyte(&alarms, quiet.len()) <= 5.0, "{alarms:?}");
    let missed = injections::missed(&detector);
    assert!(missed.len() * 10 <= injections::ATTACKS.len() * 2, "{missed:#?}");
}

#[test]
fn a_third_of_attempts_that_nobody_has_seen_are_found_and_hardly_any_harmless_text() {
    let detector = detector(&["injection_heuristic"]);
    let [(found, attacks), (alarms, harmless)] =
        injections::UNSEEN.map(|texts| injections::found(&detector, texts)["all"]);
    assert!(found * 100 >= attacks * 33, "{found} of {attacks}");
    assert!(alarms * 100 <= harmless * 3, "{alarms} of {harmless}");
}

#[test]
#[ignore = "prints numbers"]
fn quality() {
    let clean = corpus::clean(11, 8_000_000);
    let list = std::env::var("GUARDS_TEXT").ok().and_then(|path| std::fs::read_to_string(path).ok());
    let real: Vec<String> = list.iter().flat_map(|list| list.lines()).flat_map(std::fs::read_to_string).collect();
    for (set, detector) in [("default", detector(&[])), ("all", all())] {
        println!("\n{set}\n{:20} {:>6} {:>7} {:>9}", "kind", "there", "recall", "precision");
        for (kind, count) in count(&detector, 20_000) {
            println!("{kind:20} {:6} {:7.3} {:9.3}", count.there, count.recall(), count.precision());
        }
        let found = alarms(&detector, &clean);
        println!("clean text: {:.2} per MB {found:?}", per_megabyte(&found, clean.len()));
        let bytes: usize = real.iter().map(String::len).sum();
        let mut found: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for (name, (count, last)) in real.iter().flat_map(|text| alarms(&detector, text)) {
            let entry = found.entry(name).or_default();
            *entry = (entry.0 + count, last);
        }
        if bytes > 0 {
            println!("real text: {:.2} per MB of {bytes} bytes {found:?}", per_megabyte(&found, bytes));
        }
    }
    let detector = detector(&["injection_heuristic"]);
    let (unseen, there) = (injections::missed(&detector), injections::ATTACKS.len());
    let quiet = clean.clone() + &injections::LOOKALIKES.join("\n");
    let found = alarms(&detector, &quiet);
    println!("\ninjection_heuristic\nfound: {} of {there}, missed: {unseen:#?}", there - unseen.len());
    println!("clean text: {:.2} per MB {found:?}", per_megabyte(&found, quiet.len()));
    for (name, texts) in [("seen", injections::SEEN), ("unseen", injections::UNSEEN)] {
        let [attacks, harmless] = texts.map(|texts| injections::found(&detector, texts));
        println!("{name}: attempts, found of all {attacks:?}\n{name}: harmless texts, found of all {harmless:?}");
    }
    for text in &real {
        let found = alarms(&detector, text);
        if !found.is_empty() {
            println!("real text: {found:?}");
        }
    }
    println!("\nof the published forms these are missed:\n{}", missed(&all()).join("\n"));
}
