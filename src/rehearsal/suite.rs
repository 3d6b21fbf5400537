//! A suite: read once, then played test by test.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::document::{DefaultsDoc, ExpectDoc, RepeatDoc, ReplyDoc, RequestDoc, SuiteDoc, TestDoc};
use super::expect;
use super::failure::{Failure, Relation};
use super::house::{Given, House, Seen};
use super::mistakes;
use super::play::Play;
use super::story;
use crate::base::ids::TargetName;
use crate::dialect::{self, Dialect};
use crate::gateway::Decision;
use crate::policy::{At, Environment, Ink, Loaded, Problem, Sources, Table, load, read_file};

/// A suite whose configuration is sound.
#[derive(Clone)]
pub struct Suite {
    pub path: PathBuf,
    script: Arc<Script>,
    loaded: Arc<Loaded>,
}

/// What a suite says.
struct Script {
    tests: Vec<At<TestDoc>>,
    /// The line on which each test begins.
    lines: Vec<usize>,
    defaults: DefaultsDoc,
    gateway: Vec<PathBuf>,
    env: Table<String>,
    now: Timestamp,
}

/// A suite that cannot be played.
pub struct Unusable {
    pub path: PathBuf,
    /// What is wrong, as people read it.
    pub reason: String,
    /// The files that may have to be mended.
    pub files: Vec<PathBuf>,
}

/// How a test came out.
#[derive(Default)]
pub struct Outcome {
    pub name: String,
    /// Where the test stands in the suite's file.
    pub line: usize,
    /// What was not as expected; empty if it passed.
    pub failures: Vec<Failure>,
    /// What was decided about the last request, a line each.
    pub trail: Vec<String>,
    /// What was decided about each request.
    pub decisions: Vec<Decision>,
}

impl Suite {
    /// Reads a suite and the configuration that it tests.
    ///
    /// # Errors
    /// What is wrong with either, as people read it.
    pub fn read(path: &Path, ink: Ink) -> Result<Self, Unusable> {
        let (mut sources, mut problems) = (Sources::default(), Vec::new());
        let document: Option<SuiteDoc> = read_file(path, &mut sources, &mut problems);
        let folder = path.parent().unwrap_or(Path::new(""));
        if let Some(document) = &document {
            mistakes::of_suite(document, &mut problems);
            mistakes::missing_gateways(&document.gateway, folder, &mut problems);
        }
        let unusable = |reason: String, mut files: Vec<PathBuf>| {
            files.push(path.to_owned());
            Unusable { path: path.to_owned(), reason, files }
        };
        let (Some(document), true) = (document, problems.is_empty()) else {
            return Err(unusable(render(&problems, &sources, ink), Vec::new()));
        };
        let gateway: Vec<PathBuf> = document.gateway.0.iter().map(|name| folder.join(&name.value)).collect();
        let loaded = load(&gateway, &environment([&document.env]));
        let Some(config) = &loaded.config else {
            return Err(unusable(render(&loaded.problems, &loaded.sources, ink), loaded.files));
        };
        mistakes::undefined_targets(mistakes::targets_in(&document), config, &mut problems);
        let given = document.tests.iter().filter_map(|test| test.given.as_ref()).map(|given| &given.value);
        mistakes::undefined_screens(given, config, &mut problems);
        let now = mistakes::clock(document.clock.as_ref(), &mut problems);
        let (Some(now), true) = (now, problems.is_empty()) else {
            return Err(unusable(render(&problems, &sources, ink), loaded.files));
        };
        let SuiteDoc { tests, defaults, env, .. } = document;
        let (tests, defaults) = (tests.value, defaults.unwrap_or_default());
        let lines = tests.iter().map(|test| sources.place(test.name.span).line).collect();
        let script = Arc::new(Script { tests, lines, defaults, gateway, env, now });
        Ok(Self { path: path.to_owned(), script, loaded: Arc::new(loaded) })
    }

    /// The same tests for another configuration.
    pub fn of(&self, loaded: Loaded) -> Self {
        Self { loaded: Arc::new(loaded), ..self.clone() }
    }

