//! A suite: read once, then played test by test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::document::{DefaultsDoc, RepeatDoc, ReplyDoc, RequestDoc, SuiteDoc, TestDoc};
use super::expect::{self, Failure};
use super::house::{Given, House, Seen};
use super::mistakes;
use super::play::Play;
use super::story;
use crate::base::ids::TargetName;
use crate::dialect::{self, Dialect};
use crate::policy::{At, Environment, Ink, Loaded, Problem, Sources, Table, load, read_file};

/// A suite whose configuration is sound.
pub struct Suite {
    pub path: PathBuf,
    tests: Vec<At<TestDoc>>,
    defaults: DefaultsDoc,
    gateway: Vec<PathBuf>,
    loaded: Loaded,
    env: Table<String>,
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

impl Suite {
    /// Reads a suite and the configuration that it tests.
    ///
    /// # Errors
    /// What is wrong with either, as people read it.
    pub fn read(path: &Path, ink: Ink) -> Result<Self, String> {
        let (mut sources, mut problems) = (Sources::default(), Vec::new());
        let document: Option<SuiteDoc> = read_file(path, &mut sources, &mut problems);
        let folder = path.parent().unwrap_or(Path::new(""));
        if let Some(document) = &document {
            mistakes::of_suite(document, &mut problems);
            mistakes::missing_gateways(&document.gateway, folder, &mut problems);
        }
        let (Some(document), true) = (document, problems.is_empty()) else {
            return Err(render(&problems, &sources, ink));
        };
        let gateway: Vec<PathBuf> = document.gateway.0.iter().map(|name| folder.join(&name.value)).collect();
        let loaded = load(&gateway, &environment([&document.env]));
        let Some(config) = &loaded.config else {
            return Err(render(&loaded.problems, &loaded.sources, ink));
        };
        mistakes::undefined_targets(mistakes::targets_in(&document), config, &mut problems);
        let now = mistakes::clock(document.clock.as_ref(), &mut problems);
        let (Some(now), true) = (now, problems.is_empty()) else { return Err(render(&problems, &sources, ink)) };
        let SuiteDoc { tests, defaults, env, .. } = document;
        let (tests, defaults) = (tests.value, defaults.unwrap_or_default());
        Ok(Self { path: path.to_owned(), tests, defaults, gateway, loaded, env, now })
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
        let house = match self.house(test) {
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

    fn house(&self, test: &TestDoc) -> Result<House, String> {
        let state = test.given.as_ref().map(|given| given.value.clone()).unwrap_or_default();
        let caller = test.caller.as_ref().or(state.caller.as_ref()).or(self.defaults.caller.as_ref());
        let caller = caller.map(|caller| caller.value.clone());
        let mut scripts = scripts(&self.defaults.upstream);
        scripts.extend(self::scripts(&test.upstream));
        let play = Arc::new(Play::new(scripts));
        let environment = environment([&self.env, &state.env]);
        let now = mistakes::clock(state.clock.as_ref(), &mut Vec::new()).filter(|_| state.clock.is_some());
        // What the files say may hang on the environment.
        let reloaded = (!state.env.0.is_empty()).then(|| load(&self.gateway, &environment));
        let loaded = reloaded.as_ref().unwrap_or(&self.loaded);
        if loaded.config.is_none() {
            return Err(render(&loaded.problems, &loaded.sources, Ink::Plain));
        }
        House::build(&Given { loaded, environment: &environment, now: now.unwrap_or(self.now), caller, play, state })
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

/// Variables of which later tables go before earlier ones. Those that are not named stand for a placeholder.
pub(super) fn environment<'a>(tables: impl IntoIterator<Item = &'a Table<String>>) -> Environment {
    let variables = tables.into_iter().flat_map(|table| &table.0);
    Environment::of(variables.map(|(name, value)| (name.value.clone(), value.clone())), "").or("placeholder")
}

pub(super) fn render(problems: &[Problem], sources: &Sources, ink: Ink) -> String {
    problems.iter().map(|problem| problem.render(sources, ink) + "\n\n").collect()
}
