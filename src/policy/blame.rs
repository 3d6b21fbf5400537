//! Which setting of a step is to blame for what is wrong with the step.
//!
//! A step is made from its settings long after these were read, and knows no places any more. Its words do: a setting
//! or a value that they quote, and that the step has, is what they are about.

use super::compile::IN_STEP;
use super::problem::Problem;
use super::source::{Sources, Span};
use super::tree::{Entry, Node};

/// Points a problem that points at a whole step at the first setting that its message quotes, if the step has it.
pub fn point(tree: &Node, sources: &Sources, problem: &mut Problem) {
    let label = problem.labels.first_mut().filter(|(_, said)| said == IN_STEP);
    let Some((span, said)) = label else { return };
    let policies = tree.get("policies").map(Node::items).unwrap_or_default();
    let mut steps = policies.iter().filter_map(|policy| policy.get("steps")).flat_map(Node::items);
    let Some(step) = steps.find(|step| step.point(sources) == *span) else { return };
    let Some(settings) = step.entries().first().map(|entry| &entry.value) else { return };
    let mut words: Vec<&str> = quoted(&problem.message).collect();
    if problem.message.starts_with("the plugin `") {
        // Whose problem it is, which is all there is to point at where nothing else is quoted.
        words.rotate_left(1);
    }
    if let Some(setting) = words.into_iter().find_map(|word| at_path(settings, word).or_else(|| find(settings, word))) {
        *span = setting;
        said.clear();
    }
}

/// What stands in backticks; of a setting with its value, the setting.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2).map(|word| word.split_once(": ").map_or(word, |(setting, _)| setting))
}

/// The value at `limits.cpu`.
fn at_path(settings: &Node, path: &str) -> Option<Span> {
    let (head, name) = path.rsplit_once('.')?;
    let holder = head.split('.').try_fold(settings, |node, name| node.get(name))?;
    holder.entries().iter().find(|entry| entry.key.text == name).map(|entry| entry.key.span)
}

/// A key of this name, or a value that says it.
fn find(node: &Node, word: &str) -> Option<Span> {
    if node.text() == Some(word) {
        return Some(node.span);
    }
    let within = |entry: &Entry| (entry.key.text == word).then_some(entry.key.span);
    node.entries()
        .iter()
        .find_map(within)
        .or_else(|| node.entries().iter().find_map(|entry| find(&entry.value, word)))
        .or_else(|| node.items().iter().find_map(|item| find(item, word)))
}
