//! Files into a checked configuration: read, merge, decode, build.

use std::path::{Path, PathBuf};

use super::blame;
use super::build::{self, Material};
use super::codes;
use super::compile;
use super::config::{Config, PolicyConfig};
use super::decode::decode;
use super::document::GatewayDoc;
use super::imprint;
use super::layer::{Layer, Reader};
use super::overlay;
use super::problem::{Ink, Problem};
use super::reference::Environment;
use super::secrecy;
use super::source::{Sources, Span};
use super::tree::{Entry, Key, Node, Value};

/// What came of loading.
#[derive(Debug)]
pub struct Loaded {
    /// `None` if any problem is an error.
    pub config: Option<Config>,
    /// Everything that is wrong, and what is likely not meant.
    pub problems: Vec<Problem>,
    pub sources: Sources,
    /// Every file that was read or should have been, for watching.
    pub files: Vec<PathBuf>,
    /// Every folder in which a pattern of `import` looked for files: a new one there counts as well.
    pub folders: Vec<PathBuf>,
    /// SHA-256 of all bytes read, in hexadecimal: equal revisions are equal configurations.
    pub revision: String,
    /// The files put together, for showing; `None` if one could not be read as YAML.
    pub(super) merged: Option<Node>,
}

impl Loaded {
    /// Every file whose change may change what runs: those that were read, those that references name, key
    /// files and certificates.
    pub fn watched(&self, environment: &Environment) -> Vec<PathBuf> {
        let mut files = self.files.clone();
        // A folder is watched by way of any name in it.
        files.extend(self.folders.iter().map(|folder| folder.join("*")));
        if let Some(config) = &self.config {
            files.extend(config.templates().into_iter().flat_map(|template| template.value.files(environment)));
            files.extend(config.prices.files.iter().cloned());
            files.extend(config.named_files().filter_map(|template| template.value.path(environment).ok()));
        }
        files
    }

    /// Problems as people read them, each with the lines it is about.
    pub fn report(&self, problems: &[Problem]) -> String {
        let rendered = problems.iter().map(|problem| problem.render(&self.sources, Ink::Plain) + "\n\n");
        rendered.collect()
    }

    /// Reads the models that the files name and finds out what is wrong with them. To load files does not: models are large,
    /// and whoever puts one to work reads it then.
    pub fn check_embedders(&mut self) {
        if let Some(config) = &self.config {
            compile::check_embedders(config, &mut self.problems);
            self.problems.sort_by_key(place);
        }
    }

    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}

/// Loads a gateway file and the overlays on it, in this order.
pub fn load(files: &[PathBuf], environment: &Environment) -> Loaded {
    let mut reader = Reader::default();
    let layers: Vec<Layer> = files.iter().filter_map(|path| reader.layer(path)).collect();
    let revision = reader.revision();
    let Reader { mut sources, mut problems, files: read, folders, .. } = reader;
    // Before anything is merged: what an overlay replaces is still in the file it replaces it in.
    for span in layers.iter().flat_map(|layer| secrecy::literals(&layer.root)) {
        sources.mask(span);
    }
    for file in problems.iter().filter(|problem| problem.code == codes::SYNTAX).filter_map(place).map(|span| span.file)
    {
        let guesses = secrecy::guesses(sources.get(file).map_or("", |source| &source.text));
        guesses.into_iter().for_each(|range| sources.mask(Span::new(file, range.start, range.end)));
    }
    let is_readable = layers.len() == files.len() && !problems.iter().any(is_fatal);
    let merged = is_readable.then(|| merge(layers, &mut problems)).flatten();
    let config = merged.as_ref().and_then(|tree| check(tree, &sources, environment, &mut problems));
    problems.sort_by_key(place);
    // Those with errors, too: what is wrong with a file that a step names may be mended there.
    let steps = config.iter().flat_map(|config| &config.policies).flat_map(|policy| &policy.steps);
    let read = read.into_iter().chain(steps.flat_map(|step| step.value.files()).map(Path::to_owned)).collect();
    let config = config.filter(|_| !problems.iter().any(Problem::is_error));
    Loaded { config, problems, sources, files: read, folders, revision, merged }
}

