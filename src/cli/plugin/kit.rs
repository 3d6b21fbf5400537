//! What a new plugin starts from, in the binary: the SDKs, which are of this gateway's own version, and the templates.

use super::project::Language;

/// A file's path, from `sdk/` on, and its text.
pub type File = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../sdk/", $path)))),*]
    };
}

/// The interface, which every language needs.
const WIT: &[File] = files!["wit/hooks.wit", "wit/host.wit", "wit/types.wit", "wit/worlds.wit"];

const RUST: &[File] = files![
    "rust/Cargo.toml",
    "rust/src/about.rs",
    "rust/src/bindings.rs",
    "rust/src/export.rs",
    "rust/src/failure.rs",
    "rust/src/hooks.rs",
    "rust/src/host.rs",
    "rust/src/lib.rs",
    "rust/src/outcome.rs",
    "rust/src/stream.rs",
    "rust/src/testing/fake.rs",
    "rust/src/testing/host.rs",
    "rust/src/testing/make.rs",
    "rust/src/testing/mod.rs",
    "rust/src/testing/session.rs",
    "rust/src/text.rs",
];

const PYTHON: &[File] = files![
    "python/pyproject.toml",
    "python/stream_hook.py",
    "python/tidegate_plugin/__init__.py",
    "python/tidegate_plugin/_bindings.py",
    "python/tidegate_plugin/_export.py",
    "python/tidegate_plugin/_host.py",
    "python/tidegate_plugin/_outcome.py",
    "python/tidegate_plugin/_stream.py",
    "python/tidegate_plugin/_texts.py",
    "python/tidegate_plugin/_types.py",
    "python/tidegate_plugin/testing.py",
];

const JS: &[File] = files![
    "js/index.d.ts",
    "js/index.js",
    "js/lib/export.js",
    "js/lib/held.js",
    "js/lib/host.js",
    "js/lib/outcome.js",
    "js/lib/texts.js",
    "js/lib/utf8.js",
    "js/package.json",
    "js/test.js",
    "js/testing.d.ts",
    "js/testing.js",
];

const COMMON_TEMPLATE: &[File] =
    files!["templates/common/cases/words.yaml", "templates/common/policy-test.yaml", "templates/common/policy.yaml",];

const RUST_TEMPLATE: &[File] = files![
    "templates/rust/Cargo.toml",
    "templates/rust/README.md",
    "templates/rust/gitignore",
    "templates/rust/plugin.yaml",
    "templates/rust/src/lib.rs",
];

const PYTHON_TEMPLATE: &[File] = files![
    "templates/python/README.md",
    "templates/python/gitignore",
    "templates/python/plugin.py",
    "templates/python/plugin.yaml",
    "templates/python/requirements.txt",
    "templates/python/test_plugin.py",
];

const JS_TEMPLATE: &[File] = files![
    "templates/js/README.md",
    "templates/js/gitignore",
    "templates/js/package.json",
    "templates/js/plugin.js",
    "templates/js/plugin.test.js",
    "templates/js/plugin.yaml",
];

/// What a plugin in this language is built from, to lie in its folder `sdk`.
pub fn sdk(language: Language) -> impl Iterator<Item = File> {
    let own = match language {
        Language::Rust => RUST,
        Language::Python => PYTHON,
        Language::Js => JS,
    };
    WIT.iter().chain(own).copied()
}

/// The plugin to start from, by the paths it has in its own folder.
pub fn template(language: Language) -> impl Iterator<Item = File> {
    let (own, folder) = match language {
        Language::Rust => (RUST_TEMPLATE, "templates/rust/"),
        Language::Python => (PYTHON_TEMPLATE, "templates/python/"),
        Language::Js => (JS_TEMPLATE, "templates/js/"),
    };
    let common = COMMON_TEMPLATE.iter().map(|(path, text)| (path.trim_start_matches("templates/common/"), *text));
    common.chain(own.iter().map(move |(path, text)| (path.trim_start_matches(folder), *text)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        const NOT_WRITTEN: [&str; 5] = ["Cargo.lock", "target", "node_modules", "__pycache__", ".bindings"];
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if NOT_WRITTEN.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            match entry.path() {
                folder if folder.is_dir() => files_below(&folder, found),
                file => drop(found.insert(file)),
            }
        }
    }

    #[test]
    fn every_file_of_the_sdks_and_templates_is_in_the_binary() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        let mut there = BTreeSet::new();
        ["wit", "rust", "python", "js", "templates"].iter().for_each(|part| files_below(&root.join(part), &mut there));
        let all = [WIT, RUST, PYTHON, JS, COMMON_TEMPLATE, RUST_TEMPLATE, PYTHON_TEMPLATE, JS_TEMPLATE];
        let embedded = all.into_iter().flatten().map(|(path, _)| root.join(path)).collect();
        assert_eq!(there, embedded);
    }
}
