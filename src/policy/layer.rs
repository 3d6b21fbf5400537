//! One configuration file with everything it imports, as trees.
//!
//! An imported document is either a policy (it has a `policy` key) or a part of a gateway file that adds
//! providers, targets, models or policies; a file may hold several, divided by `---`. The policies of
//! imports are tried before the file's own, so that what a file says itself is what is left.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use globset::Glob;
use sha2::{Digest, Sha256};

use super::codes;
use super::file;
use super::problem::{Problem, nearest};
use super::source::{FileId, Sources, Span};
use super::tree::{self, Entry, Key, Node, Value};

/// A file and its imports, put together.
pub(super) struct Layer {
    /// The gateway document, without its policies.
    pub root: Node,
    /// The policies, in the order they are tried.
    pub policies: Vec<Node>,
    /// Of an overlay: policies it takes away, and where it says that it may add names.
    pub removed: Vec<Node>,
    pub adds: Option<Span>,
}

/// Reads files, and remembers which.
#[derive(Default)]
pub(super) struct Reader {
    pub sources: Sources,
    pub problems: Vec<Problem>,
    /// Every file that was asked for, the unreadable included.
    pub files: Vec<PathBuf>,
    /// Every folder in which a pattern looked for files.
    pub folders: Vec<PathBuf>,
    digest: Sha256,
}