    /// What references in the configuration stand for.
    pub fn environment(&self) -> Environment {
        environment([&self.script.env])
    }

    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.script.tests.iter().map(|test| test.name.value.as_str())
    }

    /// The configuration that is tested, and its files as the suite names them.
    pub fn tested(&self) -> (&[PathBuf], &Loaded) {
        (&self.script.gateway, &self.loaded)
    }

    /// The suite's file and all that its configuration is read from.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = self.loaded.watched(&self.environment());
        files.push(self.path.clone());
        files
    }

    /// Plays the test of this number, on a thread whose chances are drawn anew and whose clock jumps.
    pub fn play(&self, number: usize) -> Option<Outcome> {
        let (test, line) = (self.script.tests.get(number)?, *self.script.lines.get(number)?);
        let mut outcome = Outcome { name: test.name.value.clone(), line, ..Outcome::default() };
        // The same lots each time, whatever other tests have drawn.
        fastrand::seed(1);
        match tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build() {
            Ok(runtime) => runtime.block_on(self.turns(test, &mut outcome)),
            Err(error) => outcome.failures.push(broken(format!("no runtime: {error}"))),
        }
        Some(outcome)
    }

    /// The requests of a test one after the other, up to the first whose answer is not as expected.
    async fn turns(&self, test: &TestDoc, outcome: &mut Outcome) {
        let house = match self.house(test) {
            Ok(house) => house,
            Err(reason) => return outcome.failures.push(broken(reason)),
        };
        self.turn(&house, &test.request, test.repeat, &test.expect, outcome).await;
        let mut request = &test.request;
        for (number, turn) in test.then.iter().enumerate() {
            if !outcome.failures.is_empty() {
                return;
            }
            tokio::time::sleep(turn.after.map_or(Duration::ZERO, |after| after.0)).await;
            request = turn.request.as_ref().unwrap_or(request);
            self.turn(&house, request, turn.repeat, &turn.expect, outcome).await;
            for failure in &mut outcome.failures {
                failure.field.insert_str(0, &format!("then[{number}]."));
            }
        }
    }

    async fn turn(
        &self,
        house: &House,
        request: &RequestDoc,
        repeat: Option<RepeatDoc>,
        expected: &ExpectDoc,
        outcome: &mut Outcome,
    ) {
        let mut statuses = BTreeMap::new();
        for seen in ask(house, request, repeat).await {
            match seen {
                Ok(seen) => {
                    *statuses.entry(seen.status.unwrap_or(0)).or_default() += 1;
                    outcome.failures = expect::check(expected, &seen, speaks(request));
                    outcome.trail = story::of(&seen);
                    outcome.decisions.extend(seen.decision);
                }
                Err(reason) => outcome.failures = vec![broken(reason)],
            }
            if !outcome.failures.is_empty() {
                return;
            }
        }
        outcome.failures.extend(expect::statuses(expected, &statuses));
        outcome.failures.extend(expect::spend(expected, house).await);
    }

    fn house(&self, test: &TestDoc) -> Result<House, String> {
        let state = test.given.as_ref().map(|given| given.value.clone()).unwrap_or_default();
        let caller = test.caller.as_ref().or(state.caller.as_ref()).or(self.script.defaults.caller.as_ref());
        let caller = caller.map(|caller| caller.value.clone());
        let mut scripts = scripts(&self.script.defaults.upstream);
        scripts.extend(self::scripts(&test.upstream));
        let play = Arc::new(Play::new(scripts));
        let environment = environment([&self.script.env, &state.env]);
        let now = mistakes::clock(state.clock.as_ref(), &mut Vec::new()).filter(|_| state.clock.is_some());
        // What the files say may hang on the environment.
        let reloaded = (!state.env.0.is_empty()).then(|| load(&self.script.gateway, &environment));
        let loaded = reloaded.as_ref().unwrap_or(&self.loaded);
        if loaded.config.is_none() {
            return Err(render(&loaded.problems, &loaded.sources, Ink::Plain));
        }
        House::build(&Given {
            loaded,
            environment: &environment,
            now: now.unwrap_or(self.script.now),
            caller,
            play,
            state,
        })
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
    Failure { field: "request".into(), relation: Relation::Is, expected: "an answer".into(), found: reason }
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
