//! What the operators of a condition take and give.

use cel::common::ast::operators;

use super::check::Checker;
use super::vocabulary::Type;
use crate::policy::codes;

impl Checker<'_> {
    pub(super) fn all_bool(&mut self, operator: &str, args: &[Type], ids: &[u64]) -> Type {
        for (arg, id) in args.iter().zip(ids) {
            if !matches!(arg, Type::Bool | Type::Any) {
                let message = format!("`{}` takes what is true or false, not {arg}", sign(operator));
                self.flaw(codes::CONDITION_TYPE, *id, message);
            }
        }
        Type::Bool
    }

    pub(super) fn equality(&mut self, id: u64, operator: &str, a: &Type, b: &Type) -> Type {
        if !a.meets(b) {
            let message = format!("`{}` compares {a} with {b}, which are never equal", sign(operator));
            self.mismatch(id, message, a, b);
        }
        Type::Bool
    }

    pub(super) fn order(&mut self, id: u64, operator: &str, a: &Type, b: &Type) -> Type {
        let is_any = |t: &Type| *t.present() == Type::Any;
        let have_order = match (a.present(), b.present()) {
            (Type::Text, Type::Text) => true,
            (Type::Text, _) => is_any(b),
            (_, Type::Text) => is_any(a),
            _ => (a.is_number() || is_any(a)) && (b.is_number() || is_any(b)),
        };
        if !have_order {
            self.mismatch(id, format!("`{}` cannot compare {a} with {b}", sign(operator)), a, b);
        }
        Type::Bool
    }

    pub(super) fn containment(&mut self, id: u64, item: &Type, whole: &Type) -> Type {
        match whole.present() {
            Type::List(items) if !item.meets(items) => {
                self.flaw(codes::CONDITION_TYPE, id, format!("the list holds {items}, and never {item}"));
            }
            Type::List(_) | Type::Map | Type::Any => {}
            other => {
                self.flaw(codes::CONDITION_TYPE, id, format!("`in` looks in a list or a map, not in {other}"));
            }
        }
        Type::Bool
    }

    pub(super) fn index(&mut self, id: u64, whole: &Type, index: &Type) -> Type {
        match (whole.present(), index) {
            (Type::List(item), Type::Int | Type::Uint | Type::Any) => (**item).clone(),
            (Type::Map | Type::Any, _) => Type::Any,
            (Type::List(_), other) => self.flaw(codes::CONDITION_TYPE, id, format!("a list has no item at {other}")),
            (other, _) => self.flaw(codes::CONDITION_TYPE, id, format!("{other} has no items")),
        }
    }

    pub(super) fn sum(&mut self, id: u64, a: &Type, b: &Type) -> Type {
        match (a.present(), b.present()) {
            (Type::Text, Type::Text) => Type::Text,
            (Type::List(a), Type::List(b)) => Type::List(Box::new(if a == b { (**a).clone() } else { Type::Any })),
            (Type::Any, _) | (_, Type::Any) => Type::Any,
            _ => self.arithmetic(id, operators::ADD, a, b),
        }
    }

    pub(super) fn arithmetic(&mut self, id: u64, operator: &str, a: &Type, b: &Type) -> Type {
        match (a.present(), b.present()) {
            (Type::Any, _) | (_, Type::Any) => Type::Any,
            (known, other) if known == other && known.is_number() => known.clone(),
            _ => {
                let message = format!("`{}` cannot be applied to {a} and {b}", sign(operator));
                self.flaw(codes::CONDITION_TYPE, id, message)
            }
        }
    }
}

/// `_&&_` is written `&&`.
fn sign(operator: &str) -> &str {
    match operator {
        operators::CONDITIONAL => "?",
        operators::IN => "in",
        other => other.trim_matches('_'),
    }
}