impl Reader {
    /// A short name for exactly these bytes.
    pub fn revision(&self) -> String {
        self.digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a file that was named on the command line.
    pub fn layer(&mut self, path: &Path) -> Option<Layer> {
        let file = self.read(path, None)?;
        let mut documents = tree::parse(&self.sources, file, &mut self.problems).into_iter();
        let Some(root) = documents.next() else {
            if !self.problems.iter().any(Problem::is_error) {
                let problem = Problem::error(codes::SYNTAX, "the file holds no configuration");
                let help = "a gateway file has at least `version: 1`, `providers` and `policies`";
                self.problems.push(problem.at(Span::new(file, 0, 0), "").help(help));
            }
            return None;
        };
        let mut layer = self.root(root)?;
        let mut own = std::mem::take(&mut layer.policies);
        self.imports(&mut layer, path);
        layer.policies.append(&mut own);
        for document in documents {
            self.part(&mut layer, document);
        }
        Some(layer)
    }

    fn read(&mut self, path: &Path, named_at: Option<Span>) -> Option<FileId> {
        self.files.push(path.to_owned());
        match std::fs::read(path) {
            Ok(bytes) => {
                self.digest.update((bytes.len() as u64).to_le_bytes());
                self.digest.update(&bytes);
                file::add(path, bytes, &mut self.sources, &mut self.problems)
            }
            Err(error) => {
                let problem = Problem::error(codes::UNREADABLE, format!("cannot read `{}`: {error}", path.display()));
                self.problems.push(named_at.into_iter().fold(problem, |problem, span| problem.at(span, "named here")));
                None
            }
        }
    }

    fn root(&mut self, mut node: Node) -> Option<Layer> {
        let point = node.point(&self.sources);
        let Value::Map(entries) = &mut node.value else {
            let problem = Problem::error(codes::WRONG_VALUE, "a gateway file is a map of sections");
            let help = "it begins with `version: 1`; a list of policies stands below `policies:`";
            self.problems.push(problem.at(point, "").help(help));
            return None;
        };
        if let Some(policy) = entries.iter().find(|entry| entry.key.text == "policy") {
            let problem = Problem::error(codes::WRONG_VALUE, "this is a policy file, not a gateway file")
                .at(policy.key.span, "")
                .help("name the gateway file, and let it `import` this one");
            self.problems.push(problem);
            return None;
        }
        let adds = take(entries, "add").filter(|add| add.value.text() == Some("true")).map(|add| add.value.span);
        let policies = take(entries, "policies");
        let mut layer = Layer { root: node, policies: Vec::new(), removed: Vec::new(), adds };
        self.policies(&mut layer, policies);
        Some(layer)
    }

    /// Policies are a list; in an overlay also a map from their names to changes.
    fn policies(&mut self, layer: &mut Layer, policies: Option<Entry>) {
        let Some(policies) = policies else { return };
        match policies.value.value {
            Value::Seq(items) => layer.policies.extend(items),
            Value::Map(entries) => {
                for Entry { key, mut value } in entries {
                    match &mut value.value {
                        Value::Seq(names) if key.text == "remove" => layer.removed.append(names),
                        Value::Map(fields) => {
                            let name = Node { value: Value::Scalar(text(&key.text)), span: key.span };
                            fields.insert(0, Entry { key: Key { text: "policy".into(), span: key.span }, value: name });
                            layer.policies.push(value);
                        }
                        _ => {
                            self.problems.push(Problem::error(codes::WRONG_VALUE, "a policy is a map").at(key.span, ""))
                        }
                    }
                }
            }
            Value::Scalar(_) => {
                self.problems
                    .push(Problem::error(codes::WRONG_VALUE, "`policies` is a list").at(policies.key.span, ""));
            }
        }
    }

    fn imports(&mut self, layer: &mut Layer, path: &Path) {
        let Value::Map(entries) = &mut layer.root.value else { return };
        let Some(imports) = take(entries, "import") else { return };
        let Value::Seq(patterns) = imports.value.value else {
            let problem = Problem::error(codes::WRONG_VALUE, "`import` is a list of files");
            self.problems.push(problem.at(imports.key.span, "").help("write `import: [policies/*.yaml]`"));
            return;
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut done = HashSet::from([path.to_owned()]);
        for pattern in &patterns {
            let Some(text) = pattern.text() else {
                self.problems.push(Problem::error(codes::WRONG_VALUE, "an import is a path").at(pattern.span, ""));
                continue;
            };
            let found = expand(folder, text, &mut self.folders);
            if found.is_empty() {
                let problem = Problem::error(codes::EMPTY_IMPORT, format!("`{text}` matches no file"));
                self.problems.push(problem.at(pattern.span, "").help("paths start from the folder of this file"));
            }
            for path in found.into_iter().filter(|path| done.insert(path.clone())) {
                self.import(layer, &path, pattern.span);
            }
        }
    }

    fn import(&mut self, layer: &mut Layer, path: &Path, named_at: Span) {
        let Some(file) = self.read(path, Some(named_at)) else { return };
        for document in tree::parse(&self.sources, file, &mut self.problems) {
            self.part(layer, document);
        }
    }

    /// Adds a further document to a layer.
    fn part(&mut self, layer: &mut Layer, document: Node) {
        let point = document.point(&self.sources);
        if document.get("policy").is_some() {
            layer.policies.push(document);
            return;
        }
        let Value::Map(entries) = document.value else {
            let is_nothing = document.text().is_some_and(str::is_empty);
            if !is_nothing {
                let problem = Problem::error(codes::WRONG_VALUE, "neither a policy nor a part of a gateway file");
                self.problems.push(problem.at(point, ""));
            }
            return;
        };
        for entry in entries {
            match entry.key.text.as_str() {
                "version" => {}
                "policies" => self.policies(layer, Some(entry)),
                "providers" | "targets" | "models" => self.join(layer, entry),
                "import" => {
                    let problem = Problem::error(codes::UNKNOWN_FIELD, "an imported file cannot import others");
                    let help = "name all files in the `import` of the gateway file";
                    self.problems.push(problem.at(entry.key.span, "").help(help));
                }
                other => {
                    let message = format!("`{other}` does not belong in an imported file");
                    let meant = nearest(other, ["policy", "policies", "providers", "targets", "models"]);
                    let label = meant.map(|meant| format!("did you mean `{meant}`?")).unwrap_or_default();
                    let help = "an imported file is a policy, or holds providers, targets, models or policies";
                    self.problems
                        .push(Problem::error(codes::UNKNOWN_FIELD, message).at(entry.key.span, label).help(help));
                }
            }
        }
    }

    /// Puts the names of a section beside those that are there already.
    fn join(&mut self, layer: &mut Layer, section: Entry) {
        let Value::Map(root) = &mut layer.root.value else { return };
        let Some(known) = root.iter_mut().find(|entry| entry.key.text == section.key.text) else {
            root.push(section);
            return;
        };
        let (Value::Map(known), Value::Map(added)) = (&mut known.value.value, section.value.value) else {
            let message = format!("`{}` is a map of names", section.key.text);
            self.problems.push(Problem::error(codes::WRONG_VALUE, message).at(section.key.span, ""));
            return;
        };
        for entry in added {
            match known.iter().find(|known| known.key.text == entry.key.text) {
                Some(first) => {
                    let message = format!("`{}` is defined twice", entry.key.text);
                    let problem = Problem::error(codes::DUPLICATE_NAME, message);
                    self.problems.push(problem.at(entry.key.span, "here again").at(first.key.span, "first here"));
                }
                None => known.push(entry),
            }
        }
    }
}

pub(super) fn take(entries: &mut Vec<Entry>, key: &str) -> Option<Entry> {
    let at = entries.iter().position(|entry| entry.key.text == key)?;
    Some(entries.remove(at))
}

fn text(text: &str) -> tree::Scalar {
    tree::Scalar { text: text.to_owned(), form: tree::Form::Quoted }
}

/// The files a pattern stands for, sorted by name. Tests of policies lie beside them and are not meant.
fn expand(folder: &Path, pattern: &str, folders: &mut Vec<PathBuf>) -> Vec<PathBuf> {
    let mut found = vec![if Path::new(pattern).is_absolute() { PathBuf::from("/") } else { folder.to_owned() }];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        found = match Glob::new(part) {
            Ok(glob) if part.contains(['*', '?', '[', '{']) => {
                let glob = glob.compile_matcher();
                folders.extend(found.iter().cloned());
                found.iter().flat_map(|folder| listed(folder, |name| glob.is_match(name))).collect()
            }
            _ => found.into_iter().map(|folder| folder.join(part)).collect(),
        };
    }
    found.retain(|path| path.is_file());
    found
}

fn listed(folder: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let folder_to_list = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder_to_list) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && !name.contains(".test.") && is_meant(name))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| folder.join(name)).collect()
}
