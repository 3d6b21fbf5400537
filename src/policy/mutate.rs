//! Small changes to a configuration, each of which its tests should notice.
//!
//! A setting is taken away, a switch flipped, a number changed, a condition turned into its opposite, two items of a
//! list change places. A change that nobody notices is one that nobody would notice when it happens by mistake.

use super::load::{Loaded, check};
use super::reference::Environment;
use super::source::{Place, Span};
use super::tree::{Form, Node, Plain, Scalar, Value};

/// A configuration with one change.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The change, in words.
    pub what: String,
    pub span: Span,
    tree: Node,
}

/// Every change to a configuration; none, if it could not be read.
pub fn mutants(loaded: &Loaded) -> Vec<Mutant> {
    let Some(root) = &loaded.merged else { return Vec::new() };
    let mut changes = Vec::new();
    visit("", root, &mut Vec::new(), &mut changes);
    let mutant = |change: Change| {
        let mut tree = root.clone();
        at(&mut tree, &change.path, &change.edit)?;
        Some(Mutant { what: change.what, span: change.span, tree })
    };
    changes.into_iter().filter_map(mutant).collect()
}

impl Mutant {
    /// The changed configuration, checked like any other.
    pub fn load(&self, original: &Loaded, environment: &Environment) -> Loaded {
        let mut problems = Vec::new();
        let config = check(&self.tree, &original.sources, environment, &mut problems);
        let config = config.filter(|_| !problems.iter().any(super::Problem::is_error));
        Loaded {
            config,
            problems,
            sources: original.sources.clone(),
            files: original.files.clone(),
            folders: original.folders.clone(),
            revision: format!("{} with {}", original.revision, self.what),
            merged: Some(self.tree.clone()),
        }
    }

    pub fn place(&self, original: &Loaded) -> Place {
        original.sources.place(self.span)
    }

    /// Why tests need not notice it, if the line says so: what stands behind `# untested:`.
    pub fn excuse(&self, original: &Loaded) -> Option<String> {
        let place = self.place(original);
        let source = original.sources.get(self.span.file)?;
        let (_, excuse) = source.text.lines().nth(place.line.checked_sub(1)?)?.split_once("# untested:")?;
        Some(excuse.trim().to_owned())
    }
}

/// A change that can be made.
struct Change {
    /// The way from the root, by the number of each entry or item.
    path: Vec<usize>,
    edit: Edit,
    what: String,
    span: Span,
}

enum Edit {
    /// Of what the path leads to.
    Remove,
    /// With what comes next.
    Swap,
    Text(Scalar),
}

/// Lists whose order decides something.
const ORDERED: [&str; 5] = ["policies", "fallback", "first", "steps", "targets"];

fn visit(key: &str, node: &Node, path: &mut Vec<usize>, changes: &mut Vec<Change>) {
    match &node.value {
        Value::Map(entries) => {
            for (number, entry) in entries.iter().enumerate() {
                path.push(number);
                let what = format!("`{}` taken away", entry.key.text);
                changes.push(Change { path: path.clone(), edit: Edit::Remove, what, span: entry.key.span });
                if entry.key.text == "when"
                    && let Value::Scalar(scalar) = &entry.value.value
                {
                    let text = format!("!({})", scalar.text);
                    let edit = Edit::Text(Scalar { text, form: Form::Quoted });
                    let what = "`when` turned into its opposite".to_owned();
                    changes.push(Change { path: path.clone(), edit, what, span: entry.value.span });
                }
                visit(&entry.key.text, &entry.value, path, changes);
                path.pop();
            }
        }
        Value::Seq(items) => {
            for (number, item) in items.iter().enumerate() {
                path.push(number);
                let name = name_of(item).unwrap_or_else(|| format!("item {}", number + 1));
                let what = format!("{name} taken away");
                changes.push(Change { path: path.clone(), edit: Edit::Remove, what, span: item.span });
                if ORDERED.contains(&key)
                    && let Some(next) = items.get(number + 1)
                {
                    let next = name_of(next).unwrap_or_else(|| format!("item {}", number + 2));
                    let what = format!("{name} and {next} have changed places");
                    changes.push(Change { path: path.clone(), edit: Edit::Swap, what, span: item.span });
                }
                visit("", item, path, changes);
                path.pop();
            }
        }
        Value::Scalar(scalar) => {
            let (path, span) = (path.clone(), node.span);
            changes.extend(other(scalar).map(|text| {
                let what = format!("`{}` instead of `{}`", text.text, scalar.text);
                Change { path, edit: Edit::Text(text), what, span }
            }));
        }
    }
}

