//! Cases of a plugin: one call of a hook each, in the sandbox it runs in, with everything outside played.
//!
//! Where a suite tests a policy from the caller to the provider, a case tests the plugin alone: what it is shown, and what
//! it says. Nothing is asked of anybody; time passes only for the limits.

mod check;
mod document;
mod moment;
mod outcome;
mod played;
mod stage;
mod trial;

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::mistakes;
use crate::policy::{At, Ink, Problem, Sources, codes, read_file};
use crate::wasm::{Component, Engine, Report, Unfit};
use document::{CaseDoc, CasesDoc};

pub use document::{CallerDoc, GivenDoc, PieceDoc, ServerDoc};
pub use moment::{Moment, Sent};
pub use outcome::{Came, Said, Verdict as Word};
pub use stage::Stage;
pub use trial::trial;

/// The JSON Schema of files of cases, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(CasesDoc).to_value()
}

/// A file of cases.
pub struct Golden {
    pub path: PathBuf,
    document: CasesDoc,
    lines: Vec<usize>,
}

/// How a case came out.
#[derive(Debug)]
pub struct Verdict {
    pub name: String,
    /// Where it stands in its file.
    pub line: usize,
    /// What was not as expected; empty if it passed.
    pub failures: Vec<Failure>,
    /// What the calls of its hook took together; of the longest, where it was played several times.
    pub report: Report,
    /// What the plugin wrote into the log.
    pub log: Vec<String>,
}

impl Golden {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// What is wrong with it, as people read it.
    pub fn read(path: &Path, ink: Ink) -> Result<Self, String> {
        let (mut sources, mut problems) = (Sources::default(), Vec::new());
        let document: Option<CasesDoc> = read_file(path, &mut sources, &mut problems);
        if let Some(document) = &document {
            mistaken(document, &mut problems);
        }
        match document.filter(|_| problems.is_empty()) {
            Some(document) => {
                let lines = document.cases.iter().map(|case| sources.place(case.name.span).line).collect();
                Ok(Self { path: path.to_owned(), document, lines })
            }
            None => {
                let rendered = super::suite::render(&problems, &sources, ink);
                Err(format!("`{}` cannot be used\n{}", path.display(), rendered.trim_end()))
            }
        }
    }

    /// What the file says for all its cases, and what is played for the first: for a call that is none of them.
    pub fn circumstances(&self) -> Moment {
        let first = self.document.cases.first();
        Moment {
            grants: self.document.grants.clone(),
            config: self.document.config.clone().unwrap_or_else(|| serde_json::json!({})),
            caller: first.map(|case| case.caller.clone()).unwrap_or_default(),
            given: first.map(|case| case.given.clone()).unwrap_or_default(),
            request: None,
            sent: Sent::Request,
        }
    }

    /// Plays every case whose name holds `filter`.
    ///
    /// # Errors
    /// When the component cannot be a plugin within the file's limits.
    pub fn play(&self, engine: &Engine, wasm: &[u8], filter: &str) -> Result<Vec<Verdict>, Unfit> {
        let limits = self.document.limits.limits().map_err(Unfit::new)?;
        let component = Component::load(engine, wasm, &limits)?;
        let cases = self.document.cases.iter().zip(&self.lines).filter(|(case, _)| case.name.value.contains(filter));
        Ok(cases.map(|(case, line)| self.verdict(&component, &limits, case, *line)).collect())
    }

