//! The shipped policies do what their tests say, as `tidegate test policies` runs them.

use std::path::PathBuf;
use std::process::Command;

fn tidegate(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn suite(tests: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = "version: 1\ncallers: { anonymous: true }\nproviders: { a: { kind: openai, key: x } }\n\
                   policies: [{ policy: p, when: 'request.model != \"no\"', route: a/m }]\n";
    std::fs::write(folder.path().join("tidegate.yaml"), gateway).unwrap();
    let path = folder.path().join("p.test.yaml");
    std::fs::write(&path, format!("version: 1\ngateway: tidegate.yaml\ntests:\n{tests}")).unwrap();
    (folder, path)
}

fn run(tests: &str) -> (Option<i32>, String) {
    let (_folder, path) = suite(tests);
    tidegate(&["test", path.to_str().unwrap()])
}

#[test]
fn the_shipped_policies_pass_their_tests() {
    let (code, said) = tidegate(&["test", "policies"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with(" passed, 0 failed\n"), "{said}");
}

#[test]
fn the_failures_that_gateways_are_known_for_do_not_happen() {
    let (code, said) = tidegate(&["test", "tests/policies"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn tests_come_out_the_same_every_time() {
    let said: Vec<_> = (0..20).map(|_| tidegate(&["test", "tests/policies", "policies"]).1).collect();
    assert!(said.iter().all(|one| *one == said[0] && one.ends_with(" 0 failed\n")));
}

#[test]
fn a_test_that_fails_shows_what_was_expected_what_was_found_and_why() {
    let (code, said) =
        run("  - name: it is denied\n    request: { model: m, messages: [] }\n    expect: { status: 403 }\n");
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "it is denied: FAILED",
        "expected  403",
        "found     200",
        "| policy `p` covers the request",
        "| attempt at `a/m`: ok",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[test]
fn a_policy_that_did_not_match_says_what_speaks_against_it() {
    let (_, said) = run("  - name: one\n    request: { model: \"no\", messages: [] }\n    expect: { status: 200 }\n");
    assert!(said.contains("policy `p` is not for it: its condition does not hold"), "{said}");
    assert!(said.contains("`request.model != \"no\"` does not hold\n  |     request.model = \"no\""), "{said}");
}

#[test]
fn a_mistake_in_a_test_file_is_shown_like_one_in_a_policy() {
    let (code, said) = run("  - name: one\n    request: { model: m }\n    expect: { statuss: 200 }\n");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("unknown field `statuss`") && said.contains("did you mean `status`?"), "{said}");
}

#[test]
fn a_script_for_a_target_that_does_not_exist_is_a_mistake() {
    let test = "  - name: one\n    request: { model: m }\n    upstream: { b/m: [{ text: hi }] }\n    expect: { status: 200 }\n";
    let (code, said) = run(test);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no route leads to a target `b/m`") && said.contains("targets are: a/m"), "{said}");
}

#[test]
fn a_filter_that_fits_no_test_is_no_success() {
    let (code, said) = tidegate(&["test", "policies", "-k", "no test is called this"]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn a_request_is_explained_from_the_first_policy_to_the_last_attempt() {
    let (folder, _) = suite("  []\n");
    let file = folder.path().join("request.yaml");
    let gateway = "version: 1\ncallers: { anonymous: true }\nproviders: { a: { kind: openai, key: x }, b: { kind: openai, key: x } }\n\
                   policies:\n- { policy: large, when: 'request.input_tokens > 9000 || (request.stream && caller.team == \"x\")', route: a/m }\n\
                   - { policy: rest, route: { fallback: [a/m, b/m] } }\n";
    std::fs::write(folder.path().join("g.yaml"), gateway).unwrap();
    std::fs::write(&file, "request: { model: m, stream: true, messages: [] }\nupstream: { a/m: [{ status: 500 }] }\n")
        .unwrap();
    let g = folder.path().join("g.yaml");
    let (code, said) = tidegate(&["explain", "--request", file.to_str().unwrap(), "-f", g.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "policy `large` is not for it: its condition does not hold",
        "    `request.input_tokens > 9000` does not hold\n      request.input_tokens = 3",
        "      `request.stream` holds\n        request.stream = true",
        "      `caller.team == \"x\"` does not hold\n        caller.team = null",
        "policy `rest` covers the request",
        "plan: a/m, then b/m",
        "attempt at `a/m`: server_error: `a/m` failed with status 500",
        "attempt at `b/m`: ok",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[test]
fn two_tests_of_one_name_are_a_mistake() {
    let test = "  - name: one\n    request: { model: m }\n    expect: { status: 200 }\n";
    let (code, said) = run(&test.repeat(2));
    assert!(code == Some(2) && said.contains("there are two tests `one`"), "{said}");
}

#[test]
fn a_test_that_expects_nothing_is_a_mistake() {
    let (code, said) = run("  - name: one\n    request: { model: m }\n    expect: {}\n");
    assert!(code == Some(2) && said.contains("the test `one` expects nothing"), "{said}");
}
