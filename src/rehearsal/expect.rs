//! Holding what came of a test against what was expected.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value};
use serde_json_path::JsonPath;

use super::answer::{Answer, json_or_text};
use super::document::{CallDoc, ExpectDoc, UpstreamDoc, UsageDoc};
use super::failure::{Failure, Relation};
use super::house::{House, Seen};
use super::play::Scene;
use crate::dialect::Dialect;
use crate::policy::{At, OneOrMany, Table};

/// Every expectation that was not met.
pub fn check(expected: &ExpectDoc, seen: &Seen, dialect: &dyn Dialect) -> Vec<Failure> {
    let answer = Answer::read(seen, dialect);
    let mut check = Check { failures: Vec::new(), within: String::new() };
    check.head(expected, seen, &answer);
    check.answer(expected, &answer);
    check.structure(expected, &answer);
    check.decisions(expected, seen);
    check.upstream(expected, seen);
    check.log(expected, seen);
    check.time(expected, seen.took);
    check.failures
}

/// The same of how many requests got which status.
pub fn statuses(expected: &ExpectDoc, found: &BTreeMap<u16, usize>) -> Option<Failure> {
    let wanted: BTreeMap<_, _> =
        expected.statuses.0.iter().map(|(status, count)| (status.value.clone(), *count)).collect();
    let found: BTreeMap<_, _> = found.iter().map(|(status, count)| (status.to_string(), *count)).collect();
    let written = |counts: &BTreeMap<String, usize>| {
        let counts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} of {status}")).collect();
        counts.join(", ")
    };
    (!wanted.is_empty() && wanted != found).then(|| Failure {
        field: "statuses".into(),
        relation: Relation::Is,
        expected: written(&wanted),
        found: written(&found),
    })
}

/// The same of what accounts have spent.
pub async fn spend(expected: &ExpectDoc, house: &House) -> Vec<Failure> {
    let mut check = Check { failures: Vec::new(), within: String::new() };
    for (account, wanted) in &expected.spent.0 {
        let found = house.standing(account).await.map_or_else(|reason| reason, |(spent, _)| spent.to_string());
        check.same(&format!("spent.{}", account.value), Some(wanted.0.to_string()), found);
    }
    for (account, most) in &expected.spent_at_most.0 {
        let found = house.standing(account).await;
        let holds = found.as_ref().is_ok_and(|(spent, _)| *spent <= most.0);
        let found = found.map_or_else(|reason| reason, |(spent, _)| spent.to_string());
        let field = format!("spent_at_most.{}", account.value);
        check.holds(&field, Relation::AtMost, holds, most.0.to_string(), &found);
    }
    check.failures
}

struct Check {
    failures: Vec<Failure>,
    /// What all fields that are looked at belong to, with a dot.
    within: String,
}

impl Check {
    fn head(&mut self, expected: &ExpectDoc, seen: &Seen, answer: &Answer) {
        let status = seen.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        self.same("status", expected.status.map(|status| status.to_string()), status);
        self.same("code", expected.code.clone(), answer.code.clone());
        self.same("ending", expected.ending.map(word), word(answer.ended));
        let header = |name: &str| seen.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        self.headers(&expected.headers, &expected.headers_lack, header);
        let body = String::from_utf8_lossy(&seen.body);
        self.texts("body_contains", Relation::Contains, &expected.body_contains, &body);
        self.texts("body_lacks", Relation::Lacks, &expected.body_lacks, &body);
    }

    fn answer(&mut self, expected: &ExpectDoc, answer: &Answer) {
        self.same("answer", expected.answer.clone(), answer.text.clone());
        self.same("thinking", expected.thinking.clone(), answer.thinking.clone());
        self.texts("answer_contains", Relation::Contains, &expected.answer_contains, &answer.text);
        self.texts("answer_lacks", Relation::Lacks, &expected.answer_lacks, &answer.text);
        for pattern in &expected.answer_matches.0 {
            // One that is no pattern was refused when the file was read.
            let fits = Regex::new(pattern).is_ok_and(|regex| regex.is_match(&answer.text));
            self.holds("answer_matches", Relation::Matches, fits, pattern.value.clone(), &answer.text);
        }
    }

