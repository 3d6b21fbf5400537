//! What is wrong with a suite although each of its fields is right by itself.

use std::path::Path;

use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::document::{ExpectDoc, GivenDoc, ReplyDoc, RequestDoc, SuiteDoc, TestDoc};
use crate::base::ids::TargetName;
use crate::policy::{At, Config, OneOrMany, Problem, Table, codes, did_you_mean};

/// What time it is in tests that do not say.
pub const USUAL_CLOCK: &str = "2026-01-01T00:00:00Z";

/// What the suite says of itself, without its configuration.
pub fn of_suite(document: &SuiteDoc, problems: &mut Vec<Problem>) {
    if document.version.value != 1 {
        let message = format!("version {} of test files is not known; this is version 1", document.version.value);
        problems.push(Problem::error(codes::OUT_OF_RANGE, message).at(document.version.span, ""));
    }
    clock(document.clock.as_ref(), problems);
    if document.tests.is_empty() {
        let problem = Problem::error(codes::EMPTY, "there is no test in `tests`").at(document.tests.span, "");
        problems.push(problem.help("a test has a `name`, a `request` and what to `expect`"));
    }
    repeated_names(&document.tests, problems);
    document.tests.iter().for_each(|test| of_test(test, problems));
    replies(document).for_each(|reply| idle_words(reply, problems));
}

/// Gateway files that are not there, and the ones beside them that are likely meant.
pub fn missing_gateways(named: &OneOrMany<At<String>>, folder: &Path, problems: &mut Vec<Problem>) {
    for name in &named.0 {
        let path = folder.join(&name.value);
        if path.is_file() {
            continue;
        }
        let beside = path.parent().map(std::fs::read_dir).and_then(Result::ok).into_iter().flatten();
        let beside = beside.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let known: Vec<_> = beside.filter(|name| !name.contains(".test.")).collect();
        let wanted = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let label = did_you_mean(wanted, known.iter().map(String::as_str));
        let problem = Problem::error(codes::UNREADABLE, format!("there is no file `{}`", name.value));
        problems.push(problem.at(name.span, label).help("paths start from the folder of this file"));
    }
}

/// The time that a test begins at.
pub fn clock(written: Option<&At<String>>, problems: &mut Vec<Problem>) -> Option<Timestamp> {
    let Some(written) = written else { return USUAL_CLOCK.parse().ok() };
    let read = written.value.parse();
    if read.is_err() {
        let problem = Problem::error(codes::WRONG_VALUE, format!("`{}` is not a time", written.value));
        let help = format!("write it as RFC 3339 does: `{USUAL_CLOCK}`");
        problems.push(problem.at(written.span, "").help(help));
    }
    read.ok()
}

fn of_test(test: &TestDoc, problems: &mut Vec<Problem>) {
    clock(test.given.as_ref().and_then(|given| given.clock.as_ref()), problems);
    two_callers(test, problems);
    let turns = test.then.iter().map(|turn| (turn.request.as_ref(), &turn.expect));
    for (request, expected) in std::iter::once((Some(&test.request), &test.expect)).chain(turns) {
        if let Some(request) = request {
            two_bodies(request, problems);
        }
        if expected.value == ExpectDoc::default() {
            let problem = Problem::error(codes::EMPTY, format!("the test `{}` expects nothing", test.name.value));
            problems.push(problem.at(expected.span, "").help("name at least a `status`"));
        }
        expected.answer_matches.0.iter().for_each(|pattern| bad_pattern(pattern, problems));
        let upstream = expected.upstream.0.iter().map(|(_, upstream)| &upstream.json);
        upstream.chain([&expected.json]).for_each(|paths| bad_paths(paths, problems));
    }
}

fn repeated_names(tests: &[At<TestDoc>], problems: &mut Vec<Problem>) {
    for (index, test) in tests.iter().enumerate() {
        if let Some(first) = tests.iter().take(index).find(|first| first.name.value == test.name.value) {
            let problem = Problem::error(codes::DUPLICATE_NAME, format!("there are two tests `{}`", test.name.value));
            problems.push(problem.at(test.name.span, "here again").at(first.name.span, "first here"));
        }
    }
}

fn two_callers(test: &TestDoc, problems: &mut Vec<Problem>) {
    let given = test.given.as_ref().and_then(|given| given.caller.as_ref());
    if let (Some(caller), Some(given)) = (&test.caller, given) {
        let problem = Problem::error(codes::DUPLICATE_NAME, "the test has two callers");
        problems.push(problem.at(given.span, "this one").at(caller.span, "and this one"));
    }
}

/// A verbatim body would silently win over the fields of the short form.
pub fn two_bodies(request: &At<RequestDoc>, problems: &mut Vec<Problem>) {
    let Some(body) = &request.body else { return };
    let fields = [
        ("model", request.model.is_some()),
        ("messages", request.messages.is_some()),
        ("system", request.system.is_some()),
        ("stream", request.stream.is_some()),
        ("max_tokens", request.max_tokens.is_some()),
        ("temperature", request.temperature.is_some()),
        ("tools", request.tools.is_some()),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, is_there)| *is_there) {
        let problem = Problem::error(codes::WRONG_VALUE, format!("the request has a `body` and a `{field}`"));
        problems.push(problem.at(body.span, "").help("a `body` is sent as it is, so everything belongs into it"));
    }
}

