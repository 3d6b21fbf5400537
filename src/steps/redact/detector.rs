//! What a policy looks for, compiled.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use super::checks;
use super::context::{Lexicon, Phrases};
use super::kind::{Check, Edge, Kind, PROFILES, Profile, Shape, any};
use super::kinds;
use super::lane::{Found, Judge, Lane};
use super::machine::{Machine, Unfit};
use super::rules::{Group, Rule, Rules, Trouble};
use super::scan::{self, Finding, Told};
use super::words::Words;
use crate::base::aside::Wanted;

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Names of kinds, and of profiles, which are all their kinds. Empty is the profile `default`, or nothing where
    /// there are kinds or words of the policy's own.
    pub find: Vec<String>,
    /// Kinds of the policy's own.
    pub custom: Vec<Custom>,
    /// Lists of words and phrases that are always found, as whole words, in any case; each list is a kind.
    pub lists: Vec<List>,
    /// Values that are never found, in any case.
    pub allow: Vec<String>,
    /// How sure a finding must be, in percent; 50 where it is not said.
    pub confidence: Option<u8>,
}

/// A kind that a policy defines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom {
    pub name: String,
    pub regex: String,
    /// The name of a check, as in [`checks::NAMED`].
    pub check: Option<String>,
    /// Words of which one must stand within five words before a match.
    pub near: Vec<String>,
}

/// Words and phrases that a policy lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    pub name: String,
    pub terms: Arc<Vec<String>>,
}

/// Why settings do not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error("`{name}` is no type and no profile")]
    UnknownKind { name: String, help: String },
    #[error("`{name}` is the name of another type")]
    NameTaken { name: String },
    #[error("`{name}` is no name for a type; letters, digits and `_` make one")]
    BadName { name: String },
    #[error("the expression of `{name}` is not understood: {cause}")]
    BadExpression { name: String, cause: String },
    #[error("the expression of `{name}` matches an empty text")]
    Empty { name: String },
    #[error("the expression of `{name}` has no longest match; bound it, as in `{{1,40}}` for `+`")]
    Unbounded { name: String },
    #[error(
        "the expression of `{name}` matches up to {length} bytes; at most {MOST_BYTES} can be held back of a stream"
    )]
    TooLong { name: String, length: usize },
    #[error("the automaton of `{name}` is too large; use narrower classes, such as `[a-z0-9]` for `\\w`")]
    TooLarge { name: String },
    #[error("`{name}` is no check; checks are: {known}")]
    UnknownCheck { name: String, known: String },
    #[error("a term of `{name}` has {length} bytes; at most {MOST_BYTES} can be held back of a stream")]
    LongTerm { name: String, length: usize },
    #[error("a confidence of {percent} is none; it is between 1 and 100")]
    BadConfidence { percent: u8 },
}

impl Problem {
    /// What may be done about it, if that is not said already.
    pub fn help(&self) -> Option<&str> {
        if let Self::UnknownKind { help, .. } = self { Some(help) } else { None }
    }
}

/// The longest match that a custom kind may have.
const MOST_BYTES: usize = 512;
/// What an automaton of a policy's own kinds may weigh.
const CUSTOM_LIMIT: usize = 16 << 20;
const BUILT_IN_LIMIT: usize = 64 << 20;

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
            judge.judge(Found { shape, score, source }, &mut out)
        })?;
        out.push_str(text.get(from..).unwrap_or_default());
        Ok((from > 0).then_some(out))
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// The kinds that names and profiles stand for, in the order of the tables.
fn chosen(names: &[String]) -> Result<Vec<&'static Kind>, Problem> {
    let default = ["default".to_owned()];
    let names = if names.is_empty() { &default[..] } else { names };
    let mut wanted: HashSet<&str> = HashSet::new();
    for name in names {
        let profile = PROFILES.iter().find(|(known, _)| known == name).map(|(_, profile)| *profile);
        let is_in = |kind: &&Kind| {
            profile.is_some_and(|profile: Profile| kind.profiles.contains(&profile))
                || kind.name == name
                || (name == "all" && !kind.is_heuristic())
        };
        let before = wanted.len();
        let kinds: Vec<&str> = kinds::all().filter(is_in).map(|kind| kind.name).collect();
        if kinds.is_empty() && before == wanted.len() {
            let known: Vec<&str> =
                PROFILES.iter().map(|(name, _)| *name).chain(kinds::all().map(|kind| kind.name)).collect();
            return Err(Problem::UnknownKind {
                name: name.clone(),
                help: format!("types and profiles are: {}", known.join(", ")),
            });
        }
        wanted.extend(kinds);
    }
    Ok(kinds::all().filter(|kind| wanted.contains(kind.name)).collect())
}