    fn verdict(&self, component: &Component, limits: &crate::wasm::Limits, case: &CaseDoc, line: usize) -> Verdict {
        let config = case.config.as_ref().or(self.document.config.as_ref());
        let grants = case.grants.as_ref().unwrap_or(&self.document.grants);
        let moment = Moment {
            grants: grants.clone(),
            config: config.cloned().unwrap_or_else(|| serde_json::json!({})),
            caller: case.caller.clone(),
            given: case.given.clone(),
            request: case.request.as_ref().map(|request| request.value.clone()),
            sent: case.sent(),
        };
        let mut verdict = Verdict {
            name: case.name.value.clone(),
            line,
            failures: Vec::new(),
            report: Report::default(),
            log: Vec::new(),
        };
        let cuts = case.cuts();
        for cut in &cuts {
            let came = Stage { component, limits, moment: &moment }.play(*cut);
            verdict.failures = check::all(&case.expect.value, &came);
            if came.report.took >= verdict.report.took {
                verdict.report = came.report;
            }
            verdict.log = came.done.logged;
            if !verdict.failures.is_empty() {
                if let Some(cut) = cut.filter(|_| cuts.len() > 1) {
                    let field = format!("in pieces of {cut}: ");
                    verdict.failures.iter_mut().for_each(|failure| failure.field.insert_str(0, &field));
                }
                break;
            }
        }
        verdict
    }
}

fn mistaken(document: &CasesDoc, problems: &mut Vec<Problem>) {
    if document.version.value != 1 {
        let message = format!("version {} of case files is not known; this is version 1", document.version.value);
        problems.push(Problem::error(codes::OUT_OF_RANGE, message).at(document.version.span, ""));
    }
    if document.cases.is_empty() {
        let problem = Problem::error(codes::EMPTY, "there is no case in `cases`").at(document.cases.span, "");
        problems.push(problem.help("a case has a `name`, a `request` and what to `expect`"));
    }
    for case in document.cases.iter() {
        mistakes::clock(case.given.clock.as_ref(), problems);
        if case.answer.is_some() && case.stream.is_some() {
            let problem = Problem::error(codes::CONTRADICTION, "an answer comes whole, or as a stream");
            problems.push(problem.at(case.name.span, "this case has both"));
        }
        if case.request.is_none() && case.expect.failure.is_none() {
            let problem = Problem::error(codes::MISSING_FIELD, "the case has no `request`").at(case.name.span, "");
            problems.push(problem.help("only a case of a `failure` that the configuration leads to can do without"));
        }
        readable(case, problems);
    }
}

fn readable(case: &CaseDoc, problems: &mut Vec<Problem>) {
    let Some(At { value, span }) = &case.request else { return };
    if let Err(reason) = moment::request(value) {
        let problem = Problem::error(codes::WRONG_VALUE, format!("the request cannot be read: {reason}"));
        problems.push(problem.at(*span, "").help("it is the body of a request to /v1/chat/completions"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.yaml");
        std::fs::write(&path, format!("version: 1\n{text}")).unwrap();
        Golden::read(&path, Ink::Plain).err().unwrap_or_default()
    }

    #[test]
    fn a_case_that_can_be_played_is_no_mistake() {
        let request = "request: { model: m, messages: [{ role: user, content: hello }] }";
        let said = mistakes(&format!(
            "cases:\n- name: a\n  {request}\n  stream: [{{ text: hi }}]\n  expect: {{ read: hi }}\n"
        ));
        assert_eq!(said, "");
        assert_eq!(mistakes("cases:\n- name: a\n  config: 1\n  expect: { failure: x }\n"), "");
    }

    #[test]
    fn each_mistake_is_pointed_at() {
        for (text, place, said) in [
            ("cases: []\n", ":2:8", "there is no case"),
            ("cases:\n- name: a\n  expect: { verdict: pass }\n", ":3:9", "has no `request`"),
            ("cases:\n- name: a\n  request: { messages: 1 }\n  expect: {}\n", ":4:12", "cannot be read"),
            ("cases:\n- name: a\n  expect: { verdict: maybe, failure: x }\n", ":4:22", "maybe"),
            ("grants: [request.txt]\ncases: []\n", ":2:10", "request.txt"),
        ] {
            let found = mistakes(text);
            assert!(found.contains(place) && found.contains(said), "{text}\n{found}");
        }
        let both =
            "cases:\n- name: a\n  request: { model: m, messages: [] }\n  answer: []\n  stream: []\n  expect: {}\n";
        assert!(mistakes(both).contains("comes whole, or as a stream"));
    }
}