/// What an item of a list is called.
fn name_of(item: &Node) -> Option<String> {
    let text = match &item.value {
        Value::Scalar(scalar) => &scalar.text,
        Value::Map(entries) => match &entries.first()?.value.value {
            Value::Scalar(scalar) => &scalar.text,
            _ => &entries.first()?.key.text,
        },
        Value::Seq(_) => return None,
    };
    Some(format!("`{text}`"))
}

/// Another value of the same kind: a switch the other way, a status next to this one, ten times as much.
fn other(scalar: &Scalar) -> Option<Scalar> {
    let text = match scalar.plain() {
        Plain::Bool(switch) => (!switch).to_string(),
        Plain::Unsigned(status @ 400..=599) => (status + 1).to_string(),
        Plain::Unsigned(0) => "1".to_owned(),
        Plain::Unsigned(number) => number.checked_mul(10)?.to_string(),
        Plain::Float(number) => (number * 10.0).to_string(),
        Plain::Text(text) if scalar.form == Form::Plain => ten_times(text)?,
        Plain::Signed(_) | Plain::Null | Plain::Text(_) => return None,
    };
    Some(Scalar { text, form: scalar.form })
}

/// `30s` to `300s`.
fn ten_times(text: &str) -> Option<String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let is_unit = !unit.is_empty() && unit.len() <= 3 && unit.chars().all(|c| c.is_ascii_alphabetic() || c == '%');
    is_unit.then(|| format!("{}{unit}", number * 10))
}

/// Makes the change. `None` if the way leads nowhere, or nothing comes next.
fn at(node: &mut Node, path: &[usize], edit: &Edit) -> Option<()> {
    let (number, rest) = path.split_first()?;
    if !rest.is_empty() {
        let below = match &mut node.value {
            Value::Map(entries) => &mut entries.get_mut(*number)?.value,
            Value::Seq(items) => items.get_mut(*number)?,
            Value::Scalar(_) => return None,
        };
        return at(below, rest, edit);
    }
    match (&mut node.value, edit) {
        (Value::Map(entries), Edit::Remove) if *number < entries.len() => drop(entries.remove(*number)),
        (Value::Seq(items), Edit::Remove) if *number < items.len() => drop(items.remove(*number)),
        (Value::Seq(items), Edit::Swap) if number + 1 < items.len() => items.swap(*number, number + 1),
        (Value::Map(entries), Edit::Text(text)) => entries.get_mut(*number)?.value.value = Value::Scalar(text.clone()),
        (Value::Seq(items), Edit::Text(text)) => items.get_mut(*number)?.value = Value::Scalar(text.clone()),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load;

    fn loaded(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.yaml");
        std::fs::write(&file, text).unwrap();
        load(&[file], &Environment::process())
    }

    const GATEWAY: &str = "version: 1\nproviders: { a: { kind: openai, key: \"${env:K}\" } } # untested: no network\n\
        policies:\n- policy: p\n  when: request.stream\n  route: { fallback: [a/m, a/n], timeouts: { total: 30s } }\n";

    #[test]
    fn everything_that_a_file_says_is_changed_once() {
        let loaded = loaded(GATEWAY);
        let found: Vec<_> = mutants(&loaded).into_iter().map(|mutant| mutant.what).collect();
        for what in [
            "`version` taken away",
            "`when` turned into its opposite",
            "`a/m` taken away",
            "`a/m` and `a/n` have changed places",
            "`300s` instead of `30s`",
        ] {
            assert!(found.iter().any(|found| found == what), "`{what}` is not among {found:#?}");
        }
    }

    #[test]
    fn a_change_that_makes_no_sense_is_refused_like_any_other_mistake() {
        let loaded = loaded(GATEWAY);
        let all = mutants(&loaded);
        let load = |what: &str| {
            let mutant = all.iter().find(|mutant| mutant.what == what).unwrap();
            mutant.load(&loaded, &Environment::process())
        };
        assert!(load("`version` taken away").has_errors());
        assert_eq!(load("`a/m` taken away").config.unwrap().targets.len(), 1);
    }

    #[test]
    fn an_excuse_is_read_from_the_line_it_is_for() {
        let loaded = loaded(GATEWAY);
        let excuses: Vec<_> =
            mutants(&loaded).iter().map(|mutant| (mutant.what.clone(), mutant.excuse(&loaded))).collect();
        assert!(excuses.contains(&("`key` taken away".into(), Some("no network".into()))), "{excuses:#?}");
        assert!(excuses.contains(&("`when` taken away".into(), None)), "{excuses:#?}");
    }
}
