//! `tidegate plugin new`: a plugin to start from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::kit;
use super::project::Language;

/// Write a plugin to start from: code, tests, a policy that uses it, and the SDK it is built with.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it is called, in lower-case words with dashes; also the folder that is made
    name: String,
    /// What it is written in
    #[arg(long = "lang", value_enum)]
    language: Language,
    /// The folder to make instead
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    check(&args.name)?;
    let folder = args.folder.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.exists() {
        return Err(format!("`{}` is there already; name another folder with `--folder`", folder.display()));
    }
    for (path, text) in kit::template(args.language) {
        write(&folder.join(named(path)), &text.replace(PLACEHOLDER, &args.name))?;
    }
    for (path, text) in kit::sdk(args.language) {
        write(&folder.join("sdk").join(path), text)?;
    }
    println!("{} is made; README.md says how it goes on:", folder.display());
    println!("  cd {}", folder.display());
    for command in args.language.first_steps() {
        println!("  {command}");
    }
    println!("  tidegate plugin build && tidegate plugin test");
    Ok(ExitCode::SUCCESS)
}

/// The name of a template's file in a project: some have another in the templates, where they would be taken for what they
/// are not.
fn named(path: &str) -> &str {
    match path {
        "gitignore" => ".gitignore",
        "policy-test.yaml" => "policy.test.yaml",
        path => path,
    }
}

/// Stands for the name in templates.
const PLACEHOLDER: &str = "__NAME__";

/// A name that all three package managers accept.
fn check(name: &str) -> Result<(), String> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_begun = name.starts_with(|first: char| first.is_ascii_lowercase());
    if name.len() <= 64 && is_begun && name.split('-').all(is_word) {
        return Ok(());
    }
    Err(format!("`{name}` cannot be the name of a plugin; write it in lower-case words with dashes, as `deny-topics`"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder.and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(name: &str, language: Language, folder: &Path) -> Result<ExitCode, String> {
        run(&Args { name: name.into(), language, folder: Some(folder.to_owned()) })
    }

    #[test]
    fn a_new_plugin_bears_its_name_and_brings_its_sdk() {
        let folder = tempfile::tempdir().unwrap();
        for (language, code, sdk) in [
            (Language::Rust, "src/lib.rs", "sdk/rust/src/lib.rs"),
            (Language::Python, "plugin.py", "sdk/python/tidegate_plugin/__init__.py"),
            (Language::Js, "plugin.js", "sdk/js/index.js"),
        ] {
            let made = folder.path().join(format!("{language:?}"));
            make("my-plugin", language, &made).unwrap();
            assert!(fs::read_to_string(made.join("plugin.yaml")).unwrap().contains("name: my-plugin"));
            for file in [code, sdk, "sdk/wit/types.wit", "cases/words.yaml", "policy.test.yaml", ".gitignore"] {
                let text = fs::read_to_string(made.join(file)).unwrap();
                assert!(!text.contains(PLACEHOLDER), "{file}");
            }
        }
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(make("a", Language::Rust, folder.path()).unwrap_err().contains("is there already"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_is_one_that_package_managers_accept() {
        for name in ["", "Tone", "1st", "a--b", "a_b", "../a", "-a"] {
            assert!(check(name).is_err(), "{name}");
        }
        assert_eq!(check("deny-topics2"), Ok(()));
    }
}
