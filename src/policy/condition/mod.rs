//! Conditions: what must be true of a request, in CEL.
//!
//! A condition is parsed and type-checked when the policy loads, against the names of [`vocabulary`]; what
//! it asks of a request is computed when it is evaluated, and only if it gets that far. A request's body is
//! never turned into CEL values.

mod check;
mod evaluate;
mod explain;
mod operator;
mod subject;
mod vocabulary;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, operators};
use cel::{Context, Env, IdedExpr, Value};

use self::check::{Checker, Role};
pub use self::subject::subject;
use super::codes::{self, Code};
use super::decode::At;
use super::problem::Problem;
use super::source::Sources;
use crate::pipeline::facts::Facts;

/// A condition that is known to be well-formed.
#[derive(Debug, Clone)]
pub struct Condition {
    text: Arc<str>,
    /// What must hold all together: the two sides of `&&` are parts of their own, so that what is cheap to
    /// ask can spare what is not.
    parts: Arc<[Part]>,
}

#[derive(Debug)]
struct Part {
    expression: IdedExpr,
    /// What the part asks of a request, by the names of [`vocabulary`].
    asks: Vec<String>,
}

impl Condition {
    /// Reads and checks a condition. Every problem with it goes to `problems`; `None` if there is one.
    pub fn read(text: &At<String>, sources: &Sources, problems: &mut Vec<Problem>) -> Option<Self> {
        let found = match parse(text) {
            Ok(sound) => return Some(sound),
            Err(found) => found,
        };
        problems.extend(found.into_iter().map(|fault| {
            let at = sources.inside(text.span, text, fault.at);
            let problem = Problem::error(fault.code, fault.message).at(at, fault.label);
            Problem { help: fault.help.into_iter().collect(), ..problem }
        }));
        None
    }

    /// Whether the condition is true of a request.
    ///
    /// # Errors
    /// Why there is no answer: a comparison with something that is null, for one. It then does not hold.
    pub fn holds(&self, facts: &dyn Facts) -> Result<bool, String> {
        let mut verdict = Ok(true);
        for part in &*self.parts {
            match part.holds(facts) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(reason) => verdict = Err(reason),
            }
        }
        verdict
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Part {
    fn holds(&self, facts: &dyn Facts) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for name in &self.asks {
            if let Some(answer) = evaluate::answer(facts, name) {
                context.add_variable_as_val(name.as_str(), answer);
            }
        }
        match Value::resolve(&self.expression, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err("the condition is neither true nor false".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Something wrong within the text of a condition.
struct Flaw {
    code: Code,
    message: String,
    at: Range<usize>,
    label: String,
    help: Option<String>,
}

impl Flaw {
    fn new(code: Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at, label: String::new(), help: None }
    }
}

fn parse(text: &str) -> Result<Condition, Vec<Flaw>> {
    if text.len() > MAX_BYTES {
        let message = format!("a condition is at most {MAX_BYTES} bytes long");
        return Err(vec![Flaw::new(codes::CONDITION_SYNTAX, 0..text.len(), message)]);
    }
    let parser = ENVIRONMENT.parser().enable_optional_syntax(false).max_recursion_depth(MAX_DEPTH);
    let (expression, places) = parser.parse_with_source_info(text).map_err(|error| syntax(text, &error))?;
    let mut conjuncts = Vec::new();
    split(expression, &mut conjuncts);
    let role = if conjuncts.len() == 1 { Role::Whole } else { Role::Conjunct };
    let (mut parts, mut flaws) = (Vec::new(), Vec::new());
    for mut expression in conjuncts {
        let (asks, found) = Checker::new(text, &places).run(&mut expression, role);
        flaws.extend(found);
        parts.push(Part { expression, asks });
    }
    if flaws.is_empty() { Ok(Condition { text: text.into(), parts: parts.into() }) } else { Err(flaws) }
}

/// Takes `a && b && c` apart.
fn split(expression: IdedExpr, parts: &mut Vec<IdedExpr>) {
    match expression.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_AND => {
            for side in call.args {
                split(side, parts);
            }
        }
        _ => parts.push(expression),
    }
}

/// The first error; those after it are mostly its echoes.
fn syntax(text: &str, errors: &cel::ParseErrors) -> Vec<Flaw> {
    let Some(first) = errors.errors.first() else {
        return vec![Flaw::new(codes::CONDITION_SYNTAX, 0..text.len(), "the condition cannot be read")];
    };
    let (line, column) = (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(1));
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (line_start + column.saturating_sub(1)).min(text.len());
    let said = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    let quoted = said.split_once('\'').and_then(|(_, rest)| rest.rsplit_once('\'')).map(|(quoted, _)| quoted.trim());
    let quoted = quoted.map(|quoted| quoted.split('\'').next().unwrap_or(quoted));
    let missing = said.strip_prefix("missing '").and_then(|rest| rest.split_once('\'')).map(|(missing, _)| missing);
    let message = match quoted {
        _ if missing.is_some_and(|missing| !missing.is_empty()) => {
            format!("a `{}` is missing", missing.unwrap_or_default())
        }
        Some("<EOF>") => "the condition breaks off".into(),
        Some(token) if !token.is_empty() => format!("the condition cannot be read at `{token}`"),
        _ => format!("the condition cannot be read: {said}"),
    };
    let mut flaw = Flaw::new(codes::CONDITION_SYNTAX, at..at + 1, message);
    flaw.help = match quoted {
        Some(token) if token.starts_with('=') => Some("two things are compared with `==`".into()),
        Some("and" | "or" | "not" | "AND" | "OR" | "NOT") => {
            Some("write `&&` for and, `||` for or, `!` for not".into())
        }
        _ => None,
    };
    vec![flaw]
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

const MAX_BYTES: usize = 4096;
const MAX_DEPTH: u16 = 32;

#[cfg(test)]
mod tests;
