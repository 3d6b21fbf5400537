//! The smallest value that fits a JSON schema: what a simulated model answers with.
//!
//! It does what schemas of tools and answers commonly ask for, and no more: a schema with `not`,
//! `pattern` or bounds that contradict each other gets a value that may not fit it. Schemas come from
//! callers, so depth and size are bounded; beyond the bounds is `null`.

use serde_json::{Map, Value, json};

const DEPTH: u32 = 24;
const NODES: u32 = 2_000;
/// The longest string and array that a schema's minimum is obeyed for.
const LENGTH: u64 = 64;

/// An instance of `schema`.
pub(super) fn instance(schema: &Value) -> Value {
    Builder { root: schema, left: NODES }.value(schema, DEPTH)
}

struct Builder<'s> {
    root: &'s Value,
    left: u32,
}

impl Builder<'_> {
    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        if depth == 0 || self.left == 0 {
            return Value::Null;
        }
        self.left -= 1;
        if let Some(given) = given(schema) {
            return given.clone();
        }
        let referred = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        if let Some(target) = referred.and_then(|path| self.root.pointer(path)) {
            return self.value(target, depth - 1);
        }
        let choice = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(word)?.as_array()?.first());
        if let Some(choice) = choice {
            return self.value(choice, depth - 1);
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.merged(parts, depth - 1);
        }
        match kind(schema) {
            "object" => self.object(schema, depth - 1),
            "array" => self.array(schema, depth - 1),
            "integer" | "number" => number(schema),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => string(schema),
        }
    }

    fn merged(&mut self, parts: &[Value], depth: u32) -> Value {
        let mut merged = Map::new();
        for part in parts {
            match self.value(part, depth) {
                Value::Object(members) => merged.extend(members),
                other => return other,
            }
        }
        Value::Object(merged)
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Value {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let properties = schema.get("properties");
        let any = Value::Object(Map::new());
        let members = required.map(|name| {
            let property = properties.and_then(|properties| properties.get(name)).unwrap_or(&any);
            (name.to_owned(), self.value(property, depth))
        });
        Value::Object(members.collect())
    }

    fn array(&mut self, schema: &Value, depth: u32) -> Value {
        let any = Value::Object(Map::new());
        let items = schema.get("items").unwrap_or(&any);
        let length = bound(schema, "minItems").unwrap_or(0).min(LENGTH);
        Value::Array((0..length).map(|_| self.value(items, depth)).collect())
    }
}

/// A value that the schema itself gives.
fn given(schema: &Value) -> Option<&Value> {
    let listed = |word: &str| schema.get(word)?.as_array()?.first();
    schema.get("const").or_else(|| schema.get("default")).or_else(|| listed("examples")).or_else(|| listed("enum"))
}

fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => None,
    };
    let implied = if schema.get("properties").is_some() { "object" } else { "string" };
    named.unwrap_or(implied)
}

fn number(schema: &Value) -> Value {
    if let Some(least) = schema.get("minimum") {
        return least.clone();
    }
    match schema.get("exclusiveMinimum").and_then(Value::as_i64) {
        Some(below) => json!(below.saturating_add(1)),
        None => json!(1.min(schema.get("maximum").and_then(Value::as_i64).unwrap_or(1))),
    }
}

fn string(schema: &Value) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-01",
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("time") => "00:00:00Z",
        Some("email") => "sim@example.org",
        Some("uri") => "https://example.org/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "sim",
    };
    let longest = bound(schema, "maxLength").unwrap_or(u64::MAX) as usize;
    let shortest = bound(schema, "minLength").unwrap_or(0).min(LENGTH) as usize;
    let text: String = text.chars().chain(std::iter::repeat('.')).take(text.len().max(shortest).min(longest)).collect();
    Value::String(text)
}

fn bound(schema: &Value, word: &str) -> Option<u64> {
    schema.get(word)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_required_is_in_an_instance() {
        let schema = json!({"type": "object", "required": ["city", "days", "units", "deep"], "properties": {
            "city": {"type": "string"}, "days": {"type": "integer", "minimum": 3},
            "units": {"enum": ["celsius", "kelvin"]}, "note": {"type": "string"},
            "deep": {"$ref": "#/$defs/deep"}
        }, "$defs": {"deep": {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}}});
        assert_eq!(instance(&schema), json!({"city": "sim", "days": 3, "units": "celsius", "deep": {"ok": true}}));
    }

    #[test]
    fn choices_take_the_first_and_arrays_their_least() {
        let schema = json!({"type": "array", "minItems": 2, "items": {"anyOf": [{"type": ["number", "null"]}, {"type": "string"}]}});
        assert_eq!(instance(&schema), json!([1, 1]));
        assert_eq!(instance(&json!({"type": "string", "minLength": 5})), json!("sim.."));
        assert_eq!(instance(&json!({"allOf": [{"required": ["a"]}, {"type": "object"}]})), json!("sim"));
    }

    #[test]
    fn a_schema_that_refers_to_itself_or_asks_for_too_much_comes_to_an_end() {
        let loops =
            json!({"type": "object", "required": ["a", "b"], "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}});
        assert!(instance(&loops).is_object());
        let many =
            json!({"type": "array", "minItems": 1_000_000_000_u64, "items": {"type": "string", "minLength": u64::MAX}});
        assert_eq!(instance(&many).as_array().map(Vec::len), Some(64));
        for odd in [json!(null), json!(true), json!([]), json!({"required": 7, "$ref": 1, "type": {}})] {
            instance(&odd);
        }
    }
}
