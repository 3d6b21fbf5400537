//! What a policy looks for, compiled.

use std::collections::HashSet;
use std::convert::Infallible;

use super::lane::{Found, Judge, Lane};
use super::parts::{Parts, chosen};
use super::rules::Rules;
use super::scan::{self, Finding, Told};
use super::settings::{Problem, Settings};
use crate::base::aside::Wanted;

/// Finds what a policy looks for.
pub struct Detector {
    rules: Rules,
    allow: HashSet<String>,
}

impl Detector {
    /// # Errors
    /// When a name is unknown, or a custom kind cannot be run on streams.
    pub fn compile(settings: &Settings) -> Result<Self, Problem> {
        let threshold = settings.confidence.unwrap_or(50);
        if !(1..=100).contains(&threshold) {
            return Err(Problem::BadConfidence { percent: threshold });
        }
        let mut parts = Parts::default();
        let has_own = !settings.custom.is_empty() || !settings.lists.is_empty();
        if !(settings.find.is_empty() && has_own) {
            for kind in chosen(&settings.find)? {
                parts.built_in(kind);
            }
        }
        for custom in &settings.custom {
            parts.custom(custom)?;
        }
        for list in &settings.lists {
            parts.list(list)?;
        }
        let words = parts.words(&settings.lists);
        let allow = settings.allow.iter().map(|value| value.trim().to_lowercase()).collect();
        Ok(Self { rules: parts.compile(words, threshold)?, allow })
    }

    /// Every finding of a text, in order. `before` is what was said just before, and counts as context.
    pub fn findings(&self, text: &str, before: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Ok(()) = scan::scan(&self.rules, text, before, |told| {
            findings.extend(self.finding(text, told));
            Ok::<_, Infallible>(())
        });
        findings
    }

    /// Whether there is nothing to be found in a text. It is looked at while `wanted` holds; `None` if that ends.
    pub fn is_clean(&self, text: &str, wanted: &Wanted) -> Option<bool> {
        let mut is_clean = true;
        let looked = scan::scan(&self.rules, text, "", |told| {
            is_clean = self.finding(text, told).is_none();
            if is_clean && wanted.holds() { Ok(()) } else { Err(()) }
        });
        (looked.is_ok() || !is_clean).then_some(is_clean)
    }

    /// What a scan tells of, unless the policy has it never found.
    fn finding(&self, text: &str, told: Told) -> Option<Finding> {
        let Told::Found(finding) = told else { return None };
        (!self.is_allowed(text.get(finding.range.clone()).unwrap_or_default())).then_some(finding)
    }

    /// A lane of a stream. `before` is what was said just before.
    pub fn lane(&self, before: &str) -> Lane {
        Lane::after(before)
    }

