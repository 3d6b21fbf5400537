//! A suite: read once, then played test by test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::document::{DefaultsDoc, ExpectDoc, RepeatDoc, ReplyDoc, RequestDoc, SuiteDoc, TestDoc};
use super::expect::{self, Failure};
use super::house::{self, Given, House, Seen};
use super::play::Play;
use super::story;
use crate::base::ids::TargetName;
use crate::dialect::{self, Dialect};
use crate::policy::{At, Environment, Ink, Loaded, Problem, Sources, Table, codes, load, read_file};

/// A suite whose configuration is sound.
pub struct Suite {
    pub path: PathBuf,
    tests: Vec<At<TestDoc>>,
    defaults: DefaultsDoc,
    loaded: Loaded,
    environment: Environment,
    now: Timestamp,
}

/// How a test came out.
pub struct Outcome {
    pub name: String,
    /// What was not as expected; empty if it passed.
    pub failures: Vec<Failure>,
    /// What was decided, a line each.
    pub trail: Vec<String>,
}

pub(super) const USUAL_CLOCK: &str = "2026-01-01T00:00:00Z";

impl Suite {
    /// Reads a suite and the configuration that it tests.
    ///
    /// # Errors
    /// What is wrong with either, as people read it.
    pub fn read(path: &Path, ink: Ink) -> Result<Self, String> {
        let (mut sources, mut problems) = (Sources::default(), Vec::new());
        let document: Option<SuiteDoc> = read_file(path, &mut sources, &mut problems);
        let clock = document.as_ref().and_then(|document| clock(document, &mut problems));
        let (Some(document), Some(now), true) = (document, clock, problems.is_empty()) else {
            return Err(render(&problems, &sources, ink));
        };
        let variables = document.env.0.iter().map(|(name, value)| (name.value.clone(), value.clone()));
        let environment = Environment::of(variables, "").or("placeholder");
        let named: Vec<String> = document.gateway.0.iter().map(|name| name.value.clone()).collect();
        let loaded = load(&house::gateway_files(path, &named), &environment);
        if loaded.config.is_none() {
            return Err(render(&loaded.problems, &loaded.sources, ink));
        }
        let mut mistakes = Vec::new();
        let defaults = document.defaults.unwrap_or_default();
        let tables = document.tests.iter().map(|test| &test.upstream).chain([&defaults.upstream]);
        for (target, _) in tables.flat_map(|table| &table.0) {
            undefined_target(target, &loaded, &mut mistakes);
        }
        repeated_names(&document.tests, &mut mistakes);
        document.tests.iter().for_each(|test| expects_nothing(test, &mut mistakes));
        if !mistakes.is_empty() {
            return Err(render(&mistakes, &sources, ink));
        }
        let tests = document.tests.value;
        Ok(Self { path: path.to_owned(), tests, defaults, loaded, environment, now })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|test| test.name.value.as_str())
    }

    /// Plays the test of this name, on a thread whose chances are drawn anew and whose clock jumps.
    pub fn play(&self, name: &str) -> Option<Outcome> {
        let test = self.tests.iter().find(|test| test.name.value == name)?;
        // The same lots each time, whatever other tests have drawn.
        fastrand::seed(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let (failures, trail) = match runtime {
            Ok(runtime) => runtime.block_on(self.turns(test)),
            Err(error) => (vec![broken(format!("no runtime: {error}"))], Vec::new()),
        };
        Some(Outcome { name: test.name.value.clone(), failures, trail })
    }

    /// The requests of a test one after the other, up to the first whose answer is not as expected.
    async fn turns(&self, test: &TestDoc) -> (Vec<Failure>, Vec<String>) {
        let house = match House::build(&self.given(test)) {
            Ok(house) => house,
            Err(reason) => return (vec![broken(reason)], Vec::new()),
        };
        let mut request = &test.request;
        let first = (None, test.repeat, &test.expect);
        let further = test.then.iter().map(|turn| (Some(turn), turn.repeat, &turn.expect));
        for (turn, repeat, expected) in std::iter::once(first).chain(further) {
            if let Some(turn) = turn {
                tokio::time::sleep(turn.after.map_or(Duration::ZERO, |after| after.0)).await;
                request = turn.request.as_ref().unwrap_or(request);
            }
            for seen in ask(&house, request, repeat).await {
                let (failures, trail) = match seen {
                    Ok(seen) => (expect::check(expected, &seen, speaks(request)), story::of(&seen)),
                    Err(reason) => (vec![broken(reason)], Vec::new()),
                };
                if !failures.is_empty() {
                    return (failures, trail);
                }
            }
        }
        (Vec::new(), Vec::new())
    }

    fn given(&self, test: &TestDoc) -> Given<'_> {
        let caller = test.caller.as_ref().or(self.defaults.caller.as_ref()).map(|caller| caller.value.clone());
        let mut scripts = scripts(&self.defaults.upstream);
        scripts.extend(self::scripts(&test.upstream));
        let play = Arc::new(Play::new(scripts));
        Given { loaded: &self.loaded, environment: &self.environment, now: self.now, caller, play }
    }
}

