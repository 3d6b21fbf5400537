//! The shipped policies do what their tests say, as `tidegate test policies` runs them.

use std::io::{BufRead as _, BufReader};
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

fn come_out_the_same(times: usize) {
    for seed in 0..times {
        let threads = if seed % 2 == 0 { "2" } else { "1" };
        let seed = seed.to_string();
        let (code, said) = tidegate(&["test", "tests/policies", "policies", "--shuffle", &seed, "-j", threads]);
        assert!(code == Some(0) && said.contains(" 0 failed"), "with seed {seed}: {said}");
    }
}

#[test]
fn tests_come_out_the_same_in_any_order_on_any_number_of_threads() {
    come_out_the_same(6);
}

#[test]
#[ignore = "takes minutes; the one above is its short form"]
fn tests_come_out_the_same_a_thousand_times() {
    come_out_the_same(1_000);
}

#[test]
fn the_tests_of_the_shipped_policies_reach_all_there_is() {
    let (_, said) = tidegate(&["test", "policies", "--coverage"]);
    assert!(said.contains("coverage of policies/sidecar.yaml"), "{said}");
    assert!(!said.contains("not reached"), "{said}");
}

#[test]
fn the_tests_of_the_shipped_policies_notice_what_changes_in_them() {
    let (code, said) = tidegate(&["test", "policies", "--mutants", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let all = report["mutants"].as_array().unwrap();
    assert!(all.len() >= 7, "{said}");
    for one in all {
        let (noticed, total) = (one["noticed"].as_u64().unwrap(), one["all"].as_u64().unwrap());
        assert!(noticed * 100 >= total * 95, "only {noticed} of {total} changes to {} are noticed", one["gateway"]);
    }
}

#[test]
fn what_no_test_reaches_is_named_with_its_place() {
    let gateway = "version: 1\ncallers: { anonymous: true }\n\
        providers: { a: { kind: openai, key: x }, b: { kind: openai, key: x } }\npolicies:\n\
        - policy: p\n  when: request.stream\n  route: { fallback: [a/m, b/m] }\n- { policy: q, route: b/n }\n";
    let (folder, path) =
        suite("  - name: one\n    request: { model: m, stream: true, messages: [] }\n    expect: { status: 200 }\n");
    std::fs::write(folder.path().join("tidegate.yaml"), gateway).unwrap();
    let (_, said) = tidegate(&["test", "--coverage", path.to_str().unwrap()]);
    for part in [
        "policies      1 of   2",
        "conditions    1 of   2",
        "fallbacks     0 of   1",
        "not reached: request.stream does not hold (policy `p`, ",
        "tidegate.yaml:6:9)",
        "not reached: from `a/m` to `b/m` (policy `p`",
        "not reached: policy `q`",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[test]
fn the_targets_of_models_are_reached_one_by_one() {
    let gateway = "version: 1\ncallers: { anonymous: true }\n\
        providers: { a: { kind: openai, key: x }, b: { kind: openai, key: x } }\n\
        models: { large: { targets: [a/m, b/m] }, small: { targets: [b/n] } }\n\
        policies: [{ policy: p, for: { models: [large, small] } }]\n";
    let (folder, path) = suite(
        "  - name: one\n    request: { model: large, messages: [] }\n    upstream: { a/m: [{ status: 500 }] }\n    expect: { status: 200 }\n",
    );
    std::fs::write(folder.path().join("tidegate.yaml"), gateway).unwrap();
    let (_, said) = tidegate(&["test", "--coverage", path.to_str().unwrap()]);
    for part in ["routes        2 of   3", "fallbacks     1 of   1", "not reached: from `small` to `b/n`"] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[test]
fn a_script_that_cannot_be_played_as_it_is_written_fails_its_test() {
    let script = |stream: &str, reply: &str| {
        format!(
            "  - name: one\n    request: {{ model: m, stream: {stream}, messages: [] }}\n    upstream: {{ a/m: [{{ text: a b, {reply} }}] }}\n    expect: {{ policy: p }}\n"
        )
    };
    for (stream, reply, why) in [
        ("true", "cut: { inside: ß }", "the text at which it was to be cut is not in it"),
        ("true", "stall_after: 50", "it was to end after 50 events, and has 4"),
        ("false", "error_after: 1", "no stream was asked for"),
    ] {
        let (code, said) = run(&script(stream, reply));
        assert!(code == Some(1) && said.contains("the script of a/m") && said.contains(why), "{said}");
    }
}

#[test]
fn no_broken_file_of_the_repository_is_taken_for_a_test() {
    // Not those of plugins, which have to be built first: `tests/samples.rs` sees to them.
    let (code, said) = tidegate(&["test", "policies", "tests"]);
    assert!(code == Some(0) && !said.contains("cannot be used"), "{said}");
}

#[test]
fn continuous_integration_reads_the_results_as_xml() {
    let (folder, path) = suite(
        "  - name: it is <denied>\n    request: { model: m, messages: [] }\n    expect: { status: 403 }\n\
         \x20 - name: it is let in\n    request: { model: m, messages: [] }\n    expect: { status: 200 }\n",
    );
    let xml = folder.path().join("junit.xml");
    let (code, _) = tidegate(&["test", path.to_str().unwrap(), "--junit", xml.to_str().unwrap()]);
    let written = std::fs::read_to_string(xml).unwrap();
    assert_eq!(code, Some(1));
    for part in [
        "tests=\"2\"",
        "failures=\"1\"",
        "<testcase name=\"it is &lt;denied&gt;\"",
        "<testcase name=\"it is let in\"",
        "status: expected 403, found 200",
        "policy `p` covers the request",
    ] {
        assert!(written.contains(part), "`{part}` is not in\n{written}");
    }
}

#[test]
fn programs_read_the_results_as_json() {
    let (_folder, path) =
        suite("  - name: it is denied\n    request: { model: m, messages: [] }\n    expect: { status: 403 }\n");
    let (code, said) = tidegate(&["test", path.to_str().unwrap(), "--json", "--coverage"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["failed"], &report["passed"]), (Some(1), &1.into(), &0.into()));
    let failure = &report["suites"][0]["tests"][0]["failures"][0];
    assert_eq!(
        (&failure["field"], &failure["expected"], &failure["found"]),
        (&"status".into(), &"403".into(), &"200".into())
    );
    assert_eq!(report["coverage"][0]["summary"]["policies"]["reached"], 1);
}

#[test]
fn a_change_that_no_test_notices_is_named() {
    let (_folder, path) =
        suite("  - name: one\n    request: { model: m, messages: [] }\n    expect: { status: 200 }\n");
    let (code, said) = tidegate(&["test", path.to_str().unwrap(), "--mutants"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("not noticed: `when` taken away"), "{said}");
    assert!(!said.contains("opposite"), "the test fails if the condition is turned around\n{said}");
}

#[test]
fn a_test_that_fails_shows_what_was_expected_what_was_found_and_why() {
    let (code, said) =
        run("  - name: it is denied\n    request: { model: m, messages: [] }\n    expect: { status: 403 }\n");
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "p.test.yaml:4: it is denied: FAILED",
        "status (- expected, + found)",
        "- 403",
        "+ 200",
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
fn a_request_is_explained_to_programs_as_well() {
    let (folder, _) = suite("  []\n");
    let file = folder.path().join("request.yaml");
    std::fs::write(&file, "request: { model: \"no\", messages: [] }\n").unwrap();
    let gateway = folder.path().join("tidegate.yaml");
    let (_, said) =
        tidegate(&["explain", "--json", "--request", file.to_str().unwrap(), "-f", gateway.to_str().unwrap()]);
    let story: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&story["policies"][0]["verdict"], &story["status"]), (&"when".into(), &404.into()));
    assert_eq!(story["policies"][0]["condition"]["asked"]["request.model"], "\"no\"");
}

#[test]
fn tests_run_again_when_a_file_changes() {
    let (folder, path) =
        suite("  - name: it is let in\n    request: { model: m, messages: [] }\n    expect: { status: 200 }\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let mut child = command.args(["test", "--watch"]).arg(&path).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "1 passed, 0 failed"));
    assert!(lines.any(|line| line.starts_with("waiting for a change")));
    let gateway = folder.path().join("tidegate.yaml");
    let denied = std::fs::read_to_string(&gateway).unwrap().replace("route: a/m", "route: { deny: { code: gone } }");
    std::fs::write(&gateway, denied).unwrap();
    assert!(lines.any(|line| line == "0 passed, 1 failed"));
    child.kill().unwrap();
    child.wait().unwrap();
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
