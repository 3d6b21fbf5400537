//! The types of a condition, worked out before there is a request.
//!
//! What only a request can answer (`caller.claims`, a value that may be null) is let through; everything
//! else that would fail at run time is refused here. On the way, calls that CEL itself does not know are
//! put in its words: `request.header("x")` becomes a variable, `has(caller.team)` a comparison with null.

use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators};

use super::Flaw;
use super::vocabulary::{self, FUNCTIONS, Function, HEADER, HEADER_VARIABLE, MACROS, OBJECTS, Takes, Type};
use crate::policy::codes::{self, Code};
use crate::policy::problem::{did_you_mean, nearest};

pub(super) struct Checker<'a> {
    text: &'a str,
    places: &'a SourceInfo,
    /// Variables of loops, the innermost last.
    scope: Vec<(String, Type)>,
    asks: Vec<String>,
    flaws: Vec<Flaw>,
}

/// Whether an expression is all of a condition, or one side of an `&&`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Whole,
    Conjunct,
    /// What yields a text.
    Text,
}

impl<'a> Checker<'a> {
    pub fn new(text: &'a str, places: &'a SourceInfo) -> Self {
        Self { text, places, scope: Vec::new(), asks: Vec::new(), flaws: Vec::new() }
    }

    /// Checks what must be true or false; says what it asks of a request, and what is wrong with it.
    pub fn run(mut self, expression: &mut IdedExpr, role: Role) -> (Vec<String>, Vec<Flaw>) {
        let id = expression.id;
        let found = self.type_of(expression);
        let is_wanted = match role {
            Role::Whole | Role::Conjunct => matches!(found, Type::Bool | Type::Any),
            Role::Text => matches!(found.present(), Type::Text | Type::Any),
        };
        if self.flaws.is_empty() && !is_wanted {
            let (at, message) = match role {
                Role::Whole => (0..self.text.len(), format!("a condition is true or false, but this is {found}")),
                Role::Conjunct => (self.range(id), format!("`&&` takes what is true or false, not {found}")),
                Role::Text => (0..self.text.len(), format!("requests are told apart by a text, but this is {found}")),
            };
            let mut flaw = Flaw::new(codes::CONDITION_TYPE, at, message);
            flaw.help = Some("ask something of it, with `==`, `<`, `in` or a function".into());
            self.flaws.push(flaw);
        }
        self.asks.sort_unstable();
        self.asks.dedup();
        (self.asks, self.flaws)
    }