/// Words of a reply that another of its words leaves no room for: they would be read and never played.
pub fn idle_words(reply: &At<ReplyDoc>, problems: &mut Vec<Problem>) {
    let said = [
        ("text", reply.text.is_some()),
        ("echo", reply.echo),
        ("thinking", reply.thinking.is_some()),
        ("tool_calls", !reply.tool_calls.is_empty()),
        ("finish", reply.finish.is_some()),
        ("usage", reply.usage.is_some()),
        ("without", !reply.without.0.is_empty()),
        ("malformed", reply.malformed),
        ("error", reply.error.is_some()),
        ("error_after", reply.error_after.is_some()),
    ];
    let sent = [
        ("status", reply.status.is_some()),
        ("headers", !reply.headers.0.is_empty()),
        ("retry_after", reply.retry_after.is_some()),
        ("body", reply.body.is_some()),
        ("stream", reply.stream.is_some()),
        ("headers_then", reply.headers_then.is_some()),
        ("stall_after", reply.stall_after.is_some()),
        ("cut_after", reply.cut_after.is_some()),
        ("cut", reply.cut.is_some()),
    ];
    let (alone, idle) = match (&reply.raw, &reply.body) {
        (Some(_), _) => ("raw", said.iter().chain(&sent).find(|(_, is_there)| *is_there)),
        (None, Some(_)) => ("body", said.iter().find(|(_, is_there)| *is_there)),
        (None, None) => return,
    };
    if let Some((word, _)) = idle {
        let message = format!("the reply has a `{alone}`, which leaves no room for `{word}`");
        problems.push(Problem::error(codes::CONTRADICTION, message).at(reply.span, "in this reply"));
    }
}

/// Every reply in a suite.
fn replies(document: &SuiteDoc) -> impl Iterator<Item = &At<ReplyDoc>> {
    let defaults = document.defaults.iter().map(|defaults| &defaults.upstream);
    let tables = document.tests.iter().map(|test| &test.upstream).chain(defaults);
    tables.flat_map(|table| &table.0).flat_map(|(_, replies)| replies.value.iter())
}

fn bad_pattern(pattern: &At<String>, problems: &mut Vec<Problem>) {
    if let Err(error) = Regex::new(pattern) {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let problem = Problem::error(codes::WRONG_VALUE, format!("`{}` is not a regular expression", pattern.value));
        problems.push(problem.at(pattern.span, reason));
    }
}

fn bad_paths(paths: &Table<Value>, problems: &mut Vec<Problem>) {
    for (path, _) in &paths.0 {
        if let Err(error) = JsonPath::parse(path) {
            let problem = Problem::error(codes::WRONG_VALUE, format!("`{}` is not a JSON path", path.value));
            let help = "paths are those of RFC 9535: `$.choices[0].message.content`";
            problems.push(problem.at(path.span, error.message().to_owned()).help(help));
        }
    }
}

/// Every name of a target in a suite.
pub fn targets_in(document: &SuiteDoc) -> impl Iterator<Item = &At<String>> {
    let defaults = document.defaults.iter().map(|defaults| &defaults.upstream);
    let scripts = document.tests.iter().map(|test| &test.upstream).chain(defaults).flat_map(names);
    let given = document.tests.iter().filter_map(|test| test.given.as_ref()).flat_map(|given| named_in(given));
    let turns = document.tests.iter().flat_map(|test| test.then.iter().map(|turn| &turn.expect).chain([&test.expect]));
    // What a plugin has called is no target: `POST https://example.org/check`.
    let received = turns.flat_map(|expected| names(&expected.upstream)).filter(|name| !name.contains("://"));
    scripts.chain(given).chain(received)
}

/// Every name of a target in the state that a test is given.
pub fn named_in(given: &GivenDoc) -> impl Iterator<Item = &At<String>> {
    let periods = [&given.breakers_open, &given.first_token, &given.resting].into_iter().flat_map(names);
    periods.chain(names(&given.in_flight)).chain(names(&given.recent))
}

fn names<T>(table: &Table<T>) -> impl Iterator<Item = &At<String>> {
    table.0.iter().map(|(name, _)| name)
}

/// Guards that the configuration does not have.
pub fn undefined_screens<'a>(given: impl Iterator<Item = &'a GivenDoc>, config: &Config, problems: &mut Vec<Problem>) {
    for screen in given.flat_map(|given| names(&given.screens)).filter(|name| !config.screens.contains_key(&name.value))
    {
        let known: Vec<_> = config.screens.keys().map(String::as_str).collect();
        let problem = Problem::error(codes::UNDEFINED, format!("there is no screen `{}`", screen.value));
        let problem = problem.at(screen.span, did_you_mean(&screen.value, known.iter().copied()));
        problems.push(if known.is_empty() {
            problem
        } else {
            problem.help(format!("known are: {}", known.join(", ")))
        });
    }
}

/// Targets that no route leads to: nothing would ever come of what is said of them.
pub fn undefined_targets<'a>(
    targets: impl Iterator<Item = &'a At<String>>,
    config: &Config,
    problems: &mut Vec<Problem>,
) {
    for target in targets.filter(|target| !config.targets.keys().any(|known| known.as_str() == target.value)) {
        let known: Vec<_> = config.targets.keys().map(TargetName::as_str).collect();
        let problem = Problem::error(codes::UNDEFINED, format!("no route leads to a target `{}`", target.value));
        let label = did_you_mean(&target.value, known.iter().copied());
        problems.push(problem.at(target.span, label).help(format!("targets are: {}", known.join(", "))));
    }
}
