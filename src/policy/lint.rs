//! What a policy most likely does not mean: orders of steps in which one undoes what another is there for.
//!
//! Steps say themselves what they do with texts ([`Deed`]); nothing here knows a step by its name. How grave a lint is
//! the gateway file says, by its code; a warning if it does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes::{self, Code};
use super::document::LintLevel;
use super::problem::{Level, Problem};
use super::source::Span;
use crate::pipeline::Step;
use crate::pipeline::step::{Deed, Side};

/// How grave which lint is.
#[derive(Debug, Clone, Default)]
pub struct Lints(BTreeMap<Code, LintLevel>);

const ALL: [Code; 4] = [codes::SHOWN_FIRST, codes::ADDED_LAST, codes::PASSED_BY, codes::CHARGED_TO_NOBODY];

impl Lints {
    /// The lint of this name.
    pub fn named(name: &str) -> Option<Code> {
        ALL.into_iter().find(|lint| lint.name().eq_ignore_ascii_case(name))
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().map(Code::name)
    }

    pub fn set(&mut self, lint: Code, level: LintLevel) {
        self.0.insert(lint, level);
    }

    /// What is to be said of the order of these steps, each with its place.
    pub fn order(&self, steps: &[Arc<dyn Step>], spans: &[Span]) -> Vec<Problem> {
        let steps =
            steps.iter().zip(spans).map(|(step, span)| Written { name: step.name(), deeds: step.deeds(), span: *span });
        let steps: Vec<_> = steps.collect();
        let mut problems = Vec::new();
        for (number, later) in steps.iter().enumerate() {
            for earlier in steps.iter().take(number) {
                let lints = [shown_first, added_last, passed_by, charged_to_nobody];
                problems.extend(lints.into_iter().filter_map(|lint| lint(earlier, later)));
            }
        }
        problems.into_iter().filter_map(|problem| self.weighed(problem)).collect()
    }

    /// `None` if it is meant.
    fn weighed(&self, problem: Problem) -> Option<Problem> {
        let level = match self.0.get(&problem.code) {
            Some(LintLevel::Allow) => return None,
            Some(LintLevel::Error) => Level::Error,
            Some(LintLevel::Warning) | None => Level::Warning,
        };
        Some(Problem { level, ..problem })
    }
}

/// A step, and where it is written.
struct Written {
    name: &'static str,
    deeds: Vec<Deed>,
    span: Span,
}

impl Written {
    fn does(&self, deed: Deed) -> bool {
        self.deeds.contains(&deed)
    }

    /// What it does with texts of this side that others are not to see.
    fn exposes(&self, side: Side) -> Option<String> {
        let texts = match side {
            Side::Request => "requests",
            Side::Answer => "answers",
        };
        match () {
            () if self.does(Deed::Shows(side)) => Some(format!("shows {texts} to others")),
            () if self.does(Deed::Keeps(side)) => Some(format!("keeps {texts}")),
            () => None,
        }
    }
}

/// Requests pass the steps as they are written, answers the other way.
fn shown_first(earlier: &Written, later: &Written) -> Option<Problem> {
    let swap = || format!("put `{}` before `{}`", later.name, earlier.name);
    if let Some(exposes) = earlier.exposes(Side::Request).filter(|_| later.does(Deed::Hides(Side::Request))) {
        return Some(shown(earlier, &exposes, later, "before", "has hidden anything in them").help(swap()));
    }
    if let Some(exposes) = later.exposes(Side::Answer).filter(|_| earlier.does(Deed::Hides(Side::Answer))) {
        let help = format!(
            "answers pass the steps from the last to the first: put a `{}` for answers behind `{}`",
            earlier.name, later.name
        );
        return Some(shown(later, &exposes, earlier, "before", "has hidden anything in them").help(help));
    }
    let exposes = earlier.exposes(Side::Answer).filter(|_| later.does(Deed::GivesBack))?;
    Some(shown(earlier, &exposes, later, "when", "has given back what it hides").help(swap()))
}

