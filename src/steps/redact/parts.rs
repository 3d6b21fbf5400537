//! From settings to rules: kinds chosen, kinds of the policy's own checked, shapes put into banks.

use std::collections::{BTreeMap, HashSet};

use super::checks;
use super::context::{Lexicon, Phrases};
use super::kind::{Check, Edge, Kind, PROFILES, Profile, Shape, any};
use super::kinds;
use super::machine::{Machine, Unfit};
use super::rules::{Group, Rule, Rules, Trouble};
use super::settings::{Custom, List, MOST_BYTES, Misfit, Problem};
use super::words::Words;

/// What an automaton of a policy's own kinds may weigh.
const CUSTOM_LIMIT: usize = 16 << 20;
const BUILT_IN_LIMIT: usize = 64 << 20;

/// The kinds that names and profiles stand for, in the order of the tables.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Kind>, Problem> {
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
pub struct Parts {
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
    pub fn built_in(&mut self, kind: &Kind) {
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

    pub fn custom(&mut self, custom: &Custom) -> Result<(), Problem> {
        let name = self.new_name(&custom.name)?;
        let check = custom.check.as_deref().map_or(Ok(any as Check), named_check)?;
        fit(&custom.regex).map_err(|misfit| Problem::Misfit { name: name.clone(), misfit })?;
        let regex = custom.regex.clone();
        let near = self.lexicon.phrases(custom.near.iter().map(String::as_str));
        self.banks.entry(Class::Own).or_default().push(self.rules.len());
        let alone = if custom.near.is_empty() { 90 } else { 0 };
        self.own(name, near, Own { regex, edge: Edge::Word, check, alone });
        Ok(())
    }

    pub fn list(&mut self, list: &List) -> Result<(), Problem> {
        let name = self.new_name(&list.name)?;
        if let Some(long) = list.terms.iter().find(|term| term.len() > MOST_BYTES) {
            return Err(Problem::LongTerm { name, length: long.len() });
        }
        self.lists.push(self.rules.len());
        self.own(name, Phrases::default(), Own { regex: String::new(), edge: Edge::Phrase, check: any, alone: 100 });
        Ok(())
    }

    /// The terms of all lists, each under the number of its list's shape.
    pub fn words(&self, lists: &[List]) -> Option<Words> {
        let terms =
            || self.lists.iter().zip(lists).flat_map(|(shape, list)| list.terms.iter().map(|term| (&**term, *shape)));
        terms().next().is_some().then(|| Words::new(terms()))
    }

    /// A name for a kind of the policy's own.
    fn new_name(&self, name: &str) -> Result<String, Problem> {
        free(name)?;
        let name = name.to_owned();
        let is_taken = self.groups.iter().any(|group| group.name == name);
        if is_taken { Err(Problem::NameTaken { name }) } else { Ok(name) }
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

    pub fn compile(self, words: Option<Words>, threshold: u8) -> Result<Rules, Problem> {
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

/// Whether a kind of the policy's own may have this name.
///
/// # Errors
/// Why it may not.
pub fn free(name: &str) -> Result<(), Problem> {
    let named = || name.to_owned();
    let is_name = (1..=40).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if !is_name || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Problem::BadName { name: named() });
    }
    if kinds::named(name).is_some() { Err(Problem::NameTaken { name: named() }) } else { Ok(()) }
}

/// The check of a name.
///
/// # Errors
/// When there is none.
pub fn named_check(name: &str) -> Result<Check, Problem> {
    let known = || checks::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let check = checks::NAMED.iter().find(|(known, _)| *known == name).map(|(_, check)| *check);
    check.ok_or_else(|| Problem::UnknownCheck { name: name.into(), known: known() })
}

/// Whether an expression can be run on streams: it is bounded, and never empty.
///
/// # Errors
/// Why it cannot.
pub fn fit(regex: &str) -> Result<(), Misfit> {
    let hir = regex_syntax::parse(regex).map_err(|error| Misfit::Unclear { cause: cause(&error) })?;
    let properties = hir.properties();
    let Some(length) = properties.maximum_len() else { return Err(Misfit::Unbounded) };
    if length > MOST_BYTES {
        return Err(Misfit::TooLong { length });
    }
    if properties.minimum_len().unwrap_or_default() == 0 {
        return Err(Misfit::Empty);
    }
    if properties.look_set().contains_word_unicode() {
        return Err(Misfit::Unclear { cause: "word borders are those of ASCII here; write `(?-u:\\b)`".into() });
    }
    Ok(())
}

/// Which of the policy's own shapes makes no machine by itself.
fn culprit(own: &[(usize, String)]) -> Option<usize> {
    let is_unfit = |regex: &str| Machine::new(&[regex], CUSTOM_LIMIT).is_err();
    own.iter().find(|(_, regex)| is_unfit(regex)).map(|(shape, _)| *shape)
}

fn unfit_to(name: String, unfit: Unfit) -> Problem {
    match unfit {
        Unfit::TooLarge => Problem::TooLarge { name },
        Unfit::Syntax(cause) => Problem::Misfit { name, misfit: Misfit::Unclear { cause } },
    }
}

fn cause(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        other => other.to_string(),
    }
}
