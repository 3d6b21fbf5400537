//! The merged configuration, with the place each value comes from.
//!
//! Secrets show as the references they are; one that was written into a file does not show at all.

use std::fmt::Write as _;

use super::load::Loaded;
use super::secrecy::{is_literal, is_secret};
use super::source::{Sources, Span};
use super::tree::{Form, Node, Plain, Scalar, Value};

/// The files of a configuration as one, as YAML with the origin of each value behind it; `None` if one of them
/// could not be read.
pub fn print(loaded: &Loaded) -> Option<String> {
    let tree = loaded.merged.as_ref()?;
    let mut printer = Printer { sources: &loaded.sources, path: Vec::new(), out: String::new() };
    printer.map(tree, 0);
    Some(printer.out)
}

struct Printer<'a> {
    sources: &'a Sources,
    /// The keys that lead to what is being printed.
    path: Vec<&'a str>,
    out: String,
}

impl<'a> Printer<'a> {
    fn map(&mut self, node: &'a Node, indent: usize) {
        for (index, entry) in node.entries().iter().enumerate() {
            if index > 0 || !self.out.ends_with("- ") {
                self.indent(indent);
            }
            let key = quoted(&Scalar { text: entry.key.text.clone(), form: Form::Quoted });
            let _ = write!(self.out, "{key}:");
            self.path.push(&entry.key.text);
            self.value(&entry.value, indent + 2);
            self.path.pop();
        }
    }

    /// What stands behind a colon.
    fn value(&mut self, node: &'a Node, indent: usize) {
        match &node.value {
            Value::Scalar(scalar) => {
                self.out.push(' ');
                self.scalar(scalar, node.span);
            }
            Value::Map(entries) if entries.is_empty() => self.finish(" {}", node.span),
            Value::Seq(items) if items.is_empty() => self.finish(" []", node.span),
            Value::Map(_) => {
                self.out.push('\n');
                self.map(node, indent);
            }
            Value::Seq(items) => {
                self.out.push('\n');
                for item in items {
                    self.item(item, indent);
                }
            }
        }
    }

    fn item(&mut self, item: &'a Node, indent: usize) {
        self.indent(indent);
        self.out.push_str("- ");
        match &item.value {
            Value::Scalar(scalar) => self.scalar(scalar, item.span),
            Value::Map(entries) if entries.is_empty() => self.finish("{}", item.span),
            Value::Seq(items) if items.is_empty() => self.finish("[]", item.span),
            Value::Map(_) => self.map(item, indent + 2),
            Value::Seq(items) => {
                self.out.push('\n');
                for inner in items {
                    self.item(inner, indent + 2);
                }
            }
        }
    }

    fn scalar(&mut self, scalar: &'a Scalar, span: Span) {
        let is_hidden = is_secret(&self.path) && is_literal(&scalar.text);
        let text = if is_hidden { "\"(written into the file)\"".to_owned() } else { quoted(scalar) };
        self.finish(&text, span);
    }

    fn finish(&mut self, text: &str, span: Span) {
        let place = self.sources.place(span);
        let _ = writeln!(self.out, "{text}  # {}:{}", place.path.display(), place.line);
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// The scalar as YAML that reads as the same: bare where that is plain enough.
fn quoted(scalar: &Scalar) -> String {
    let text = scalar.text.as_str();
    if scalar.form == Form::Plain {
        return if text.is_empty() { "null".into() } else { text.to_owned() };
    }
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let as_plain = Scalar { text: text.to_owned(), form: Form::Plain };
    let is_text = matches!(as_plain.plain(), Plain::Text(_));
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let is_word = ["on", "off", "yes", "no", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_text && starts_well && text.chars().all(is_bare) && !is_word {
        return text.to_owned();
    }
    serde_json::to_string(text).unwrap_or_default()
}