    fn structure(&mut self, expected: &ExpectDoc, answer: &Answer) {
        let finish = answer.finish.map_or("none", |reason| reason.name());
        self.same("finish", expected.finish.clone(), finish.to_owned());
        let usage = |usage: UsageDoc| format!("in {}, out {}", usage.input, usage.output);
        let told = answer.usage.as_ref().map(|told| UsageDoc { input: told.input(), output: told.output() });
        self.same("usage", expected.usage.map(usage), told.map_or_else(|| "none".to_owned(), usage));
        if let Some(calls) = &expected.tool_calls {
            self.calls(calls, answer);
        }
        self.paths(&expected.json, &answer.json);
        if let Some(events) = &expected.events {
            self.events(events, &answer.json);
        }
    }

    fn calls(&mut self, expected: &[CallDoc], answer: &Answer) {
        let found: Vec<_> = answer.calls.iter().map(|call| (&call.name, json_or_text(&call.arguments))).collect();
        let fits = |(call, (name, arguments)): (&CallDoc, &(&String, Value))| {
            let wanted = call.arguments.as_ref().map(|wanted| wanted.as_str().map_or(wanted.clone(), json_or_text));
            call.name == **name && wanted.is_none_or(|wanted| wanted == *arguments)
        };
        let all_fit = expected.len() == found.len() && expected.iter().zip(&found).all(fits);
        let written = |name: &str, arguments: Option<&Value>| match arguments {
            Some(arguments) => format!("{name}({arguments})"),
            None => name.to_owned(),
        };
        let wanted: Vec<_> = expected.iter().map(|call| written(&call.name, call.arguments.as_ref())).collect();
        let found: Vec<_> = found.iter().map(|(name, arguments)| written(name, Some(arguments))).collect();
        self.holds("tool_calls", Relation::Is, all_fit, listed(&wanted), &listed(&found));
    }

    /// Each event must come behind the one before.
    fn events(&mut self, expected: &[Value], found: &Value) {
        let mut rest = found.as_array().map(Vec::as_slice).unwrap_or_default();
        for event in expected {
            match rest.iter().position(|found| is_within(event, found)) {
                Some(at) => rest = rest.get(at + 1..).unwrap_or_default(),
                None => {
                    let found: Vec<_> = rest.iter().map(Value::to_string).collect();
                    let found = if found.is_empty() { "no further event".to_owned() } else { found.join("\n") };
                    return self.holds("events", Relation::Contains, false, event.to_string(), &found);
                }
            }
        }
    }

    fn decisions(&mut self, expected: &ExpectDoc, seen: &Seen) {
        let line = seen.decision.as_ref().map(|decision| &decision.line);
        let policy = line.and_then(|line| line.policy.as_ref()).map_or_else(|| "none".to_owned(), ToString::to_string);
        self.same("policy", expected.policy.clone(), policy);
        let cost = line.and_then(|line| line.cost).map_or_else(|| "none".to_owned(), |cost| cost.to_string());
        self.same("cost_usd", expected.cost_usd.map(|cost| cost.0.to_string()), cost);
        self.same("attempts", expected.attempts.as_deref().map(listed), listed(&seen.attempts(Stop::Asked)));
        let passed_over = listed(&seen.attempts(Stop::PassedOver));
        self.same("passed_over", expected.passed_over.as_deref().map(listed), passed_over);
        self.same("losses", expected.losses.as_deref().map(listed), listed(&seen.losses()));
        if let Some(trail) = &expected.trail {
            let wanted: Vec<Value> = trail.iter().map(verdicts).collect();
            let found = seen.steps();
            let fits = |(wanted, found): (&Value, &Value)| is_within(wanted, found) || is_noted(wanted, found);
            let all_fit = wanted.len() == found.len() && wanted.iter().zip(&found).all(fits);
            self.holds(
                "trail",
                Relation::Is,
                all_fit,
                Value::from(wanted).to_string(),
                &Value::from(found).to_string(),
            );
        }
    }

