//! Trees into typed values, with every problem noted.
//!
//! A plain serde deserializer stops at the first error. [`decode`] notes it, hides the value that caused it,
//! and decodes again, until nothing new turns up; so a misspelt word in one place does not hide a missing
//! unit in the next. What can be decoded without the faulty values is returned, for further checks.
//!
//! Unknown fields and unknown choices are refused here, whatever the type says of them.

mod at;
mod collection;
mod error;
mod variant;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, Unexpected, Visitor};

pub use at::{At, OneOrMany, Table, TextOr};

use self::collection::{Fields, Items, Pieces};
use self::error::Error;
use self::variant::{Choice, Shape};
use super::codes;
use super::problem::Problem;
use super::source::{Sources, Span};
use super::tree::{Node, Plain, Scalar, Value};
use crate::base::units::QUANTITY;

/// What came out of a tree.
pub struct Decoded<T> {
    /// `None` if nothing of it could be used.
    pub value: Option<T>,
    pub problems: Vec<Problem>,
    /// Where texts stand in which references were looked for.
    pub templates: HashSet<Span>,
}

pub fn decode<'a, T: Deserialize<'a>>(node: &'a Node, sources: &'a Sources) -> Decoded<T> {
    let cx = Cx {
        sources,
        problems: RefCell::default(),
        hidden: RefCell::default(),
        progress: Cell::new(false),
        templates: RefCell::default(),
    };
    let value = loop {
        cx.progress.set(false);
        let result = cx.run(node, None, std::marker::PhantomData);
        let is_over = result.is_ok() || cx.is_hidden(node) || !cx.progress.get();
        if is_over || cx.problems.borrow().len() > MAX_PROBLEMS {
            break result.ok();
        }
    };
    Decoded { value, problems: cx.problems.into_inner(), templates: cx.templates.into_inner() }
}

/// What one decoding has found so far.
struct Cx<'a> {
    sources: &'a Sources,
    problems: RefCell<Vec<Problem>>,
    /// Values, by address, that are known to be faulty and are left out from now on.
    hidden: RefCell<HashSet<usize>>,
    progress: Cell<bool>,
    /// The texts in which references were looked for.
    templates: RefCell<HashSet<Span>>,
}

impl<'a> Cx<'a> {
    /// Decodes a part; an error in it is noted, and the part hidden.
    fn run<S: DeserializeSeed<'a>>(&self, node: &'a Node, key: Option<Span>, seed: S) -> Result<S::Value, Error> {
        let decoder = Decoder { node, cx: self };
        seed.deserialize(decoder).map_err(|error| self.settle(error, node, key))
    }

    fn settle(&self, error: Error, node: &Node, key: Option<Span>) -> Error {
        if let Some(problem) = error.into_problem(key, node.point(self.sources)) {
            self.note(problem);
            self.hide(node);
        }
        Error::Settled
    }

    fn note(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() <= MAX_PROBLEMS && !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    fn hide(&self, node: &Node) {
        if self.hidden.borrow_mut().insert(address(node)) {
            self.progress.set(true);
        }
    }

    fn is_hidden(&self, node: &Node) -> bool {
        self.hidden.borrow().contains(&address(node))
    }
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// Decodes one node.
#[derive(Clone, Copy)]
struct Decoder<'a, 'c> {
    node: &'a Node,
    cx: &'c Cx<'a>,
}

impl<'a> Decoder<'a, '_> {
    fn scalar(self) -> Option<&'a Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Seq(_) | Value::Map(_) => None,
        }
    }

    fn unexpected(self) -> Unexpected<'a> {
        match &self.node.value {
            Value::Scalar(_) if self.is_secret() => Unexpected::Other("a single value"),
            Value::Seq(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
            Value::Scalar(scalar) => match scalar.plain() {
                Plain::Null => Unexpected::Unit,
                Plain::Bool(value) => Unexpected::Bool(value),
                Plain::Unsigned(value) => Unexpected::Unsigned(value),
                Plain::Signed(value) => Unexpected::Signed(value),
                Plain::Float(value) => Unexpected::Float(value),
                Plain::Text(text) => Unexpected::Str(text),
            },
        }
    }

    /// Whether a message must not repeat what stands here.
    fn is_secret(self) -> bool {
        self.cx.sources.is_masked(self.node.span)
    }

    /// Text is a quoted scalar, or a plain one that cannot be taken for anything else.
    fn text(self, expected: &dyn serde::de::Expected) -> Result<&'a str, Error> {
        match self.scalar().map(|scalar| (scalar.plain(), &scalar.text)) {
            Some((Plain::Text(text), _)) => Ok(text),
            Some((Plain::Bool(_) | Plain::Unsigned(_) | Plain::Signed(_) | Plain::Float(_), text)) => {
                let error = Error::invalid_type(self.unexpected(), expected);
                let text = if self.is_secret() { "it".to_owned() } else { format!("\"{text}\"") };
                Err(error.help(format!("write {text} in quotes if the text is meant")))
            }
            _ => Err(Error::invalid_type(self.unexpected(), expected)),
        }
    }
}