    /// Takes more of a stream's text, and writes what may leave to `out`.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn push<J: Judge>(&self, lane: &mut Lane, text: &str, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        lane.take_text(text);
        lane.release(&self.rules, judge, out)
    }

    /// The stream ended: everything leaves.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn end<J: Judge>(&self, lane: &mut Lane, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        lane.finish(&self.rules, judge, out)
    }

    /// The name of a finding's kind, as policies have it.
    pub fn name(&self, shape: usize) -> &str {
        self.rules.group(shape).map_or("", |group| &group.name)
    }

    /// The name of a finding's kind in a placeholder.
    pub fn label(&self, shape: usize) -> &str {
        self.rules.group(shape).map_or("", |group| &group.label)
    }

    /// The names of all kinds.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.kinds.iter().map(|group| group.name.as_str())
    }

    /// The labels of all kinds.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.rules.kinds.iter().map(|group| group.label.as_str())
    }

    /// Whether a value is on the policy's list of those that are never found.
    pub fn is_allowed(&self, value: &str) -> bool {
        !self.allow.is_empty() && self.allow.contains(&value.trim().to_lowercase())
    }

    /// The most that is held back of a stream, in bytes as the machines read them.
    pub fn hold_back(&self) -> usize {
        self.rules.hold_back()
    }

    /// The memory of the automata, in bytes.
    pub fn memory(&self) -> usize {
        self.rules.memory()
    }

    /// The text with every finding replaced as the judge has it; `None` if nothing was found.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn rewrite<J: Judge>(&self, text: &str, before: &str, judge: &mut J) -> Result<Option<String>, J::Stop> {
        let (mut out, mut from) = (String::new(), 0);
        scan::scan(&self.rules, text, before, |told| {
            let Told::Found(Finding { shape, range, score }) = told else { return judge.pause() };
            if from == 0 {
                out.reserve(text.len());
            }
            out.push_str(text.get(from..range.start).unwrap_or_default());
            let source = text.get(range.clone()).unwrap_or_default();
            from = range.end;
            let past = text.as_bytes().get(..range.start).unwrap_or_default();
            judge.judge(Found { shape, score, source, past }, &mut out)
        })?;
        out.push_str(text.get(from..).unwrap_or_default());
        Ok((from > 0).then_some(out))
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::steps::redact::settings::Misfit;
    use crate::steps::redact::{Custom, List};

    fn custom(name: &str, regex: &str) -> Result<Detector, Problem> {
        let custom = Custom { name: name.into(), regex: regex.into(), ..Custom::default() };
        Detector::compile(&Settings { find: vec!["email".into()], custom: vec![custom], ..Settings::default() })
    }

    fn values<'a>(detector: &Detector, text: &'a str) -> Vec<&'a str> {
        detector.findings(text, "").into_iter().map(|finding| &text[finding.range]).collect()
    }

    #[test]
    fn an_unknown_type_is_named_with_those_there_are() {
        let problem = Detector::compile(&Settings { find: vec!["emial".into()], ..Settings::default() }).err().unwrap();
        assert_eq!(problem.to_string(), "`emial` is no type and no profile");
        assert!(problem.help().unwrap().contains("email"));
    }

    #[test]
    fn a_custom_type_without_a_longest_match_is_refused() {
        let misfit = |misfit| Problem::Misfit { name: "x".into(), misfit };
        assert_eq!(custom("x", "a+").err(), Some(misfit(Misfit::Unbounded)));
        assert_eq!(custom("x", "a{600}").err(), Some(misfit(Misfit::TooLong { length: 600 })));
        assert_eq!(custom("x", "a{0,3}").err(), Some(misfit(Misfit::Empty)));
    }

    #[test]
    fn a_custom_type_that_would_take_too_much_memory_is_refused() {
        assert_eq!(custom("x", r"[ab]{0,8}a[ab]{24}").err(), None);
        assert_eq!(custom("x", r"(?:\w{1,20} ){1,6}x").err(), Some(Problem::TooLarge { name: "x".into() }));
    }

    #[test]
    fn a_custom_type_finds_its_own() {
        let detector = custom("employee_id", "EMP-[0-9]{6}").unwrap();
        assert_eq!(values(&detector, "ask EMP-123456 or XEMP-123456 or EMP-1234567"), ["EMP-123456"]);
    }

    #[test]
    fn a_custom_type_may_look_for_word_borders() {
        let detector = custom("x", r"(?-u:\b)[0-9]{4}(?-u:\b)").unwrap();
        assert_eq!(values(&detector, "at 1234, a1234 12345 1234"), ["1234", "1234"]);
    }

    #[test]
    fn denied_words_are_found_whole_and_in_any_case() {
        let terms = Arc::new(vec!["Project Tide".to_owned(), "ümlaut".into()]);
        let lists = vec![List { name: "deny".into(), terms }];
        let settings = Settings { lists, ..Settings::default() };
        let detector = Detector::compile(&settings).unwrap();
        assert_eq!(values(&detector, "project tide, PROJECT TIDES, Ümlaut"), ["project tide", "Ümlaut"]);
    }

    #[test]
    fn a_term_inside_of_a_longer_word_of_any_script_is_none() {
        let terms = ["öl", "爆弾", "ban"].map(str::to_owned);
        let lists = vec![List { name: "goods".into(), terms: Arc::new(terms.to_vec()) }];
        let detector = Detector::compile(&Settings { lists, ..Settings::default() }).unwrap();
        assert_eq!(values(&detector, "Böller öl köl öle Öl. 原子爆弾を\nban bän"), ["öl", "Öl", "爆弾", "ban"]);
        assert_eq!(values(&detector, r#"{"a": "x\nban"}"#), ["ban"]);
    }

    #[test]
    fn allowed_values_are_not_found() {
        let settings = Settings { allow: vec!["Help@Example.com".into()], ..Settings::default() };
        let detector = Detector::compile(&settings).unwrap();
        assert_eq!(values(&detector, "help@example.com, me@example.com"), ["me@example.com"]);
    }

    #[test]
    fn what_was_said_before_is_context() {
        let detector = Detector::compile(&Settings { find: vec!["us_ssn".into()], ..Settings::default() }).unwrap();
        assert_eq!(detector.findings("536228726", "").len(), 0);
        assert_eq!(detector.findings("536228726", "What is your SSN?").len(), 1);
    }

    #[test]
    fn invisible_and_wide_characters_hide_nothing() {
        let detector = Detector::compile(&Settings::default()).unwrap();
        assert_eq!(
            values(&detector, "x ４１１１ １１１１ １１１１ １１１１ y"),
            ["４１１１ １１１１ １１１１ １１１１"]
        );
        assert_eq!(values(&detector, "a 4111\u{200b}1111 1111\u{200d}1111 b"), Vec::<&str>::new());
        assert_eq!(values(&detector, "a 4111\u{a0}1111\u{200b}\u{a0}1111\u{a0}1111 b").len(), 1);
        assert_eq!(values(&detector, "jo\u{200b}e＠example.com!"), ["jo\u{200b}e＠example.com"]);
    }
}
