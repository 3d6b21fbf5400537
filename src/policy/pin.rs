//! Writing the hashes of plugins into a policy file, with every other byte of it left as it is.

use std::path::{Path, PathBuf};

use super::file;
use super::problem::Problem;
use super::source::{Sources, Span};
use super::tree::{self, Node, Value};

/// A policy file, and the plugins it names.
#[derive(Debug)]
pub struct Pins {
    path: PathBuf,
    text: String,
    pub plugins: Vec<Named>,
}

/// A plugin that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As the file writes it.
    pub wasm: String,
    /// Where the component is.
    pub path: PathBuf,
    /// The hash that is written beside it.
    pub sha256: Option<String>,
    place: Place,
}

/// Where the hash goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the place of another.
    Instead(Span),
    /// Behind the path, on its line.
    Behind(Span),
    /// Below the path, whose key begins here.
    Below { key: Span, path: Span },
}

impl Pins {
    /// Reads a file and finds the steps that run plugins.
    ///
    /// # Errors
    /// What keeps it from being read; the sources are for showing it.
    pub fn read(path: &Path) -> Result<Self, (Vec<Problem>, Sources)> {
        let (mut sources, mut problems) = (Sources::default(), Vec::new());
        let bytes = std::fs::read(path).map_err(|error| {
            let problem =
                Problem::error(super::codes::UNREADABLE, format!("cannot read `{}`: {error}", path.display()));
            (vec![problem], Sources::default())
        })?;
        let documents = match file::add(path, bytes, &mut sources, &mut problems) {
            Some(file) => tree::parse(&sources, file, &mut problems),
            None => Vec::new(),
        };
        if problems.iter().any(Problem::is_error) {
            return Err((problems, sources));
        }
        let text = sources.iter().next().map(|source| source.text.to_string()).unwrap_or_default();
        let mut plugins = Vec::new();
        let folder = path.parent().unwrap_or(Path::new(""));
        documents.iter().for_each(|document| find(document, folder, &sources, &mut plugins));
        Ok(Self { path: path.to_owned(), text, plugins })
    }

    /// The file's text with a hash for each of its plugins, in their order; `None` leaves what there is.
    #[must_use]
    pub fn with(&self, hashes: &[Option<String>]) -> String {
        let mut text = self.text.clone();
        let places = self.plugins.iter().map(|plugin| &plugin.place).zip(hashes);
        let mut changes: Vec<_> =
            places.filter_map(|(place, hash)| Some(self.change(place, hash.as_deref()?))).collect();
        // From the last to the first, so that places stay true.
        changes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        for (range, with) in changes {
            text.replace_range(range, &with);
        }
        text
    }

    fn change(&self, place: &Place, hash: &str) -> (std::ops::Range<usize>, String) {
        let hash = scalar(hash);
        match place {
            Place::Instead(span) => (span.start as usize..span.end as usize, hash),
            Place::Behind(span) => (span.end as usize..span.end as usize, format!(", sha256: {hash}")),
            Place::Below { key, path } => {
                // Comments behind the path stay on its line.
                let behind = self.text.get(path.end as usize..).unwrap_or_default();
                let line = behind.find('\n').unwrap_or(behind.len());
                let is_crlf = behind.get(..line).is_some_and(|line| line.ends_with('\r'));
                let (at, end) = match is_crlf {
                    true => (path.end as usize + line - 1, "\r\n"),
                    false => (path.end as usize + line, "\n"),
                };
                let before = self.text.get(..key.start as usize).unwrap_or_default();
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
                (at..at, format!("{end}{}sha256: {hash}", " ".repeat(column)))
            }
        }
    }

    /// Puts a text in the place of the file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, text: &str) -> std::io::Result<()> {
        let draft = self.path.with_extension(format!("yaml.{}", std::process::id()));
        std::fs::write(&draft, text)?;
        std::fs::set_permissions(&draft, std::fs::metadata(&self.path)?.permissions())?;
        std::fs::rename(draft, &self.path)
    }
}

