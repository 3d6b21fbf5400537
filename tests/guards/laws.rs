//! The laws of redaction on streams.

use fastrand::Rng;
use proptest::prelude::*;
use std::sync::LazyLock;
use tidegate::steps::redact::{Action, Detector, JsonLane, Key, List, Replacer, Restorer, Settings, Vault};

use super::corpus;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    let terms = ["committee", "committee met", "licence allows any use", "Öl", "委员会", "ünlü"].map(str::to_owned);
    let lists = vec![List { name: "goods".into(), terms: terms.to_vec().into() }];
    let find = vec!["all".into(), "injection_heuristic".into()];
    Detector::compile(&Settings { find, lists, ..Settings::default() }).unwrap()
});
static RESTORER: LazyLock<Restorer> = LazyLock::new(|| Restorer::new(DETECTOR.labels()).unwrap());

fn vault() -> Vault {
    Vault::new(Key::derive(b"secret", "scope"))
}

fn replacer(vault: &mut Vault) -> Replacer<'_, impl Fn(&str) -> Action> {
    Replacer::new(&DETECTOR, vault, |_| Action::Replace)
}

fn whole(text: &str, vault: &mut Vault) -> String {
    DETECTOR.rewrite(text, "", &mut replacer(vault)).unwrap().unwrap_or_else(|| text.to_owned())
}

/// Cuts a text at random places.
fn chunks<'a>(rng: &mut Rng, mut text: &'a str) -> Vec<&'a str> {
    let most = rng.usize(1..24);
    let mut chunks = Vec::new();
    while !text.is_empty() {
        let mut at = rng.usize(1..=most).min(text.len());
        while !text.is_char_boundary(at) {
            at += 1;
        }
        let (head, tail) = text.split_at(at);
        chunks.push(head);
        text = tail;
    }
    chunks
}

fn streamed(rng: &mut Rng, text: &str, vault: &mut Vault, mut seen: impl FnMut(&str, usize)) -> String {
    let (mut lane, mut out) = (DETECTOR.lane(""), String::new());
    let mut judge = replacer(vault);
    for chunk in chunks(rng, text) {
        DETECTOR.push(&mut lane, chunk, &mut judge, &mut out).unwrap();
        seen(&out, lane.held());
    }
    DETECTOR.end(&mut lane, &mut judge, &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chunking_gives_what_the_whole_gives(seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let text = corpus::mixed(&mut rng);
        let expected = whole(&text, &mut vault());
        let bound = DETECTOR.hold_back();
        let mut wrong = None;
        let out = streamed(&mut rng, &text, &mut vault(), |out, held| {
            if !expected.starts_with(out) || held > bound {
                wrong = Some(format!("{out:?} held {held}"));
            }
        });
        prop_assert_eq!(&out, &expected, "{:?}", text);
        prop_assert!(wrong.is_none(), "{:?} of {:?}", wrong, expected);
    }

    #[test]
    fn what_was_replaced_comes_back_for_every_chunking(seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let text = corpus::mixed(&mut rng);
        let mut vault = vault();
        let redacted = whole(&text, &mut vault);
        let (mut lane, mut out) = (Default::default(), String::new());
        for chunk in chunks(&mut rng, &redacted) {
            RESTORER.push(&mut lane, &vault, chunk, &mut out);
        }
        RESTORER.end(&mut lane, &vault, &mut out);
        prop_assert_eq!(out, text);
    }

    #[test]
    fn json_stays_json_and_comes_back(seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let text = corpus::mixed(&mut rng);
        let value = serde_json::json!({ "note": text, "list": [corpus::mixed(&mut rng), 1.5, null], "n": rng.u32(..) });
        let mut json = value.to_string();
        if rng.bool() {
            json = json.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect() }).collect();
        }
        let mut vault = vault();
        let mut at_once = String::new();
        let mut lane = JsonLane::default();
        lane.push(&DETECTOR, &json, &mut replacer(&mut vault), &mut at_once).unwrap();
        lane.end(&DETECTOR, &mut replacer(&mut vault), &mut at_once).unwrap();
        let mut out = String::new();
        let mut lane = JsonLane::default();
        for chunk in chunks(&mut rng, &json) {
            lane.push(&DETECTOR, chunk, &mut replacer(&mut vault), &mut out).unwrap();
            prop_assert!(at_once.starts_with(&out));
        }
        lane.end(&DETECTOR, &mut replacer(&mut vault), &mut out).unwrap();
        prop_assert_eq!(&out, &at_once);
        let redacted: serde_json::Value = serde_json::from_str(&out).unwrap();
        prop_assert!(redacted["note"].is_string());
        let (mut lane, mut back) = (JsonLane::default(), String::new());
        for chunk in chunks(&mut rng, &out) {
            lane.push_restored(&RESTORER, &vault, chunk, &mut back);
        }
        lane.end_restored(&RESTORER, &vault, &mut back);
        let back: serde_json::Value = serde_json::from_str(&back).unwrap();
        prop_assert_eq!(&back["note"], &value["note"]);
        prop_assert_eq!(&back["list"], &value["list"]);
    }
}