    fn upstream(&mut self, expected: &ExpectDoc, seen: &Seen) {
        let all: Vec<_> = seen.scenes.iter().collect();
        for scene in &all {
            let found = scene.complaint.clone().unwrap_or_default();
            let field = format!("the script of {}", scene.target);
            self.holds(&field, Relation::Is, scene.complaint.is_none(), "played as it is written".into(), &found);
        }
        self.texts("upstream_contains", Relation::Contains, &expected.upstream_contains, &said_to(&all));
        self.texts("upstream_lacks", Relation::Lacks, &expected.upstream_lacks, &said_to(&all));
        for (target, upstream) in &expected.upstream.0 {
            let scenes: Vec<_> = all.iter().copied().filter(|scene| scene.target.as_str() == target.value).collect();
            self.within = format!("upstream.{}.", target.value);
            self.target(upstream, &scenes);
            self.within.clear();
        }
    }

    fn target(&mut self, expected: &UpstreamDoc, scenes: &[&Scene]) {
        self.same("requests", expected.requests.map(|count| count.to_string()), scenes.len().to_string());
        let is_cancelled = scenes.last().is_some_and(|scene| scene.is_cancelled);
        self.same("cancelled", expected.cancelled.map(|wanted| wanted.to_string()), is_cancelled.to_string());
        self.texts("contains", Relation::Contains, &expected.contains, &said_to(scenes));
        self.texts("lacks", Relation::Lacks, &expected.lacks, &said_to(scenes));
        let is_about_requests =
            expected.path.is_some() || !expected.json.0.is_empty() || !expected.headers.0.is_empty();
        if scenes.is_empty() && is_about_requests {
            return self.holds("requests", Relation::AtLeast, false, "1".into(), "0");
        }
        for received in scenes.iter().filter_map(|scene| scene.received.as_ref()) {
            let path = received.head.split(' ').nth(1).unwrap_or_default();
            self.same("path", expected.path.clone(), path.to_owned());
            self.headers(&expected.headers, &expected.headers_lack, |name| header_in(&received.head, name));
            self.paths(&expected.json, &json_or_text(&String::from_utf8_lossy(&received.body)));
        }
    }

    fn log(&mut self, expected: &ExpectDoc, seen: &Seen) {
        let log = seen.decision.as_ref().map(|decision| decision.line.fields()).unwrap_or_default();
        for (name, value) in &expected.log.0 {
            let found = log.get(name.value.as_str()).unwrap_or(&Value::Null);
            self.holds(
                &format!("log.{}", name.value),
                Relation::Is,
                value == found,
                value.to_string(),
                &found.to_string(),
            );
        }
        self.texts("log_lacks", Relation::Lacks, &expected.log_lacks, &Value::from(log).to_string());
    }

    fn time(&mut self, expected: &ExpectDoc, took: Duration) {
        let found = format!("{took:?}");
        if let Some(least) = expected.elapsed_at_least {
            self.holds("elapsed_at_least", Relation::AtLeast, took >= least.0, format!("{:?}", least.0), &found);
        }
        if let Some(most) = expected.elapsed_at_most {
            self.holds("elapsed_at_most", Relation::AtMost, took <= most.0, format!("{:?}", most.0), &found);
        }
    }

    fn same(&mut self, field: &str, expected: Option<String>, found: String) {
        if let Some(expected) = expected {
            self.holds(field, Relation::Is, expected == found, expected, &found);
        }
    }

    fn holds(&mut self, field: &str, relation: Relation, holds: bool, expected: String, found: &str) {
        if !holds {
            let field = self.within.clone() + field;
            self.failures.push(Failure { field, relation, expected, found: found.to_owned() });
        }
    }

    /// Each text is in what was found, or is not if the relation is that.
    fn texts(&mut self, field: &str, relation: Relation, texts: &OneOrMany<String>, found: &str) {
        for text in &texts.0 {
            let holds = found.contains(text.as_str()) == (relation == Relation::Contains);
            self.holds(field, relation, holds, text.clone(), found);
        }
    }

