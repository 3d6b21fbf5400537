//! Whether what came is what was expected.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

use super::document::{ExpectDoc, VerdictDoc};
use super::outcome::{Came, Said, Verdict};
use crate::rehearsal::failure::{Failure, Relation};

/// Everything that is not as expected.
pub fn all(expect: &ExpectDoc, came: &Came) -> Vec<Failure> {
    let mut failures = Failures::default();
    match (&came.said, &expect.failure) {
        (Ok(said), None) => of_said(expect, said, &mut failures),
        (Ok(said), Some(expected)) => failures.add("failure", Relation::Contains, expected, said.verdict.name()),
        (Err(trouble), expected) => {
            let found = match trouble.own_words() {
                Some(words) => format!("{trouble}: {words}"),
                None => trouble.to_string(),
            };
            match expected {
                Some(expected) if found.contains(expected) => {}
                Some(expected) => failures.add("failure", Relation::Contains, expected, &found),
                None => failures.add("verdict", Relation::Is, "no failure", &found),
            }
        }
    }
    let done = &came.done;
    failures.parts("kv", &expect.kv, &done.kv);
    failures.parts("numbers", &expect.numbers, &done.numbers);
    failures.parts("counted", &expect.counted, &done.counted);
    failures.same("sent", expect.sent.as_ref(), &done.sent);
    if let Some(asked) = &expect.asked {
        let is_asked = asked.len() == done.asked.len()
            && asked.iter().zip(&done.asked).all(|(part, question)| question.contains(part.as_str()));
        if !is_asked {
            failures.add("asked", Relation::Contains, &lines(asked), &lines(&done.asked));
        }
    }
    for line in &expect.logged {
        if !done.logged.iter().any(|logged| logged.contains(line.as_str())) {
            failures.add("logged", Relation::Contains, line, &lines(&done.logged));
        }
    }
    failures.0
}

fn of_said(expect: &ExpectDoc, said: &Said, failures: &mut Failures) {
    let found = match said.verdict {
        Verdict::Pass => VerdictDoc::Pass,
        Verdict::Deny(_) => VerdictDoc::Deny,
        Verdict::Respond(_) => VerdictDoc::Respond,
    };
    if let Some(expected) = expect.verdict.filter(|expected| *expected != found) {
        failures.add("verdict", Relation::Is, &format!("{expected:?}").to_lowercase(), said.verdict.name());
    }
    let denial = match &said.verdict {
        Verdict::Deny(denial) => Some(denial),
        _ => None,
    };
    failures.same("status", expect.status.as_ref(), &denial.map_or(0, |denial| denial.status));
    failures.same("code", expect.code.as_ref(), &denial.map_or_else(String::new, |denial| denial.code.clone()));
    let message = denial.map_or("", |denial| denial.message.as_str());
    if let Some(part) = expect.message.as_ref().filter(|part| !message.contains(part.as_str())) {
        failures.add("message", Relation::Contains, part, message);
    }
    let reply = match &said.verdict {
        Verdict::Respond(text) => text.clone(),
        _ => String::new(),
    };
    failures.same("reply", expect.reply.as_ref(), &reply);
    if let Some(texts) = expect.texts.as_ref().filter(|texts| **texts != said.texts) {
        failures.add("texts", Relation::Is, &lines(texts), &lines(&said.texts));
    }
    failures.same("model", expect.model.as_ref(), &said.model);
    failures.same("read", expect.read.as_ref(), &said.read);
    params(expect.params.as_ref(), &said.params, failures);
    let headers: BTreeMap<_, _> = said.headers.iter().cloned().collect();
    failures.same("headers", expect.headers.as_ref(), &headers);
    let tags: BTreeMap<_, _> = said.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    failures.same("tags", expect.tags.as_ref(), &tags);
    let kinds: Vec<_> = said.findings.iter().map(|finding| finding.kind.clone()).collect();
    failures.same("findings", expect.findings.as_ref(), &kinds);
}

fn params(expected: Option<&Value>, found: &Value, failures: &mut Failures) {
    for (name, value) in expected.and_then(Value::as_object).into_iter().flatten() {
        let there = found.get(name).unwrap_or(&Value::Null);
        if there != value {
            failures.add(&format!("params.{name}"), Relation::Is, &value.to_string(), &there.to_string());
        }
    }
}

fn lines(texts: &[String]) -> String {
    texts.join("\n")
}

#[derive(Default)]
struct Failures(Vec<Failure>);

impl Failures {
    fn add(&mut self, field: &str, relation: Relation, expected: &str, found: &str) {
        let (field, expected, found) = (field.to_owned(), expected.to_owned(), found.to_owned());
        self.0.push(Failure { field, relation, expected, found });
    }

    fn same<T: PartialEq + Debug>(&mut self, field: &str, expected: Option<&T>, found: &T) {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            self.add(field, Relation::Is, &format!("{expected:?}"), &format!("{found:?}"));
        }
    }

    /// Entries that must be there; others may be.
    fn parts<T: PartialEq + Debug>(
        &mut self,
        field: &str,
        expected: &BTreeMap<String, T>,
        found: &BTreeMap<String, T>,
    ) {
        for (key, value) in expected {
            let there = found.get(key);
            if there != Some(value) {
                let there = there.map_or_else(|| "nothing".to_owned(), |there| format!("{there:?}"));
                self.add(&format!("{field}.{key}"), Relation::Is, &format!("{value:?}"), &there);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::golden::played::Done;
    use crate::wasm::{Report, Trouble, types};

    fn failures(expect: ExpectDoc, said: Result<Said, Trouble>) -> Vec<String> {
        let done = Done { numbers: BTreeMap::from([("a".to_owned(), 1)]), ..Done::default() };
        let came = Came { said, report: Report::default(), done };
        all(&expect, &came).into_iter().map(|failure| failure.field).collect()
    }

    fn denied() -> Said {
        let denial = types::Denial { status: 403, code: "no".into(), message: "not here".into(), retry_after_ms: None };
        Said { verdict: Verdict::Deny(denial), texts: vec!["hello".into()], ..Said::default() }
    }

    #[test]
    fn what_is_not_named_is_not_looked_at() {
        assert!(failures(ExpectDoc::default(), Ok(denied())).is_empty());
    }

    #[test]
    fn everything_that_differs_is_told() {
        let expect = || ExpectDoc {
            verdict: Some(VerdictDoc::Pass),
            status: Some(403),
            code: Some("yes".into()),
            message: Some("here".into()),
            texts: Some(vec!["bye".into()]),
            numbers: BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
            ..ExpectDoc::default()
        };
        assert_eq!(failures(expect(), Ok(denied())), ["verdict", "code", "texts", "numbers.b"]);
    }

    #[test]
    fn a_failure_is_expected_or_it_is_one() {
        let failed = || Err(Trouble::Failed(types::Failure::Config("`words` is empty".into())));
        let expect = |failure: &str| ExpectDoc { failure: Some(failure.into()), ..ExpectDoc::default() };
        assert!(failures(expect("`words` is empty"), failed()).is_empty());
        assert_eq!(failures(expect("something else"), failed()), ["failure"]);
        assert_eq!(failures(ExpectDoc::default(), failed()), ["verdict"]);
        assert_eq!(failures(expect("no"), Ok(Said::default())), ["failure"]);
    }
}
