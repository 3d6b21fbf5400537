//! Texts written to mislead.

use tidegate::steps::redact::{Action, Detector, JsonLane, Key, Refused, Replacer, Restorer, Settings, Vault};

fn detector() -> Detector {
    Detector::compile(&Settings::default()).unwrap()
}

#[test]
fn a_forged_placeholder_is_not_restored() {
    let mut vault = Vault::new(Key::derive(b"secret", "scope"));
    let placeholder = vault.placeholder("EMAIL", "jo@example.com");
    let restorer = Restorer::new(["EMAIL"]).unwrap();
    let forged: String =
        placeholder.chars().rev().skip(1).collect::<String>().replacen(|c: char| c.is_ascii_alphanumeric(), "z", 1);
    let forged: String = forged.chars().rev().chain(['>']).collect();
    let other = Vault::new(Key::derive(b"other", "scope"));
    assert_eq!(restorer.restore(&other, &placeholder), placeholder);
    if forged != placeholder {
        assert_eq!(restorer.restore(&vault, &forged), forged);
    }
}

#[test]
fn a_very_long_run_of_digits_is_read_in_one_pass_and_found_in_nothing() {
    let text = "4".repeat(10_000_000);
    assert!(detector().findings(&text, "").is_empty());
}

#[test]
fn ten_megabytes_of_dots_and_letters_end() {
    let text = "a.-_+".repeat(2_000_000);
    assert!(detector().findings(&text, "").is_empty());
}

#[test]
fn invisible_characters_hold_back_no_more_than_the_bound() {
    let (detector, mut vault) = (detector(), Vault::new(Key::derive(b"secret", "scope")));
    let (mut lane, mut out) = (detector.lane(""), String::new());
    let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Replace);
    for _ in 0..10_000 {
        detector.push(&mut lane, "4\u{200b}", &mut judge, &mut out).unwrap();
        detector
            .push(&mut lane, "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}", &mut judge, &mut out)
            .unwrap();
        assert!(lane.held() <= detector.hold_back());
    }
}

#[test]
fn after_a_refusal_nothing_more_leaves() {
    let (detector, mut vault) = (detector(), Vault::new(Key::derive(b"secret", "scope")));
    let (mut lane, mut out) = (detector.lane(""), String::new());
    let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Refuse);
    let refused = detector.push(&mut lane, "it is jo@example.com, ok? ", &mut judge, &mut out);
    assert_eq!(refused, Err(Refused { kind: "email".into() }));
    assert_eq!((out.as_str(), lane.held()), ("it is ", 0));
}

#[test]
fn numbers_and_names_in_json_are_looked_at() {
    let detector = Detector::compile(&Settings { find: vec!["pii".into()], ..Settings::default() }).unwrap();
    let mut vault = Vault::new(Key::derive(b"secret", "scope"));
    let (mut lane, mut out) = (JsonLane::default(), String::new());
    let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Mask);
    let json = "{\"card\": 4111111111111111, \"ssn\": \"536228726\", \"n\": 536228726.5, \"x\": \"\\u0034111 1111 1111 1111\"}";
    lane.push(&detector, json, &mut judge, &mut out).unwrap();
    lane.end(&detector, &mut judge, &mut out).unwrap();
    assert_eq!(
        out,
        "{\"card\": \"************1111\", \"ssn\": \"*****8726\", \"n\": 536228726.5, \"x\": \"**** **** **** 1111\"}"
    );
}

#[test]
fn broken_json_passes_as_it_came() {
    let (detector, mut vault) = (detector(), Vault::new(Key::derive(b"secret", "scope")));
    for json in ["{\"a\": \"\\ud83d", "\"\\ud83dx\\u00", "\"\\q\\", "-", "{\"a", "\\\"\\ud800\\ud800\""] {
        let (mut lane, mut out) = (JsonLane::default(), String::new());
        let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Replace);
        lane.push(&detector, json, &mut judge, &mut out).unwrap();
        lane.end(&detector, &mut judge, &mut out).unwrap();
        assert_eq!(out, json);
    }
}