    fn headers(&mut self, wanted: &Table<String>, lacking: &OneOrMany<String>, find: impl Fn(&str) -> Option<String>) {
        for (name, value) in &wanted.0 {
            let found = find(name).unwrap_or_else(|| "no such header".into());
            self.same(&format!("headers.{}", name.value), Some(value.clone()), found);
        }
        for name in &lacking.0 {
            let found = find(name);
            self.holds("headers_lack", Relation::Lacks, found.is_none(), name.clone(), &found.unwrap_or_default());
        }
    }

    fn paths(&mut self, expected: &Table<Value>, json: &Value) {
        for (path, value) in &expected.0 {
            let found = at_path(path, json);
            let shown = found.as_ref().map_or_else(|| format!("nothing there in {json}"), Value::to_string);
            self.holds(
                &format!("json.{}", path.value),
                Relation::Is,
                found.as_ref() == Some(value),
                value.to_string(),
                &shown,
            );
        }
    }
}

/// Which entries of the trail's attempts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Asked,
    PassedOver,
}

impl Seen {
    /// The targets that were asked, or passed over, in order.
    fn attempts(&self, which: Stop) -> Vec<String> {
        let entries = self.decision.iter().flat_map(|decision| &decision.trail.attempts);
        let asked = entries.filter(|attempt| (attempt.outcome == "passed_over") == (which == Stop::PassedOver));
        asked.map(|attempt| attempt.target.to_string()).collect()
    }

    fn losses(&self) -> Vec<String> {
        let entries = self.decision.iter().flat_map(|decision| &decision.trail.attempts);
        entries.flat_map(|attempt| &attempt.losses).map(|loss| loss.what.to_string()).collect()
    }

    /// Each step as `{step: verdict}`, and what it noted beside it.
    fn steps(&self) -> Vec<Value> {
        let entries = self.decision.iter().flat_map(|decision| &decision.trail.steps);
        let written = entries.map(|entry| {
            let notes: Map<_, _> =
                entry.remarks.all().map(|(name, value)| (name.to_string(), json_or_text(&value))).collect();
            let verdict = (entry.step.to_owned(), Value::from(entry.verdict.as_ref()));
            let notes = (!notes.is_empty()).then(|| ("notes".to_owned(), Value::from(notes)));
            Value::Object(std::iter::once(verdict).chain(notes).collect())
        });
        written.collect()
    }
}

fn verdicts(step: &Table<Value>) -> Value {
    Value::Object(step.0.iter().map(|(name, value)| (name.value.clone(), value.clone())).collect())
}

/// `{redact: {email: 1}}`: a step by what it noted instead of its verdict.
fn is_noted(wanted: &Value, found: &Value) -> bool {
    let (Some(wanted), Some(notes)) = (wanted.as_object(), found.get("notes")) else { return false };
    wanted.iter().all(|(step, noted)| found.get(step).is_some() && noted.is_object() && is_within(noted, notes))
}

/// Whether `found` has at least what `wanted` has.
fn is_within(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| is_within(value, found)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| is_within(wanted, found))
        }
        _ => wanted == found,
    }
}

/// What the path leads to: one value, or a list of several.
fn at_path(path: &At<String>, json: &Value) -> Option<Value> {
    // One that is no path was refused when the file was read.
    let found = JsonPath::parse(path).ok()?.query(json).all();
    match found.as_slice() {
        [] => None,
        [one] => Some((*one).clone()),
        many => Some(many.iter().map(|one| (*one).clone()).collect()),
    }
}

fn header_in(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut named = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.trim().to_owned())
}

fn said_to(scenes: &[&Scene]) -> String {
    let received = scenes.iter().filter_map(|scene| scene.received.as_ref());
    received.map(|received| received.head.clone() + &String::from_utf8_lossy(&received.body)).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A unit variant as files write it.
fn word(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}