/// What is collected before it is compiled.
#[derive(Default)]
struct Parts {
    groups: Vec<Group>,
    rules: Vec<Rule>,
    lexicon: Lexicon,
    banks: BTreeMap<Class, Vec<usize>>,
    /// The shapes that are lists.
    lists: Vec<usize>,
}

/// What sets a shape of the policy's own apart.
struct Own {
    regex: String,
    edge: Edge,
    check: Check,
    alone: u8,
}

/// Shapes that are passed over for the same reasons, and so share a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Open,
    /// Those that are nothing inside of longer numbers.
    Number,
    /// Those that need a byte which most texts hardly have.
    Needing,
    /// The policy's own.
    Own,
    /// Phrases, which share no beginnings with data.
    Phrase,
    Keyed,
}

impl Class {
    fn of(kind: &Kind, shape: &Shape) -> Self {
        if kind.is_heuristic() {
            return Self::Phrase;
        }
        match (shape.keyed, shape.needs, shape.edge) {
            (true, ..) => Self::Keyed,
            (_, Some(_), _) => Self::Needing,
            (_, _, Edge::Number | Edge::Lone) => Self::Number,
            _ => Self::Open,
        }
    }

    /// What the automaton of so many shapes may weigh, in bytes.
    fn limit(self, shapes: usize) -> usize {
        if self == Self::Own { CUSTOM_LIMIT * shapes.min(2) } else { BUILT_IN_LIMIT }
    }
}

impl Parts {
    fn built_in(&mut self, kind: &Kind) {
        for shape in kind.shapes {
            self.banks.entry(Class::of(kind, shape)).or_default().push(self.rules.len());
            self.rules.push(Rule {
                kind: self.groups.len(),
                regex: format!("(?-u:{})", shape.regex),
                tail: shape.tail.map(|tail| format!("(?-u:{tail})")),
                edge: shape.edge,
                check: shape.check,
                alone: shape.alone,
                near: shape.near,
                keyed: shape.keyed,
                needs: shape.needs,
            });
        }
        self.groups.push(Group {
            name: kind.name.into(),
            label: kind.label.into(),
            near: self.lexicon.phrases(kind.near.iter().copied()),
            unless: self.lexicon.phrases(kind.unless.iter().copied()),
        });
    }

    fn custom(&mut self, custom: &Custom) -> Result<(), Problem> {
        let name = self.new_name(&custom.name)?;
        let check = custom.check.as_deref().map_or(Ok(any as Check), named_check)?;
        let regex = fit(&name, &custom.regex)?;
        let near = self.lexicon.phrases(custom.near.iter().map(String::as_str));
        self.banks.entry(Class::Own).or_default().push(self.rules.len());
        let alone = if custom.near.is_empty() { 90 } else { 0 };
        self.own(name, near, Own { regex, edge: Edge::Word, check, alone });
        Ok(())
    }

    fn list(&mut self, list: &List) -> Result<(), Problem> {
        let name = self.new_name(&list.name)?;
        if let Some(long) = list.terms.iter().find(|term| term.len() > MOST_BYTES) {
            return Err(Problem::LongTerm { name, length: long.len() });
        }
        self.lists.push(self.rules.len());
        self.own(name, Phrases::default(), Own { regex: String::new(), edge: Edge::Phrase, check: any, alone: 100 });
        Ok(())
    }

    /// The terms of all lists, each under the number of its list's shape.
    fn words(&self, lists: &[List]) -> Option<Words> {
        let terms =
            || self.lists.iter().zip(lists).flat_map(|(shape, list)| list.terms.iter().map(|term| (&**term, *shape)));
        terms().next().is_some().then(|| Words::new(terms()))
    }

