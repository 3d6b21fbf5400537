//! What a condition may ask: the names, and the types behind them.

use std::fmt;

/// A type, as far as it is known before there is a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Null,
    List(Box<Type>),
    Map,
    /// Only a request will tell.
    Any,
    /// May be null.
    Maybe(Box<Type>),
}

impl Type {
    /// The type without the possibility of null.
    pub fn present(&self) -> &Self {
        match self {
            Self::Maybe(inner) => inner,
            other => other,
        }
    }

    pub fn is_number(&self) -> bool {
        matches!(self.present(), Self::Int | Self::Uint | Self::Double)
    }

    /// Whether values of the two types can be equal.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Null, Self::Null | Self::Maybe(_)) | (Self::Maybe(_), Self::Null) => true,
            (Self::Null, _) | (_, Self::Null) => false,
            _ => match (self.present(), other.present()) {
                (Self::List(a), Self::List(b)) => a.meets(b),
                (a, b) => a == b || (a.is_number() && b.is_number()),
            },
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("a boolean"),
            Self::Int | Self::Uint => f.write_str("a whole number"),
            Self::Double => f.write_str("a decimal number"),
            Self::Text => f.write_str("a text"),
            Self::Null => f.write_str("null"),
            Self::List(_) => f.write_str("a list"),
            Self::Map => f.write_str("a map"),
            Self::Any => f.write_str("a value"),
            Self::Maybe(inner) => write!(f, "{inner} or null"),
        }
    }
}

/// The things whose members a condition may ask for.
pub(super) const OBJECTS: [&str; 3] = ["caller", "request", "time"];

/// The member that is a function: `request.header("x-name")`.
pub(super) const HEADER: (&str, &str) = ("request", "header");

/// What `request.header("x-name")` becomes: a variable of this name and the header's.
pub(super) const HEADER_VARIABLE: &str = "@header:";

pub(super) fn members(object: &str) -> &'static [&'static str] {
    match object {
        "caller" => &["key", "team", "user", "session", "tags", "claims"],
        "request" => &[
            "model",
            "endpoint",
            "dialect",
            "stream",
            "input_tokens",
            "max_tokens",
            "has_tools",
            "has_images",
            "tags",
            "header",
        ],
        "time" => &["hour", "minute", "weekday", "date", "unix"],
        _ => &[],
    }
}

pub(super) fn member_type(object: &str, member: &str) -> Option<Type> {
    let maybe = |inner| Type::Maybe(Box::new(inner));
    Some(match (object, member) {
        ("caller", "key" | "team" | "user" | "session") => maybe(Type::Text),
        ("caller" | "request", "tags") => Type::List(Box::new(Type::Text)),
        ("caller", "claims") => Type::Map,
        ("request", "model" | "endpoint") => Type::Text,
        ("request", "dialect") => maybe(Type::Text),
        ("request", "stream" | "has_tools" | "has_images") => Type::Bool,
        ("request", "input_tokens") => Type::Int,
        ("request", "max_tokens") => maybe(Type::Int),
        ("time", "hour" | "minute" | "weekday" | "unix") => Type::Int,
        ("time", "date") => Type::Text,
        _ => return None,
    })
}

/// A function's result, and what it takes.
pub(super) struct Function {
    pub name: &'static str,
    /// Whether it is called on a value: `text.contains("x")`.
    pub on: Option<Takes>,
    pub takes: &'static [Takes],
    pub gives: Type,
}

#[derive(Clone, Copy)]
pub(super) enum Takes {
    Text,
    /// Something that has a size.
    Sized,
    /// Something that can be written as a number or a text.
    Scalar,
}

impl Takes {
    pub fn accepts(self, given: &Type) -> bool {
        matches!(
            (self, given.present()),
            (_, Type::Any)
                | (Self::Text, Type::Text)
                | (Self::Sized, Type::Text | Type::List(_) | Type::Map)
                | (Self::Scalar, Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Text)
        )
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Sized => "a text, a list or a map",
            Self::Scalar => "a number or a text",
        }
    }
}

pub(super) const FUNCTIONS: [Function; 9] = [
    Function { name: "contains", on: Some(Takes::Text), takes: &[Takes::Text], gives: Type::Bool },
    Function { name: "startsWith", on: Some(Takes::Text), takes: &[Takes::Text], gives: Type::Bool },
    Function { name: "endsWith", on: Some(Takes::Text), takes: &[Takes::Text], gives: Type::Bool },
    Function { name: "size", on: Some(Takes::Sized), takes: &[], gives: Type::Int },
    Function { name: "size", on: None, takes: &[Takes::Sized], gives: Type::Int },
    Function { name: "string", on: None, takes: &[Takes::Scalar], gives: Type::Text },
    Function { name: "int", on: None, takes: &[Takes::Scalar], gives: Type::Int },
    Function { name: "double", on: None, takes: &[Takes::Scalar], gives: Type::Double },
    Function { name: "bool", on: None, takes: &[Takes::Text], gives: Type::Bool },
];

/// What the parser has turned into loops already; known for their names only.
pub(super) const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];