/// A hash that YAML might take for a number is quoted.
fn scalar(hash: &str) -> String {
    match hash.bytes().all(|byte| byte.is_ascii_digit() || byte == b'e') {
        true => format!("\"{hash}\""),
        false => hash.to_owned(),
    }
}

fn find(node: &Node, folder: &Path, sources: &Sources, found: &mut Vec<Named>) {
    for item in node.items() {
        find(item, folder, sources, found);
    }
    for entry in node.entries() {
        match entry.key.text.as_str() {
            "plugin" => found.extend(named(&entry.value, folder, sources)),
            // What a plugin is told is its own business.
            "config" => {}
            _ => find(&entry.value, folder, sources, found),
        }
    }
}

fn named(plugin: &Node, folder: &Path, sources: &Sources) -> Option<Named> {
    let Value::Map(entries) = &plugin.value else { return None };
    let wasm = entries.iter().find(|entry| entry.key.text == "wasm")?;
    let written = wasm.value.text()?.to_owned();
    let place = match plugin.get("sha256") {
        Some(hash) => Place::Instead(hash.span),
        None if sources.slice(plugin.span).starts_with('{') => Place::Behind(wasm.value.span),
        None => Place::Below { key: wasm.key.span, path: wasm.value.span },
    };
    let sha256 = plugin.get("sha256").and_then(Node::text).map(ToOwned::to_owned);
    Some(Named { path: folder.join(&written), wasm: written, sha256, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "abc123";

    fn pinned(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.yaml");
        std::fs::write(&path, text).unwrap();
        let pins = Pins::read(&path).unwrap();
        let text = pins.with(&vec![Some(HASH.to_owned()); pins.plugins.len()]);
        pins.write(&text).unwrap();
        // What was written is there for the next reader.
        let again = Pins::read(&path).unwrap();
        assert!(again.plugins.iter().all(|plugin| plugin.sha256.as_deref() == Some(HASH)), "{text}");
        assert_eq!(again.with(&vec![Some(HASH.to_owned()); again.plugins.len()]), text);
        text
    }

    #[test]
    fn a_hash_is_put_below_a_path_and_all_else_stays() {
        let text = "# mine\nsteps:\n  - plugin:\n      wasm:   a.wasm # built here\n      grants: [kv]\n";
        let expected = "# mine\nsteps:\n  - plugin:\n      wasm:   a.wasm # built here\n      sha256: abc123\n      grants: [kv]\n";
        assert_eq!(pinned(text), expected);
    }

    #[test]
    fn a_hash_is_put_behind_a_path_in_braces() {
        let text = "steps: [{ plugin: { wasm: \"a.wasm\", config: { wasm: x } } }]";
        assert_eq!(pinned(text), "steps: [{ plugin: { wasm: \"a.wasm\", sha256: abc123, config: { wasm: x } } }]");
    }

    #[test]
    fn an_old_hash_is_replaced() {
        let text =
            "steps:\n- plugin: { sha256: '00', wasm: a.wasm }\n- plugin:\n    wasm: b.wasm\n    sha256: 11 # old\n";
        let expected = "steps:\n- plugin: { sha256: abc123, wasm: a.wasm }\n- plugin:\n    wasm: b.wasm\n    sha256: abc123 # old\n";
        assert_eq!(pinned(text), expected);
    }

    #[test]
    fn lines_end_as_they_did_and_the_last_one_need_not() {
        assert_eq!(
            pinned("steps:\r\n- plugin:\r\n    wasm: a.wasm\r\n    config: {}\r\n"),
            "steps:\r\n- plugin:\r\n    wasm: a.wasm\r\n    sha256: abc123\r\n    config: {}\r\n"
        );
        assert_eq!(pinned("- plugin:\n    wasm: a.wasm"), "- plugin:\n    wasm: a.wasm\n    sha256: abc123");
    }

    #[test]
    fn a_hash_of_digits_is_no_number() {
        assert_eq!((scalar("12e4"), scalar("12a4")), ("\"12e4\"".into(), "12a4".into()));
    }
}
