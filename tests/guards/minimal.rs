//! A lane never holds back a byte that no continuation could change.
//!
//! Types of a small alphabet are made up, so that every continuation can be tried: where a lane holds back,
//! there must be two after which the first byte that it holds fares differently. Checks are left out, since no
//! one can ask a checksum about a number that has not come.

use fastrand::Rng;
use proptest::prelude::*;
use tidegate::steps::redact::{Action, Custom, Detector, Key, Replacer, Settings, Vault};

const ALPHABET: [&str; 4] = ["a", "b", "-", " "];
/// No expression here matches more.
const LONGEST: usize = 5;

/// An expression of one to five bytes.
fn expression(rng: &mut Rng) -> String {
    let first = *rng.choice(&["a", "b", "[ab]", "ab"]).unwrap();
    let rest = (0..rng.usize(0..3)).map(|_| *rng.choice(&["a", "[ab]", "-?", "b?", "(?:-|a)", "a{0,1}"]).unwrap());
    format!("{first}{}", rest.collect::<String>())
}

fn detector(rng: &mut Rng) -> Detector {
    let near = if rng.bool() { vec!["ab".to_owned()] } else { Vec::new() };
    let custom = |name: &str, regex: String, near| Custom { name: name.into(), regex, near, ..Custom::default() };
    let custom = vec![custom("one", expression(rng), near), custom("other", expression(rng), Vec::new())];
    Detector::compile(&Settings { find: vec!["card_code".into()], custom, ..Settings::default() }).unwrap()
}

/// How the byte at a place fares: what is found from there, if anything is.
fn fate(detector: &Detector, text: &str, at: usize) -> Option<(usize, usize)> {
    let found = detector.findings(text, "").into_iter().find(|found| found.range.start == at);
    found.map(|found| (found.range.end, found.shape))
}

/// Whether some two continuations of a text differ in how the byte at a place fares.
fn is_open(detector: &Detector, text: &str, at: usize) -> bool {
    let first = fate(detector, text, at);
    let mut continued = vec![text.to_owned()];
    for _ in 0..LONGEST {
        continued = continued.iter().flat_map(|text| ALPHABET.map(|next| format!("{text}{next}"))).collect();
        if continued.iter().any(|text| fate(detector, text, at) != first) {
            return true;
        }
    }
    false
}

/// How much a lane holds after a text that came a character at a time.
fn held(find: &str, text: &str) -> usize {
    let detector = Detector::compile(&Settings { find: vec![find.into()], ..Settings::default() }).unwrap();
    let mut vault = Vault::new(Key::derive(b"secret", "scope"));
    let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Report);
    let (mut lane, mut out) = (detector.lane(""), String::new());
    for c in text.chars() {
        detector.push(&mut lane, c.encode_utf8(&mut [0; 4]), &mut judge, &mut out).unwrap();
    }
    lane.held()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_held_may_still_fare_one_way_or_another(seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let detector = detector(&mut rng);
        let mut vault = Vault::new(Key::derive(b"secret", "scope"));
        let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Report);
        let (mut lane, mut out, mut text) = (detector.lane(""), String::new(), String::new());
        for _ in 0..rng.usize(2..12) {
            let next = *rng.choice(&ALPHABET).unwrap();
            text.push_str(next);
            detector.push(&mut lane, next, &mut judge, &mut out).unwrap();
            let at = text.len() - lane.held();
            prop_assert!(at == text.len() || is_open(&detector, &text, at), "{text:?} is held from {at}");
        }
    }
}

#[test]
fn the_inside_of_a_longer_number_is_not_held() {
    assert_eq!(held("card", "paid 1.4111"), 0);
    assert_eq!(held("card", "paid 4111"), 4);
    // A word that speaks against a card decides it before the number has come.
    assert_eq!(held("card", "version 4111"), 0);
}

#[test]
fn a_bare_number_without_its_word_is_not_held() {
    assert_eq!(held("us_routing", "the 0210000"), 0);
    assert_eq!(held("us_routing", "the routing 0210000"), 7);
}
