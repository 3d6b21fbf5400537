//! An error inside a value, on its way to the place that knows where the value stands.

use serde::de::{Expected, Unexpected};

use crate::policy::codes::{self, Code};
use crate::policy::document::hints;
use crate::policy::problem::Problem;
use crate::policy::source::Span;

#[derive(Debug)]
pub(super) enum Error {
    /// A problem for it has been noted already.
    Settled,
    Missing(&'static str),
    Wrong {
        code: Code,
        message: String,
        label: String,
        help: Option<String>,
        at: Option<Span>,
    },
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Wrong { code, message: message.into(), label: String::new(), help: None, at: None }
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Wrong { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Self::Wrong { label, .. } = &mut self {
            *label = text.into();
        }
        self
    }

    pub fn at(mut self, span: Span) -> Self {
        if let Self::Wrong { at, .. } = &mut self {
            *at = Some(span);
        }
        self
    }

    pub fn coded(mut self, better: Code) -> Self {
        if let Self::Wrong { code, .. } = &mut self {
            *code = better;
        }
        self
    }

    /// The problem to note for a value at `value`, which belongs to the key at `key`.
    pub fn into_problem(self, key: Option<Span>, value: Span) -> Option<Problem> {
        match self {
            Self::Settled => None,
            Self::Missing(field) => {
                let message = format!("the field `{field}` is missing");
                let problem = Problem::error(codes::MISSING_FIELD, message).at(key.unwrap_or(value), "");
                let example = hints::example(field).map(|example| format!("add `{example}`"));
                Some(Problem { help: example.into_iter().collect(), ..problem })
            }
            Self::Wrong { code, message, label, help, at } => {
                let problem = Problem::error(code, message).at(at.unwrap_or(value), label);
                Some(Problem { help: help.into_iter().collect(), ..problem })
            }
        }
    }
}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(codes::WRONG_VALUE, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected, found);
        let error = Self::new(codes::WRONG_VALUE, format!("expected {wanted}, found {}", shown(found)));
        match as_number(found) {
            Some(number) if wanted.contains("number") => error.help(format!("write `{number}`")),
            _ => error,
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settled => f.write_str("reported already"),
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Wrong { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// `fields are: a, b, c`
pub(super) fn list(what: &str, words: &[&str]) -> String {
    let mut words: Vec<_> = words.to_vec();
    words.sort_unstable();
    format!("{what}: {}", words.join(", "))
}

/// `fields of provider are: …`
pub(super) fn fields_of(type_name: &str, fields: &[&str]) -> String {
    match noun(type_name).as_str() {
        "" | "settings" => list("fields are", fields),
        noun => list(&format!("fields of {noun} are"), fields),
    }
}

/// `StepConfig` is written as `step`, `RouteMap` as `route`.
pub(super) fn noun(type_name: &str) -> String {
    let bare =
        ["Config", "Doc", "Map"].iter().fold(type_name, |name, suffix| name.strip_suffix(suffix).unwrap_or(name));
    let mut noun = String::new();
    for letter in bare.chars() {
        if letter.is_ascii_uppercase() && !noun.is_empty() {
            noun.push(' ');
        }
        noun.push(letter.to_ascii_lowercase());
    }
    noun
}

/// What a type of Rust wants, in words of the person who writes YAML.
fn wanted(expected: &dyn Expected, found: Unexpected<'_>) -> String {
    let wanted = expected.to_string();
    // Of its bounds, only the one that was passed is worth telling.
    let whole = |min: u64, max: u64| match found {
        Unexpected::Unsigned(number) if number > max => format!("a whole number from {min} to {max}"),
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => format!("a whole number from {min}"),
        _ => "a whole number".to_owned(),
    };
    match wanted.as_str() {
        "a string" | "str" | "string" => "a text".into(),
        "a boolean" => "`true` or `false`".into(),
        "u8" => whole(0, u8::MAX.into()),
        "u16" => whole(0, u16::MAX.into()),
        "u32" => whole(0, u32::MAX.into()),
        "a nonzero u32" => whole(1, u32::MAX.into()),
        _ if wanted.starts_with("a nonzero") => whole(1, u64::MAX),
        "u64" | "usize" => "a whole number".into(),
        "i32" | "i64" => "a whole number".into(),
        "f64" | "f32" => "a number".into(),
        "a sequence" => "a list".into(),
        _ if wanted.starts_with("struct ") => "a map".into(),
        _ => wanted,
    }
}

/// The whole number that a text holds: `"8"`, `8%`, `"1.0"`.
fn as_number(found: Unexpected<'_>) -> Option<u64> {
    let Unexpected::Str(text) = found else { return None };
    let digits = text.trim().trim_end_matches(['%', 'x']);
    digits.strip_suffix(".0").unwrap_or(digits).parse().ok()
}

fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Map => "a map".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Str(text) => format!("the text `{text}`"),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Signed(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => format!("the number `{value}`"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_spoken_of_in_words() {
        assert_eq!(noun("StepConfig"), "step");
        assert_eq!(noun("TelemetryDialect"), "telemetry dialect");
        assert_eq!(noun("RouteMap"), "route");
    }
}
