//! Law 4: what a request says either arrives in the other dialect or is named among the losses.
//!
//! The check walks the leaves of each fixture. A text must stand somewhere in the translation; a number or a
//! boolean must stand there under its own name, for `1` and `true` are everywhere. What does neither must be
//! named by a loss: by its key, by the key of an object it stands in, or by the type of one. What is said in
//! other words is listed below, with the reason.

use super::*;

/// Names of one dialect and what the other calls the same; the value stays.
const RENAMED: &[(&str, &str)] = &[("max_completion_tokens", "max_tokens")];

/// Names of one dialect and what the other calls the opposite.
const INVERTED: &[(&str, &str)] = &[("parallel_tool_calls", "disable_parallel_tool_use")];

/// What losses call what a dialect calls otherwise: the canonical vocabulary's word.
const LOST_AS: &[(&str, &str)] = &[
    ("thinking", "reasoning"),
    ("redacted_thinking", "thinking"),
    ("reasoning", "thinking"),
    ("reasoning_content", "thinking"),
    ("reasoning_details", "thinking"),
    ("input_audio", "audio"),
    // A tool of no type is of this one.
    ("no_schema", "custom"),
];

/// Values that are said in other words, or by saying nothing; by key and value, `*` being any.
const SAID_OTHERWISE: &[(&str, &str)] = &[
    // Each dialect has roles of its own; a turn that says nothing is left out.
    ("role", "*"),
    // The types of parts, of tools and of formats are told by what they hold.
    ("type", "text"),
    ("type", "tool_use"),
    ("type", "tool_result"),
    ("type", "function"),
    ("type", "custom"),
    ("tool_choice", "required"),
    // Whom else should a model's own call be from?
    ("type", "direct"),
    // What a dialect does by itself, it is not told to do.
    ("stream", "false"),
    ("is_error", "false"),
    ("top_p", "1.0"),
    ("parallel_tool_calls", "true"),
    ("disable_parallel_tool_use", "false"),
    ("type", "adaptive"),
    ("reasoning_effort", "none"),
    // Usage is told always; padding against eavesdroppers says nothing.
    ("include_usage", "true"),
    ("include_obfuscation", "false"),
];

#[test]
fn whatever_a_request_says_arrives_or_is_named_as_lost() {
    let mut silent: Vec<String> = Vec::new();
    for fixture in fixtures("request-") {
        let request = fixture.request();
        let document = json(fixture.body.as_bytes());
        let mut said = leaves(&document);
        if document.get("tools").is_none() {
            // Whether tools may run side by side says nothing where there are none.
            said.retain(|leaf| leaf.key() != "parallel_tool_calls");
        }
        for other in fixture.others() {
            let mut losses = Losses::default();
            let written = json(other.write_request(&request, &EASY, &mut losses));
            let arrived =
                Arrived { leaves: leaves(&written), losses: losses.iter().map(|loss| loss.what.to_string()).collect() };
            let lost = said.iter().filter(|leaf| !arrived.has(leaf) && !arrived.names(leaf));
            let lost: Vec<_> = lost.map(|leaf| format!("\n    {} = {}", leaf.keys.join("."), leaf.value)).collect();
            if !lost.is_empty() {
                let (name, losses) = (&fixture.name, &arrived.losses);
                silent.push(format!("{name} in {}:{}\n  named: {losses:?}", other.id(), lost.concat()));
            }
        }
    }
    assert!(silent.is_empty(), "lost without a word:\n{}", silent.join("\n"));
}

/// A value that is no object and no array, and where it stood.
#[derive(Debug, Clone)]
struct Leaf {
    /// From the outside in; items of arrays have the key of their array.
    keys: Vec<String>,
    /// The first of them and the place in it: `tools[5]`.
    item: Option<String>,
    /// The `type` of each object it stands in.
    kinds: Vec<String>,
    value: Value,
}

impl Leaf {
    fn key(&self) -> &str {
        self.keys.last().map_or("", String::as_str)
    }
}

fn leaves(document: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    for (key, member) in document.as_object().into_iter().flatten() {
        let keys = &mut vec![key.clone()];
        let Value::Array(items) = member else {
            walk(member, keys, &mut Vec::new(), &mut found);
            continue;
        };
        for (index, item) in items.iter().enumerate() {
            let first = found.len();
            walk(item, keys, &mut Vec::new(), &mut found);
            found.iter_mut().skip(first).for_each(|leaf| leaf.item = Some(format!("{key}[{index}]")));
        }
    }
    found
}

fn walk(value: &Value, keys: &mut Vec<String>, kinds: &mut Vec<String>, found: &mut Vec<Leaf>) {
    let leaf = || Leaf { keys: keys.clone(), item: None, kinds: kinds.clone(), value: value.clone() };
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::Array(items) => items.iter().for_each(|item| walk(item, keys, kinds, found)),
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
            kinds.push(kind.to_owned());
            for (key, member) in members {
                keys.push(key.clone());
                walk(member, keys, kinds, found);
                keys.pop();
            }
            kinds.pop();
        }
        // One dialect has a tool call's arguments as JSON, the other as its text.
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner @ Value::Object(_)) => walk(&inner, keys, kinds, found),
            _ => found.push(leaf()),
        },
        _ => found.push(leaf()),
    }
}

struct Arrived {
    leaves: Vec<Leaf>,
    losses: Vec<String>,
}

impl Arrived {
    fn has(&self, leaf: &Leaf) -> bool {
        let written = leaf.value.as_str().map_or_else(|| leaf.value.to_string(), str::to_owned);
        SAID_OTHERWISE.iter().any(|(key, value)| leaf.key() == *key && ["*", &written].contains(value))
            || self.leaves.iter().any(|found| says(leaf, found))
    }

    /// True if a loss names the leaf or something it stands in.
    fn names(&self, leaf: &Leaf) -> bool {
        const EVERYWHERE: [&str; 5] = ["messages", "content", "tools", "text", ""];
        let own = leaf.keys.iter().chain(&leaf.kinds).map(String::as_str).chain(leaf.value.as_str());
        let own: Vec<&str> = own.filter(|name| !EVERYWHERE.contains(name)).collect();
        let others = LOST_AS.iter().filter(|(name, _)| own.contains(name)).map(|(_, other)| *other);
        let names: Vec<&str> = others.chain(own.iter().copied()).collect();
        self.losses.iter().any(|loss| {
            let mut words = loss.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.any(|word| names.contains(&word))
                || names.contains(&loss.as_str())
                || leaf.item.as_ref() == Some(loss)
        })
    }
}

/// Whether the leaf `found` of a translation says what `leaf` said.
fn says(leaf: &Leaf, found: &Leaf) -> bool {
    let are = |pairs: &[(&str, &str)]| {
        pairs.contains(&(leaf.key(), found.key())) || pairs.contains(&(found.key(), leaf.key()))
    };
    match (&leaf.value, &found.value) {
        (Value::String(text), Value::String(found)) => found.contains(text.as_str()),
        (Value::Bool(value), Value::Bool(opposite)) if are(INVERTED) => value != opposite,
        (value, other) => value == other && (leaf.key() == found.key() || are(RENAMED)),
    }
}