async fn ask(house: &House, request: &RequestDoc, repeat: Option<RepeatDoc>) -> Vec<Result<Seen, String>> {
    let times = repeat.map_or(1, |repeat| repeat.times.get());
    if repeat.is_some_and(|repeat| repeat.concurrently) {
        return futures_util::future::join_all((0..times).map(|_| house.ask(request))).await;
    }
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(house.ask(request).await);
    }
    seen
}

/// The dialect that the caller of a request reads.
fn speaks(request: &RequestDoc) -> &'static dyn Dialect {
    let path = request.endpoint.as_ref().map_or("", |path| path.value.as_str());
    if path.contains("/messages") {
        &dialect::anthropic_messages::AnthropicMessages
    } else {
        &dialect::openai_chat::OpenAiChat
    }
}

fn broken(reason: String) -> Failure {
    Failure { field: "request".into(), expected: "an answer".into(), found: reason }
}

pub(super) fn scripts(table: &Table<At<Vec<At<ReplyDoc>>>>) -> HashMap<TargetName, Vec<ReplyDoc>> {
    let script = |(target, replies): &(At<String>, At<Vec<At<ReplyDoc>>>)| {
        (TargetName::new(&target.value), replies.iter().map(|reply| reply.value.clone()).collect())
    };
    table.0.iter().map(script).collect()
}

fn clock(document: &SuiteDoc, problems: &mut Vec<Problem>) -> Option<Timestamp> {
    if document.version.value != 1 {
        let message = format!("version {} of test files is not known; this is version 1", document.version.value);
        problems.push(Problem::error(codes::OUT_OF_RANGE, message).at(document.version.span, ""));
    }
    let Some(clock) = &document.clock else { return USUAL_CLOCK.parse().ok() };
    let read = clock.value.parse();
    if read.is_err() {
        let message = format!("`{}` is not a time", clock.value);
        let help = format!("write it as RFC 3339 does: `{USUAL_CLOCK}`");
        problems.push(Problem::error(codes::WRONG_VALUE, message).at(clock.span, "").help(help));
    }
    read.ok()
}

fn repeated_names(tests: &[At<TestDoc>], problems: &mut Vec<Problem>) {
    for (index, test) in tests.iter().enumerate() {
        if let Some(first) = tests.iter().take(index).find(|first| first.name.value == test.name.value) {
            let problem = Problem::error(codes::DUPLICATE_NAME, format!("there are two tests `{}`", test.name.value));
            problems.push(problem.at(test.name.span, "here again").at(first.name.span, "first here"));
        }
    }
}

/// A test that cannot fail tests nothing.
fn expects_nothing(test: &TestDoc, problems: &mut Vec<Problem>) {
    let turns = test.then.iter().map(|turn| &turn.expect);
    for expected in std::iter::once(&test.expect).chain(turns).filter(|expect| expect.value == ExpectDoc::default()) {
        let problem = Problem::error(codes::EMPTY, format!("the test `{}` expects nothing", test.name.value));
        problems.push(problem.at(expected.span, "").help("name at least a `status`"));
    }
}

/// A script for a target that no route leads to would never be played.
fn undefined_target(target: &At<String>, loaded: &Loaded, problems: &mut Vec<Problem>) {
    let Some(config) = &loaded.config else { return };
    if config.targets.keys().any(|known| known.as_str() == target.value) {
        return;
    }
    let known: Vec<_> = config.targets.keys().map(TargetName::as_str).collect();
    let problem = Problem::error(codes::UNDEFINED, format!("no route leads to a target `{}`", target.value));
    problems.push(problem.at(target.span, "").help(format!("targets are: {}", known.join(", "))));
}

pub(super) fn render(problems: &[Problem], sources: &Sources, ink: Ink) -> String {
    problems.iter().map(|problem| problem.render(sources, ink) + "\n\n").collect()
}
