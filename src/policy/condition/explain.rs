//! Why a condition came out as it did: each part of it, and what the request answered.
//!
//! A condition is taken apart at its `&&` and `||`, by its text, and each part is a condition of its own.
//! This is for people who ask; requests are decided without it.

use cel::common::ast::{Expr, SelectExpr};
use cel::{Context, IdedExpr, Value};

use super::vocabulary::HEADER_VARIABLE;
use super::{Condition, ENVIRONMENT, evaluate, parse};
use crate::pipeline::facts::Facts;
use crate::pipeline::trail::Clause;

impl Condition {
    /// Whether the condition is true of a request, and why.
    pub fn explain(&self, facts: &dyn Facts) -> Clause {
        clause(&self.text, facts)
    }
}

fn clause(text: &str, facts: &dyn Facts) -> Clause {
    let text = inside(text);
    let parts: Vec<Clause> = parts(text).into_iter().map(|part| clause(part, facts)).collect();
    let Ok(condition) = parse(text) else {
        // Part of a sound condition that makes no sense by itself.
        return Clause { text: text.to_owned(), holds: Err("not asked by itself".into()), asked: Vec::new(), parts };
    };
    let asked = if parts.is_empty() { condition.asked(facts) } else { Vec::new() };
    Clause { text: one_line(text), holds: condition.holds(facts), asked, parts }
}

impl Condition {
    /// What the condition asks of a request, and what that answers.
    fn asked(&self, facts: &dyn Facts) -> Vec<(String, String)> {
        let mut names: Vec<&String> = self.parts.iter().flat_map(|part| &part.asks).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (spoken(name), answer(facts, name))).collect()
    }
}

fn spoken(name: &str) -> String {
    match name.strip_prefix(HEADER_VARIABLE) {
        Some(header) => format!("request.header(\"{header}\")"),
        None => name.to_owned(),
    }
}

fn answer(facts: &dyn Facts, name: &str) -> String {
    let Some(answer) = evaluate::answer(facts, name) else { return "unknown".into() };
    let mut context = Context::with_env(std::sync::Arc::clone(&ENVIRONMENT));
    context.add_variable_as_val(name, answer);
    let ident = |name: &str| IdedExpr { id: 0, expr: Expr::Ident(name.to_owned()) };
    let expression = match name.split_once('.') {
        Some((object, field)) if !name.starts_with(HEADER_VARIABLE) => {
            let select = SelectExpr { operand: Box::new(ident(object)), field: field.to_owned(), test: false };
            IdedExpr { id: 0, expr: Expr::Select(select) }
        }
        _ => ident(name),
    };
    Value::resolve(&expression, &context).map_or_else(|error| error.to_string(), |value| show(&value))
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::String(text) => format!("{:?}", text.as_str()),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.map.iter().map(|(key, value)| format!("{}: {}", key, show(value))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text without the parentheses that enclose all of it.
fn inside(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let mut depth = 0i32;
    let closes_early = outside_quotes(inner).any(|(_, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    });
    if closes_early { text } else { inside(inner) }
}

/// The sides of the operator that binds least: of each `||`, else of each `&&`. None if there is neither, or a
/// `?` that binds less still.
fn parts(text: &str) -> Vec<&str> {
    for operator in ["?", "||", "&&"] {
        let cuts = at_the_top(text, operator);
        if cuts.is_empty() {
            continue;
        }
        if operator == "?" {
            break;
        }
        let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut + operator.len()));
        let ends = cuts.iter().copied().chain(std::iter::once(text.len()));
        return starts.zip(ends).filter_map(|(start, end)| text.get(start..end)).collect();
    }
    Vec::new()
}

/// Where an operator stands in no parentheses and no quotes.
fn at_the_top(text: &str, operator: &str) -> Vec<usize> {
    let mut depth = 0i32;
    let mut cuts = Vec::new();
    for (at, c) in outside_quotes(text) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ if depth == 0 && text.get(at..).is_some_and(|rest| rest.starts_with(operator)) => cuts.push(at),
            _ => {}
        }
    }
    cuts
}

/// The characters of a text that stand in no quotes.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut is_escaped = false;
    text.char_indices().filter(move |(_, c)| {
        let is_inside = quote.is_some();
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if *c == '\\' => is_escaped = true,
            Some(opened) if opened == *c => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(*c),
            None => {}
        }
        !is_inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_taken_apart_where_its_operators_bind_least() {
        assert_eq!(parts("a && b || c"), ["a && b ", " c"]);
        assert_eq!(parts("a && (b || c)"), ["a ", " (b || c)"]);
        assert_eq!(inside(" ((b || c)) "), "b || c");
        assert_eq!(inside("(a) && (b)"), "(a) && (b)");
    }

    #[test]
    fn operators_in_quotes_and_calls_take_nothing_apart() {
        assert!(parts(r#"request.model == "a && b""#).is_empty());
        assert!(parts(r#"caller.tags.exists(t, t == "x" || t == "y")"#).is_empty());
        assert!(parts("a ? b || c : d").is_empty());
        assert!(parts(r#"x == "\" && ""#).is_empty());
    }
}