    fn type_of(&mut self, expr: &mut IdedExpr) -> Type {
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => self.literal(id, literal),
            Expr::Ident(name) => {
                let name = name.clone();
                self.variable(id, &name)
            }
            Expr::Select(_) => self.select(expr),
            Expr::Call(_) => self.call(expr),
            Expr::List(list) => self.list(&mut list.elements),
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.type_of(&mut entry.key);
                        self.type_of(&mut entry.value);
                    }
                }
                Type::Map
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(_) | Expr::Unspecified => {
                self.flaw(codes::CONDITION_SYNTAX, id, "this form is not used in conditions")
            }
        }
    }

    fn literal(&mut self, id: u64, literal: &LiteralValue) -> Type {
        match literal {
            LiteralValue::Boolean(_) => Type::Bool,
            LiteralValue::Int(_) => Type::Int,
            LiteralValue::UInt(_) => Type::Uint,
            LiteralValue::Double(_) => Type::Double,
            LiteralValue::String(_) => Type::Text,
            LiteralValue::Null => Type::Null,
            LiteralValue::Bytes(_) => self.flaw(codes::CONDITION_TYPE, id, "bytes are not used in conditions"),
        }
    }

    fn variable(&mut self, id: u64, name: &str) -> Type {
        if let Some((_, known)) = self.scope.iter().rev().find(|(known, _)| known == name) {
            return known.clone();
        }
        let at = self.word(id, name);
        if OBJECTS.contains(&name) {
            let mut flaw = Flaw::new(codes::CONDITION_NAME, at, format!("`{name}` is not a value by itself"));
            flaw.help = Some(members_are(name));
            return self.note(flaw);
        }
        let owner = OBJECTS.into_iter().find(|object| vocabulary::members(object).contains(&name));
        let mut flaw = Flaw::new(codes::CONDITION_NAME, at, format!("unknown name `{name}`"));
        flaw.label = match owner {
            Some(owner) => format!("did you mean `{owner}.{name}`?"),
            None => did_you_mean(name, OBJECTS),
        };
        flaw.help = Some(format!("known are: {}", OBJECTS.join(", ")));
        self.note(flaw)
    }

    fn select(&mut self, expr: &mut IdedExpr) -> Type {
        let id = expr.id;
        let Expr::Select(select) = &mut expr.expr else { return Type::Any };
        if let Expr::Ident(object) = &select.operand.expr
            && OBJECTS.contains(&object.as_str())
            && !self.scope.iter().any(|(known, _)| known == object)
        {
            let (object, field) = (object.clone(), select.field.clone());
            let found = self.member(id, &object, &field);
            if select.test {
                select.test = false;
                let value = std::mem::take(select);
                expr.expr = is_not_null(id, value);
                return Type::Bool;
            }
            return found;
        }
        let (field, is_test) = (select.field.clone(), select.test);
        let operand = self.type_of(&mut select.operand);
        match operand.present() {
            Type::Map | Type::Any if is_test => Type::Bool,
            Type::Map | Type::Any => Type::Any,
            other => {
                let message = format!("{other} has no member `{field}`");
                let at = self.word(id, &field);
                self.note(Flaw::new(codes::CONDITION_TYPE, at, message))
            }
        }
    }

    fn member(&mut self, id: u64, object: &str, field: &str) -> Type {
        if let Some(found) = vocabulary::member_type(object, field) {
            self.asks.push(format!("{object}.{field}"));
            return found;
        }
        let at = self.word(id, field);
        if (object, field) == HEADER {
            let message = "`request.header` needs the name of a header";
            let mut flaw = Flaw::new(codes::CONDITION_NAME, at, message);
            flaw.help = Some("write `request.header(\"x-name\")`".into());
            return self.note(flaw);
        }
        let mut flaw = Flaw::new(codes::CONDITION_NAME, at, format!("`{object}` has no member `{field}`"));
        flaw.label = did_you_mean(field, vocabulary::members(object).iter().copied());
        flaw.help = Some(members_are(object));
        self.note(flaw)
    }

    fn list(&mut self, elements: &mut [IdedExpr]) -> Type {
        let mut common: Option<Type> = None;
        for element in elements {
            let found = self.type_of(element);
            common = Some(match common {
                None => found,
                Some(common) if common == found => common,
                Some(_) => Type::Any,
            });
        }
        Type::List(Box::new(common.unwrap_or(Type::Any)))
    }

    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr) -> Type {
        let range_id = comprehension.iter_range.id;
        let range = self.type_of(&mut comprehension.iter_range);
        let item = match range.present() {
            Type::List(item) => (**item).clone(),
            Type::Map => Type::Text,
            Type::Any => Type::Any,
            other => self.flaw(codes::CONDITION_TYPE, range_id, format!("{other} has nothing to go through")),
        };
        let start = match self.type_of(&mut comprehension.accu_init) {
            Type::List(_) => Type::List(Box::new(Type::Any)),
            other => other,
        };
        self.scope.push((comprehension.accu_var.clone(), start));
        self.scope.push((comprehension.iter_var.clone(), item));
        self.type_of(&mut comprehension.loop_cond);
        self.type_of(&mut comprehension.loop_step);
        self.scope.pop();
        let result = self.type_of(&mut comprehension.result);
        self.scope.pop();
        result
    }

    fn call(&mut self, expr: &mut IdedExpr) -> Type {
        let id = expr.id;
        let Expr::Call(call) = &mut expr.expr else { return Type::Any };
        if let Some(header) = self.header(id, call) {
            let variable = format!("{HEADER_VARIABLE}{header}");
            self.asks.push(variable.clone());
            expr.expr = Expr::Ident(variable);
            return Type::Maybe(Box::new(Type::Text));
        }
        let target = call.target.as_mut().map(|target| self.type_of(target));
        let args: Vec<Type> = call.args.iter_mut().map(|arg| self.type_of(arg)).collect();
        let arg_ids: Vec<u64> = call.args.iter().map(|arg| arg.id).collect();
        match (call.func_name.as_str(), args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
                self.all_bool(&call.func_name, &args, &arg_ids)
            }
            (operators::NOT_STRICTLY_FALSE, _) => Type::Bool,
            (operators::CONDITIONAL, [test, yes, no]) => {
                self.all_bool("_?_:_", std::slice::from_ref(test), &arg_ids);
                if yes == no { yes.clone() } else { Type::Any }
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => self.equality(id, &call.func_name, a, b),
            (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [a, b]) => {
                self.order(id, &call.func_name, a, b)
            }
            (operators::IN, [item, whole]) => self.containment(id, item, whole),
            (operators::INDEX, [whole, index]) => self.index(id, whole, index),
            (operators::NEGATE, [number]) if number.is_number() || *number == Type::Any => number.clone(),
            (operators::ADD, [a, b]) => self.sum(id, a, b),
            (operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO, [a, b]) => {
                self.arithmetic(id, &call.func_name, a, b)
            }
            (operators::NEGATE, [other]) => {
                self.flaw(codes::CONDITION_TYPE, id, format!("`-` takes a number, not {other}"))
            }
            (name, args) => {
                let name = name.to_owned();
                self.function(id, &name, target.as_ref(), args)
            }
        }
    }

    /// The header that `request.header("x-name")` asks for.
    fn header(&mut self, id: u64, call: &CallExpr) -> Option<String> {
        let target = call.target.as_ref()?;
        let Expr::Ident(object) = &target.expr else { return None };
        if (object.as_str(), call.func_name.as_str()) != HEADER {
            return None;
        }
        match call.args.as_slice() {
            [IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] => {
                Some(name.inner().to_ascii_lowercase())
            }
            _ => {
                self.flaw(codes::CONDITION_TYPE, id, "`request.header` takes the name of one header, in quotes");
                Some(String::new())
            }
        }
    }

    fn function(&mut self, id: u64, name: &str, target: Option<&Type>, args: &[Type]) -> Type {
        let known = FUNCTIONS.iter().find(|known| known.name == name && known.on.is_some() == target.is_some());
        let Some(known) = known else { return self.unknown_function(id, name, target.is_some()) };
        let wanted: Vec<Takes> = known.on.iter().chain(known.takes).copied().collect();
        let given: Vec<&Type> = target.into_iter().chain(args).collect();
        if wanted.len() != given.len() {
            let message = format!("`{name}` takes {} arguments, not {}", known.takes.len(), args.len());
            return self.flaw(codes::CONDITION_TYPE, id, message);
        }
        for (wanted, given) in wanted.iter().zip(given) {
            if !wanted.accepts(given) {
                let message = format!("`{name}` takes {}, not {given}", wanted.words());
                return self.flaw(codes::CONDITION_TYPE, id, message);
            }
        }
        known.gives.clone()
    }

    fn unknown_function(&mut self, id: u64, name: &str, is_method: bool) -> Type {
        let names = || FUNCTIONS.iter().map(|known| known.name).chain(MACROS);
        let at = self.word(id, name);
        let mut flaw = Flaw::new(codes::CONDITION_FUNCTION, at, format!("unknown function `{name}`"));
        flaw.label = match FUNCTIONS.iter().find(|known| known.name == name) {
            Some(Function { on: Some(_), .. }) if !is_method => format!("is written `value.{name}(…)`"),
            Some(_) => format!("is written `{name}(value)`"),
            None => nearest(name, names()).map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
        };
        let mut names: Vec<_> = names().collect();
        names.sort_unstable();
        names.dedup();
        flaw.help = Some(format!("functions are: {}", names.join(", ")));
        self.note(flaw)
    }

    /// Two sides that are not of one type.
    pub(super) fn mismatch(&mut self, id: u64, message: String, a: &Type, b: &Type) {
        let mut flaw = Flaw::new(codes::CONDITION_TYPE, self.range(id), message);
        let is_text = |side: &Type| *side.present() == Type::Text;
        if (a.is_number() && is_text(b)) || (is_text(a) && b.is_number()) {
            flaw.help = Some("a number is written without quotes, a text in quotes".into());
        }
        self.note(flaw);
    }

    pub(super) fn flaw(&mut self, code: Code, id: u64, message: impl Into<String>) -> Type {
        let at = self.range(id);
        self.note(Flaw::new(code, at, message))
    }

    /// What has a flaw may be anything, so that one flaw does not bring others with it.
    fn note(&mut self, flaw: Flaw) -> Type {
        let is_known = self.flaws.iter().any(|known| known.at == flaw.at && known.message == flaw.message);
        if !is_known {
            self.flaws.push(flaw);
        }
        Type::Any
    }

    /// The token an expression is known by: an operator, a literal, a name.
    fn range(&self, id: u64) -> Range<usize> {
        match self.places.offset_for(id) {
            Some((start, end)) => grow(self.text, byte_range(self.text, start as usize, end as usize)),
            None => 0..self.text.len(),
        }
    }

    /// Where `word` stands in what an expression is known by.
    fn word(&self, id: u64, word: &str) -> Range<usize> {
        let known = self.range(id);
        match self.text.get(known.clone()).and_then(|token| token.rfind(word)) {
            Some(offset) => known.start + offset..known.start + offset + word.len(),
            None => known,
        }
    }
}