    /// A name for a kind of the policy's own.
    fn new_name(&self, name: &str) -> Result<String, Problem> {
        let name = name.to_owned();
        let is_name =
            !name.is_empty() && name.len() <= 40 && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if !is_name || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Problem::BadName { name });
        }
        if kinds::named(&name).is_some() || self.groups.iter().any(|group| group.name == name) {
            return Err(Problem::NameTaken { name });
        }
        Ok(name)
    }

    fn own(&mut self, name: String, near: Phrases, own: Own) {
        let Own { regex, edge, check, alone } = own;
        let kind = self.groups.len();
        self.rules.push(Rule {
            kind,
            regex,
            tail: None,
            edge,
            check,
            alone,
            near: alone.max(95),
            keyed: false,
            needs: None,
        });
        let label = name.to_ascii_uppercase();
        self.groups.push(Group { name, label, near, unless: Phrases::default() });
    }

    fn compile(self, words: Option<Words>, threshold: u8) -> Result<Rules, Problem> {
        let names: Vec<String> = self
            .rules
            .iter()
            .map(|rule| self.groups.get(rule.kind).map_or(String::new(), |group| group.name.clone()))
            .collect();
        let own = self.banks.get(&Class::Own).cloned().unwrap_or_default();
        let own: Vec<_> =
            own.iter().filter_map(|shape| Some((*shape, self.rules.get(*shape)?.regex.clone()))).collect();
        let banks: Vec<_> = self
            .banks
            .into_iter()
            .map(|(class, shapes)| (class.limit(shapes.len()), shapes))
            .map(|(limit, shapes)| (shapes, limit))
            .collect();
        Rules::new(self.groups, self.rules, self.lexicon, &banks, words, threshold).map_err(
            |Trouble { shape, unfit }| {
                let shape = shape.or_else(|| culprit(&own));
                let name =
                    shape.and_then(|shape| names.get(shape)).cloned().unwrap_or_else(|| "all types together".into());
                unfit_to(name, unfit)
            },
        )
    }
}

fn named_check(name: &str) -> Result<Check, Problem> {
    let known = || checks::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let check = checks::NAMED.iter().find(|(known, _)| *known == name).map(|(_, check)| *check);
    check.ok_or_else(|| Problem::UnknownCheck { name: name.into(), known: known() })
}

/// An expression that can be run on streams: bounded, never empty, and small.
fn fit(name: &str, regex: &str) -> Result<String, Problem> {
    let name = || name.to_owned();
    let hir =
        regex_syntax::parse(regex).map_err(|error| Problem::BadExpression { name: name(), cause: cause(&error) })?;
    let properties = hir.properties();
    let Some(length) = properties.maximum_len() else { return Err(Problem::Unbounded { name: name() }) };
    if length > MOST_BYTES {
        return Err(Problem::TooLong { name: name(), length });
    }
    if properties.minimum_len().unwrap_or_default() == 0 {
        return Err(Problem::Empty { name: name() });
    }
    if properties.look_set().contains_word_unicode() {
        let cause = "word borders are those of ASCII here; write `(?-u:\\b)`".into();
        return Err(Problem::BadExpression { name: name(), cause });
    }
    Ok(regex.to_owned())
}

/// Which of the policy's own shapes makes no machine by itself.
fn culprit(own: &[(usize, String)]) -> Option<usize> {
    let is_unfit = |regex: &str| Machine::new(&[regex], CUSTOM_LIMIT).is_err();
    own.iter().find(|(_, regex)| is_unfit(regex)).map(|(shape, _)| *shape)
}

fn unfit_to(name: String, unfit: Unfit) -> Problem {
    match unfit {
        Unfit::TooLarge => Problem::TooLarge { name },
        Unfit::Syntax(cause) => Problem::BadExpression { name, cause },
    }
}

fn cause(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(custom("x", "a+").err(), Some(Problem::Unbounded { name: "x".into() }));
        assert_eq!(custom("x", "a{600}").err(), Some(Problem::TooLong { name: "x".into(), length: 600 }));
        assert_eq!(custom("x", "a{0,3}").err(), Some(Problem::Empty { name: "x".into() }));
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