impl<'a> Deserializer<'a> for Decoder<'a, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Seq(items) => visitor.visit_seq(Items::new(items, self.cx)),
            Value::Map(entries) => visitor.visit_map(Fields::new(entries, None, self.cx)),
            Value::Scalar(scalar) => match scalar.plain() {
                Plain::Null => visitor.visit_unit(),
                Plain::Bool(value) => visitor.visit_bool(value),
                Plain::Unsigned(value) => visitor.visit_u64(value),
                Plain::Signed(value) => visitor.visit_i64(value),
                Plain::Float(value) => visitor.visit_f64(value),
                Plain::Text(text) => visitor.visit_borrowed_str(text),
            },
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.text(&visitor)?;
        visitor.visit_borrowed_str(text)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.scalar().map(Scalar::plain) {
            Some(Plain::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// [`QUANTITY`] asks for a scalar's own letters, whatever they would stand for; [`TEMPLATE`] for a text in
    /// which references are looked for.
    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match (name, self.scalar()) {
            (TEMPLATE, _) => {
                let text = self.text(&visitor)?;
                self.cx.templates.borrow_mut().insert(self.node.span);
                visitor.visit_borrowed_str(text).map_err(|error: Error| error.coded(codes::BAD_REFERENCE))
            }
            (QUANTITY, Some(scalar)) => {
                visitor.visit_borrowed_str(&scalar.text).map_err(|error: Error| error.coded(codes::NO_UNIT))
            }
            (QUANTITY, None) => Err(Error::invalid_type(self.unexpected(), &visitor)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    /// [`AT`] asks for the place of a value and the value.
    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == AT {
            return visitor.visit_seq(Pieces::new(self));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let help = match &self.node.value {
            Value::Seq(items) => return visitor.visit_seq(Items::new(items, self.cx)),
            Value::Map(_) if !self.cx.sources.slice(self.node.span).starts_with('{') => {
                "begin each item with `- `".to_owned()
            }
            Value::Scalar(scalar) if !self.is_secret() => format!("a list is written in brackets: `[{}]`", scalar.text),
            Value::Scalar(_) | Value::Map(_) => "a list is written in brackets: `[…]`".to_owned(),
        };
        Err(Error::invalid_type(self.unexpected(), &visitor).help(help))
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Fields::new(entries, None, self.cx)),
            _ => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Map(entries) = &self.node.value else {
            return Err(Error::invalid_type(self.unexpected(), &visitor).help(error::fields_of(name, fields)));
        };
        let of_struct = Fields::new(entries, Some((name, fields)), self.cx);
        visitor.visit_map(of_struct).map_err(|error| match error {
            // What is missing only because it was faulty or misspelt has been reported already.
            Error::Missing(field) if collection::is_there(entries, field, name, fields, self.cx) => {
                self.cx.hide(self.node);
                Error::Settled
            }
            other => other,
        })
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            TEXT_OR => visitor.visit_enum(Shape { is_first: self.scalar().is_some(), whole: self }),
            ONE_OR_MANY => {
                visitor.visit_enum(Shape { is_first: !matches!(self.node.value, Value::Seq(_)), whole: self })
            }
            _ => visitor.visit_enum(Choice::of(self, name, variants)?),
        }
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.text() {
            Some(text) => BorrowedStrDeserializer::new(text).deserialize_any(visitor),
            None => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
    }
}

/// Names by which types ask for what serde has no word for.
const AT: &str = "$at";
const TEXT_OR: &str = "$text_or";
const ONE_OR_MANY: &str = "$one_or_many";
pub(super) const TEMPLATE: &str = "$template";

/// Nobody reads further than this.
const MAX_PROBLEMS: usize = 100;

#[cfg(test)]
mod tests;
