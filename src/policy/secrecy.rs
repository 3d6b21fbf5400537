//! Which texts of a configuration are secrets, if they were written into it instead of being referred to.
//!
//! Such texts are masked wherever lines of a file are shown. A file that cannot be read as YAML has no fields
//! to know secrets by; the lines its problem points at are shown as they are.

use super::source::Span;
use super::tree::{Node, Value};

/// Whether what stands at this path, outermost key first, should be a reference.
pub(super) fn is_secret(path: &[&str]) -> bool {
    matches!(path, ["providers", _, "key" | "keys" | "headers", ..] | ["telemetry", "headers", ..] | ["state", "redis"])
}

/// Whether a text at such a path holds the secret itself.
pub(super) fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.contains("${")
}

/// Where secrets stand in the files themselves.
pub(super) fn literals(tree: &Node) -> Vec<Span> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect<'a>(node: &'a Node, path: &mut Vec<&'a str>, found: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar(scalar) if is_secret(path) && is_literal(&scalar.text) => found.push(node.span),
        Value::Scalar(_) => {}
        Value::Seq(items) => items.iter().for_each(|item| collect(item, path, found)),
        Value::Map(entries) => {
            for entry in entries {
                path.push(&entry.key.text);
                collect(&entry.value, path, found);
                path.pop();
            }
        }
    }
}
