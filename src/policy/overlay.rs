//! Several files as one: each changes what the files before it say.
//!
//! Maps merge deep, lists and scalars are replaced, a `remove:` list takes entries away from the map it
//! stands in. A name that is not there yet is more often misspelt than meant, so an overlay may not bring
//! one in unless the item, or the overlay as a whole, says `add: true`. Each value keeps its own place in
//! its own file, so the result needs no record of where it came from.

use super::codes;
use super::document::WAYS;
use super::layer::{Layer, take};
use super::problem::{Problem, did_you_mean, nearest};
use super::source::Span;
use super::tree::{Entry, Node, Value};

/// Puts `over` on top of `base`.
pub(super) fn merge(mut base: Layer, over: Layer, problems: &mut Vec<Problem>) -> Layer {
    let Layer { root, policies, removed, adds } = over;
    let mut merger = Merger { problems, adds: adds.is_some() };
    merger.remove_policies(&mut base.policies, &removed);
    if let Value::Map(entries) = root.value {
        merger.map(&mut base.root, entries, &mut Vec::new());
    }
    let mut added = Vec::new();
    for policy in policies {
        if let Some(policy) = merger.policy(&mut base.policies, policy) {
            added.push(policy);
        }
    }
    // What an overlay adds is more particular than what was there, so it is tried first.
    added.append(&mut base.policies);
    Layer { policies: added, ..base }
}

struct Merger<'a> {
    problems: &'a mut Vec<Problem>,
    adds: bool,
}

impl Merger<'_> {
    fn map(&mut self, base: &mut Node, over: Vec<Entry>, path: &mut Vec<String>) {
        let Value::Map(known) = &mut base.value else { return };
        if path.last().is_some_and(|last| last == "route") && over.iter().any(is_way) {
            known.retain(|entry| !is_way(entry));
        }
        for entry in over {
            if entry.key.text == "remove" {
                self.remove(known, &entry.value);
            } else {
                self.entry(known, entry, path);
            }
        }
    }

    fn entry(&mut self, known: &mut Vec<Entry>, mut entry: Entry, path: &mut Vec<String>) {
        let names_things = matches!(path.as_slice(), [section] if NAMED.contains(&section.as_str()));
        let says_add = names_things && takes_add(&mut entry.value);
        let Some(base) = known.iter_mut().find(|base| base.key.text == entry.key.text) else {
            if names_things && !says_add && !self.adds {
                let names: Vec<_> = known.iter().map(|base| base.key.text.as_str()).collect();
                let is_misspelt = nearest(&entry.key.text, names.iter().copied()).is_some();
                self.problems.push(brings_in(&entry.key.text, entry.key.span, names));
                // What it lacks, it lacks because it changes something; that is not worth telling.
                if is_misspelt {
                    return;
                }
            }
            known.push(entry);
            return;
        };
        match (&base.value.value, entry.value.value) {
            (Value::Map(_), Value::Map(over)) => {
                path.push(entry.key.text);
                self.map(&mut base.value, over, path);
                path.pop();
            }
            (_, value) => {
                base.key = entry.key;
                base.value = Node { value, span: entry.value.span };
            }
        }
    }

    /// Changes a policy that is there; gives back one that is to be added.
    fn policy(&mut self, known: &mut [Node], mut policy: Node) -> Option<Node> {
        let says_add = takes_add(&mut policy);
        let name = policy.get("policy").and_then(Node::text).unwrap_or_default().to_owned();
        let is_named = |node: &Node| node.get("policy").and_then(Node::text) == Some(&name);
        let Some(base) = known.iter_mut().find(|node| is_named(node)) else {
            if !says_add && !self.adds {
                let names = known.iter().filter_map(|node| node.get("policy")?.text()).collect();
                let span = policy.get("policy").map_or(policy.span, |node| node.span);
                self.problems.push(brings_in(&name, span, names));
            }
            return Some(policy);
        };
        if let Value::Map(over) = policy.value {
            self.map(base, over, &mut vec!["policies".into(), name]);
        }
        None
    }

    fn remove(&mut self, known: &mut Vec<Entry>, names: &Node) {
        if names.items().is_empty() {
            self.problems
                .push(Problem::error(codes::OVERLAY_REMOVES, "`remove` is a list of names").at(names.span, ""));
        }
        for name in names.items() {
            let text = name.text().unwrap_or_default();
            if take(known, text).is_none() {
                let label = did_you_mean(text, known.iter().map(|entry| entry.key.text.as_str()));
                self.problems.push(nothing_to_remove(text).at(name.span, label));
            }
        }
    }

    fn remove_policies(&mut self, known: &mut Vec<Node>, names: &[Node]) {
        let name_of = |node: &Node| node.get("policy").and_then(Node::text).unwrap_or_default().to_owned();
        for name in names {
            let text = name.text().unwrap_or_default();
            let before = known.len();
            known.retain(|policy| name_of(policy) != text);
            if known.len() == before {
                let known: Vec<_> = known.iter().map(name_of).collect();
                let label = did_you_mean(text, known.iter().map(String::as_str));
                self.problems.push(nothing_to_remove(text).at(name.span, label));
            }
        }
    }
}

fn brings_in(name: &str, at: Span, known: Vec<&str>) -> Problem {
    Problem::error(codes::OVERLAY_ADDS, format!("`{name}` is not in the files before this one"))
        .at(at, did_you_mean(name, known))
        .help("say `add: true` in it if it is meant to be new")
}

fn nothing_to_remove(name: &str) -> Problem {
    Problem::error(codes::OVERLAY_REMOVES, format!("there is no `{name}` to remove here"))
}

fn takes_add(item: &mut Node) -> bool {
    let Value::Map(entries) = &mut item.value else { return false };
    take(entries, "add").is_some_and(|add| add.value.text() == Some("true"))
}

fn is_way(entry: &Entry) -> bool {
    WAYS.contains(&entry.key.text.as_str())
}

/// The sections that are maps of names.
const NAMED: [&str; 6] = ["providers", "targets", "models", "screens", "embedders", "secrets"];