/// The file that is read if none is named.
pub fn default_file() -> PathBuf {
    Path::new("tidegate.yaml").to_owned()
}

/// After a fault in the syntax half a file may be missing; what that leads to is not worth telling.
fn is_fatal(problem: &Problem) -> bool {
    [codes::SYNTAX, codes::TOO_LARGE, codes::UNREADABLE].contains(&problem.code)
}

fn place(problem: &Problem) -> Option<Span> {
    problem.labels.first().map(|(span, _)| *span)
}

/// One tree of all layers, with the policies in their place again.
fn merge(layers: Vec<Layer>, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut layers = layers.into_iter();
    let base = layers.next()?;
    if let Some(removed) = base.removed.first() {
        let problem = Problem::error(codes::OVERLAY_REMOVES, "there is nothing before this file to remove from");
        problems.push(problem.at(removed.span, ""));
    }
    if let Some(span) = base.adds {
        let problem = Problem::error(codes::OVERLAY_ADDS, "there is nothing before this file to add to");
        problems.push(problem.at(span, "").help("`add: true` is for overlays"));
    }
    let Layer { mut root, policies, .. } = layers.fold(base, |base, over| overlay::merge(base, over, problems));
    let span = policies.first().map_or(root.span, |policy| policy.span);
    if let Value::Map(entries) = &mut root.value
        && !policies.is_empty()
    {
        let key = Key { text: "policies".into(), span };
        entries.push(Entry { key, value: Node { value: Value::Seq(policies), span } });
    }
    Some(root)
}

/// A configuration out of the tree that the files make; what is wrong with it goes to `problems`.
pub(super) fn check(
    tree: &Node,
    sources: &Sources,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let decoded = decode::<GatewayDoc>(tree, sources);
    let is_whole = decoded.problems.is_empty();
    // A word that is refused for what YAML makes of it need not be refused once more for what it is not.
    let refused: Vec<Span> = problems.iter().filter(|p| p.code == codes::BOOLEAN_WORD).filter_map(place).collect();
    problems
        .extend(decoded.problems.into_iter().filter(|problem| !place(problem).is_some_and(|at| refused.contains(&at))));
    if is_whole {
        stray_references(tree, &decoded.templates, problems);
    }
    let material = Material { sources, tree, environment, is_whole };
    let mut config = build::build(decoded.value?, material, problems);
    let imprints = |policy: &PolicyConfig| {
        [imprint::of, imprint::in_common].map(|imprint| imprint(tree, &config, policy, environment))
    };
    let imprints: Vec<_> = config.policies.iter().map(imprints).collect();
    for (policy, imprints) in config.policies.iter_mut().zip(imprints) {
        [policy.imprint, policy.common_imprint] = imprints;
    }
    if is_whole {
        let before = problems.len();
        compile::verify(&config, problems);
        problems.iter_mut().skip(before).for_each(|problem| blame::point(tree, sources, problem));
    }
    Some(config)
}

/// A reference where none is looked for would be sent on as it stands.
fn stray_references(node: &Node, read: &std::collections::HashSet<Span>, problems: &mut Vec<Problem>) {
    match &node.value {
        Value::Scalar(scalar) => {
            let is_reference = scalar.text.contains("${env:") || scalar.text.contains("${file:");
            if is_reference && !read.contains(&node.span) {
                let problem = Problem::error(codes::BAD_REFERENCE, "references are not read here");
                problems.push(problem.at(node.span, "this would be taken as it stands"));
            }
        }
        Value::Seq(items) => items.iter().for_each(|item| stray_references(item, read, problems)),
        Value::Map(entries) => entries
            .iter()
            // What a step is told to say is its own business.
            .filter(|entry| entry.key.text != "steps")
            .for_each(|entry| stray_references(&entry.value, read, problems)),
    }
}