/// The parser's ends are inclusive.
fn byte_range(text: &str, start: usize, end: usize) -> Range<usize> {
    let start = text.floor_char_boundary(start);
    start..text.ceil_char_boundary(end.saturating_add(1)).max(start)
}

/// A call stands at its parenthesis and a member at its dot; people look for the names.
fn grow(text: &str, token: Range<usize>) -> Range<usize> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_path = |c: char| is_name(c) || c == '.';
    let before = |end: usize, is_part: &dyn Fn(char) -> bool| {
        let head = text.get(..end).unwrap_or("");
        head.trim_end_matches(is_part).len()
    };
    match text.get(token.clone()) {
        Some("(") => {
            let start = before(token.start, &is_name);
            if start < token.start { start..token.start } else { token }
        }
        Some(".") => {
            let tail = text.get(token.end..).unwrap_or("");
            let end = token.end + (tail.len() - tail.trim_start_matches(is_name).len());
            before(token.start, &is_path)..end
        }
        _ => token,
    }
}

fn is_not_null(id: u64, value: SelectExpr) -> Expr {
    let value = IdedExpr { id, expr: Expr::Select(value) };
    let null = IdedExpr { id, expr: Expr::Literal(LiteralValue::Null) };
    Expr::Call(CallExpr { func_name: operators::NOT_EQUALS.to_owned(), target: None, args: vec![value, null] })
}

fn members_are(object: &str) -> String {
    format!("members of `{object}` are: {}", vocabulary::members(object).join(", "))
}
