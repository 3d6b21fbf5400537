//! Texts written to mislead.

use tidegate::steps::redact::{Action, Custom, Detector, JsonLane, Key, Refused, Replacer, Restorer, Settings, Vault};

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

fn masked(detector: &Detector, text: &str) -> String {
    let mut vault = Vault::new(Key::derive(b"secret", "scope"));
    let mut judge = Replacer::new(detector, &mut vault, |_| Action::Replace);
    detector.rewrite(text, "", &mut judge).unwrap().unwrap_or_else(|| text.to_owned())
}

#[test]
fn json_in_a_json_string_is_looked_at_and_stays_json() {
    let inner = r#"{"a":"line\njo@example.com\tb@b.io","b":"\u003cjo@example.com\u003e","c":"x\n4111 1111 1111 1111","d":"C:\\new"}"#;
    let detector = detector();
    let once = masked(&detector, inner);
    let value: serde_json::Value = serde_json::from_str(&once).unwrap();
    for secret in ["jo@", "b@b.io", "4111"] {
        assert!(!once.contains(secret), "{once}");
    }
    assert!(value["a"].as_str().unwrap().starts_with("line\n<EMAIL_1_"));
    assert!(value["b"].as_str().unwrap().starts_with("<<EMAIL_1_"));
    let mut vault = Vault::new(Key::derive(b"secret", "scope"));
    let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Replace);
    let outer = serde_json::json!({ "result": inner }).to_string();
    let (mut lane, mut out) = (JsonLane::default(), String::new());
    lane.push(&detector, &outer, &mut judge, &mut out).unwrap();
    lane.end(&detector, &mut judge, &mut out).unwrap();
    let outer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(outer["result"].as_str(), Some(once.as_str()));
}

#[test]
fn a_letter_behind_a_backslash_that_is_no_escape_hides_nothing() {
    let detector = detector();
    assert!(!masked(&detector, r"CORP\jo@example.com").contains("jo@"));
    assert!(!masked(&detector, r"C:\users\ursula@example.com").contains("ursula@"));
    assert!(!masked(&detector, r"\u00jo@example.com").contains("jo@"));
    // The letter of what may be an escape stays, and no more.
    assert!(masked(&detector, r"\nick@example.com").starts_with(r"\n<EMAIL"));
}

#[test]
fn an_address_in_a_query_is_found_with_its_percent_sign() {
    assert!(masked(&detector(), "/api?user=jo.doe%40example.com&page=2").starts_with("/api?user=<EMAIL_1_"));
}

#[test]
fn digits_in_the_frames_of_keys_are_digits() {
    let text: String = "4111 1111 1111 1111"
        .chars()
        .map(|c| if c == ' ' { c.to_string() } else { format!("{c}\u{fe0f}\u{20e3}") })
        .collect();
    assert!(masked(&detector(), &text).starts_with("<CARD_1_"));
}

#[test]
fn what_is_encoded_itself_or_written_in_another_script_is_not_seen() {
    let detector = detector();
    for text in [r"jo\u0040example.com", "am9AZXhhbXBsZS5jb20=", "jо@exаmple.com", "④111 1111 1111 1111"] {
        assert_eq!(masked(&detector, text), text);
    }
}

#[test]
fn an_expression_that_would_be_slow_or_huge_is_refused_when_it_is_compiled() {
    let problem = |regex: &str| {
        let custom = vec![Custom { name: "x".into(), regex: regex.into(), ..Custom::default() }];
        Detector::compile(&Settings { custom, ..Settings::default() }).err().map(|problem| problem.to_string())
    };
    let begun = std::time::Instant::now();
    for (regex, says) in [
        ("(a+)+b", "no longest match"),
        ("a{1,200}{1,200}", "at most 512"),
        ("(?:a{0,20}){0,20}", "matches an empty text"),
        (r"(?:\w{1,20} ){1,6}x", "too large"),
        (r"[^\n]{0,40}x[^\n]{60}", "too large"),
        ("(", "is not understood"),
        (r"(a)\1", "is not understood"),
        ("(?=a)b", "is not understood"),
        (r"\bx{1,3}", "word borders"),
    ] {
        let problem = problem(regex).unwrap_or_default();
        assert!(problem.contains(says), "{regex}: {problem:?}");
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(60));
}