fn shown(exposing: &Written, exposes: &str, hiding: &Written, when: &str, what: &str) -> Problem {
    let message = format!("the step `{}` {exposes} {when} `{}` {what}", exposing.name, hiding.name);
    Problem::warning(codes::SHOWN_FIRST, message).at(exposing.span, "").at(hiding.span, "this one")
}

fn added_last(earlier: &Written, later: &Written) -> Option<Problem> {
    if !earlier.does(Deed::Hides(Side::Request)) || !later.does(Deed::Adds) {
        return None;
    }
    let message = format!("what the step `{}` adds to requests is not looked at by `{}`", later.name, earlier.name);
    let help =
        format!("put `{}` before `{}`, or allow this if the text is known to be clean", later.name, earlier.name);
    let problem = Problem::warning(codes::ADDED_LAST, message);
    Some(problem.at(later.span, "").at(earlier.span, "this one has already acted").help(help))
}

fn passed_by(earlier: &Written, later: &Written) -> Option<Problem> {
    let guards = [Side::Request, Side::Answer].iter().any(|side| later.does(Deed::Guards(*side)));
    if !earlier.does(Deed::Answers) || !guards {
        return None;
    }
    let message = format!("what the step `{}` answers by itself never comes to `{}`", earlier.name, later.name);
    let help = format!("put `{}` before `{}`", later.name, earlier.name);
    let problem = Problem::warning(codes::PASSED_BY, message);
    Some(problem.at(later.span, "").at(earlier.span, "this one may answer").help(help))
}

fn charged_to_nobody(earlier: &Written, later: &Written) -> Option<Problem> {
    if !earlier.does(Deed::Charges) || !later.does(Deed::Pays) {
        return None;
    }
    let message = format!("what the step `{}` charges for its answers never comes to `{}`", earlier.name, later.name);
    let help = format!("put `{}` before `{}`", later.name, earlier.name);
    let problem = Problem::warning(codes::CHARGED_TO_NOBODY, message);
    Some(problem.at(later.span, "").at(earlier.span, "this one may answer").help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &'static str, deeds: &[Deed]) -> Written {
        Written { name, deeds: deeds.to_vec(), span: Span::new(crate::policy::FileId::default(), 0, name.len()) }
    }

    #[test]
    fn a_guard_behind_a_step_that_answers_is_passed_by() {
        let (cache, guard) = (written("cache", &[Deed::Answers]), written("redact", &[Deed::Guards(Side::Request)]));
        let message = passed_by(&cache, &guard).unwrap().message;
        assert_eq!(message, "what the step `cache` answers by itself never comes to `redact`");
        assert!(passed_by(&guard, &cache).is_none());
    }

    #[test]
    fn a_budget_behind_a_step_that_charges_pays_for_nothing_of_it() {
        let (cache, budget) = (written("cache", &[Deed::Answers, Deed::Charges]), written("budget", &[Deed::Pays]));
        let message = charged_to_nobody(&cache, &budget).unwrap().message;
        assert_eq!(message, "what the step `cache` charges for its answers never comes to `budget`");
        assert!(charged_to_nobody(&budget, &cache).is_none());
        assert!(charged_to_nobody(&written("cache", &[Deed::Answers]), &budget).is_none());
    }

    #[test]
    fn what_keeps_texts_is_to_stand_behind_what_hides_them() {
        let (cache, guard) =
            (written("cache", &[Deed::Keeps(Side::Request)]), written("redact", &[Deed::Hides(Side::Request)]));
        assert!(shown_first(&cache, &guard).unwrap().message.contains("`cache` keeps requests"));
        assert!(shown_first(&guard, &cache).is_none());
    }

    #[test]
    fn answers_pass_the_other_way() {
        let (screen, hides) =
            (written("screen", &[Deed::Shows(Side::Answer)]), written("redact", &[Deed::Hides(Side::Answer)]));
        assert!(shown_first(&screen, &hides).is_none() && shown_first(&hides, &screen).is_some());
        let restores = written("redact", &[Deed::GivesBack, Deed::Hides(Side::Request)]);
        assert!(shown_first(&screen, &restores).is_some() && shown_first(&restores, &screen).is_none());
    }
}
