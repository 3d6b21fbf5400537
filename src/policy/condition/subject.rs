//! What requests are told apart by when they are counted: a word, or an expression of the language of conditions
//! that yields a text.

use std::borrow::Cow;
use std::sync::Arc;

use cel::{Context, IdedExpr, Value};

use super::check::{Checker, Role};
use super::{ENVIRONMENT, MAX_BYTES, MAX_DEPTH, evaluate, syntax};
use crate::pipeline::facts::{Facts, Subject};
use crate::policy::problem::did_you_mean;

/// Reads it.
///
/// # Errors
/// What is wrong with it, for the person who wrote it.
pub fn subject(text: &str) -> Result<Arc<dyn Subject>, String> {
    match Word::read(text) {
        Some(word) => Ok(Arc::new(word)),
        None => Ok(Arc::new(Phrase::read(text)?)),
    }
}

/// One thing that each request has.
#[derive(Clone, Copy)]
enum Word {
    Key,
    User,
    Team,
    Session,
    Model,
    Policy,
}

const WORDS: [(&str, Word); 6] = [
    ("key", Word::Key),
    ("user", Word::User),
    ("team", Word::Team),
    ("session", Word::Session),
    ("model", Word::Model),
    ("policy", Word::Policy),
];

impl Word {
    fn read(text: &str) -> Option<Self> {
        WORDS.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    }
}

impl Subject for Word {
    fn of<'a>(&self, facts: &'a dyn Facts) -> Option<Cow<'a, str>> {
        let caller = facts.caller();
        match self {
            Self::Key => caller.key.as_ref().map(|key| key.as_str().into()),
            // Two teams' user 1 are not the same person.
            Self::User => {
                let user = caller.user.as_deref()?;
                Some([caller.team.as_deref().unwrap_or_default(), "/", user].concat().into())
            }
            Self::Team => caller.team.as_deref().map(Cow::Borrowed),
            Self::Session => {
                let session = caller.session.as_deref()?;
                Some([caller.team.as_deref().unwrap_or_default(), "/", session].concat().into())
            }
            Self::Model => Some(facts.model().into()),
            Self::Policy => facts.policy().map(Cow::Borrowed),
        }
    }
}

/// An expression that yields a text.
struct Phrase {
    expression: IdedExpr,
    asks: Vec<String>,
}

impl Phrase {
    fn read(text: &str) -> Result<Self, String> {
        let words = || WORDS.iter().map(|(word, _)| *word);
        if text.len() > MAX_BYTES {
            return Err(format!("an expression is at most {MAX_BYTES} bytes long"));
        }
        if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let hint = did_you_mean(text, words());
            let known = words().collect::<Vec<_>>().join(", ");
            let hint = if hint.is_empty() { String::new() } else { format!("; {hint}") };
            return Err(format!("requests are not told apart by `{text}`{hint} known are {known}, or an expression"));
        }
        let parser = ENVIRONMENT.parser().enable_optional_syntax(false).max_recursion_depth(MAX_DEPTH);
        let first = |flaws: Vec<super::Flaw>| flaws.into_iter().next().map(|flaw| flaw.message).unwrap_or_default();
        let (mut expression, places) =
            parser.parse_with_source_info(text).map_err(|error| first(syntax(text, &error)))?;
        let (asks, flaws) = Checker::new(text, &places).run(&mut expression, Role::Text);
        if flaws.is_empty() { Ok(Self { expression, asks }) } else { Err(first(flaws)) }
    }
}

impl Subject for Phrase {
    /// An expression that cannot be answered, since something in it is null, tells nobody apart.
    fn of<'a>(&self, facts: &'a dyn Facts) -> Option<Cow<'a, str>> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for name in &self.asks {
            if let Some(answer) = evaluate::answer(facts, name) {
                context.add_variable_as_val(name.as_str(), answer);
            }
        }
        match Value::resolve(&self.expression, &context) {
            Ok(Value::String(text)) => Some(text.to_string().into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        subject(text).err().unwrap_or_default()
    }

    #[test]
    fn an_expression_that_is_no_text_is_refused() {
        assert!(fault("request.input_tokens + 1").contains("text"), "{}", fault("request.input_tokens + 1"));
        assert!(fault("request.stream").contains("text"));
        assert!(subject("caller.team + \"/\" + request.model").is_ok());
    }

    #[test]
    fn a_word_that_is_unknown_is_answered_with_those_that_are_known() {
        assert!(fault("tem").contains("did you mean `team`?"), "{}", fault("tem"));
        assert!(fault("caller.teem + \"x\"").contains("teem"));
        assert!(!fault("caller.team +").is_empty());
    }
}
