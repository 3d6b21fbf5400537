//! The folder of a plugin, and its `plugin.yaml`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::policy::{At, Ink, Problem, Sources, codes, read_file};

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    Rust,
    Python,
    /// JavaScript, or TypeScript.
    Js,
}

impl Language {
    /// What has to be done once before a plugin is built.
    pub fn first_steps(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["rustup target add wasm32-wasip2"],
            Self::Python => &["python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"],
            Self::Js => &["npm install"],
        }
    }
}

/// `plugin.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The version of this file's form; 1.
    version: At<u64>,
    /// What the plugin is called; the component is `NAME.wasm`.
    name: String,
    language: Language,
    /// Where the SDK lies; `sdk` in the plugin's folder if not said.
    sdk: Option<PathBuf>,
}

/// A plugin's folder.
#[derive(Debug)]
pub struct Project {
    pub folder: PathBuf,
    pub name: String,
    pub language: Language,
    /// The folder with `wit` and the language's own.
    pub sdk: PathBuf,
}

impl Project {
    /// Reads `plugin.yaml` in a folder.
    ///
    /// # Errors
    /// What is wrong with it, as people read it.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("plugin.yaml");
        if !path.is_file() {
            let help = "`tidegate plugin new --lang rust NAME` makes one";
            return Err(format!("`{}` is not the folder of a plugin: it has no plugin.yaml; {help}", folder.display()));
        }
        let (mut sources, mut problems) = (Sources::default(), Vec::new());
        let document: Option<Document> = read_file(&path, &mut sources, &mut problems);
        if let Some(version) = document.as_ref().map(|document| &document.version).filter(|version| version.value != 1)
        {
            let message = format!("version {} of plugin.yaml is not known; this is version 1", version.value);
            problems.push(Problem::error(codes::OUT_OF_RANGE, message).at(version.span, ""));
        }
        let Some(document) = document.filter(|_| problems.is_empty()) else {
            return Err(rendered(&problems, &sources));
        };
        let sdk = folder.join(document.sdk.unwrap_or_else(|| "sdk".into()));
        Ok(Self { folder: folder.to_owned(), name: document.name, language: document.language, sdk })
    }

    /// The component, once it is built.
    pub fn wasm(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }
}

/// Problems as people read them at a terminal.
pub fn rendered(problems: &[Problem], sources: &Sources) -> String {
    let ink = if std::io::stderr().is_terminal() { Ink::Colour } else { Ink::Plain };
    let rendered: Vec<_> = problems.iter().map(|problem| problem.render(sources, ink)).collect();
    format!("the file cannot be used\n{}", rendered.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Project, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plugin.yaml"), text).unwrap();
        Project::read(folder.path())
    }

    #[test]
    fn the_component_bears_the_name_of_the_plugin() {
        let project = read("version: 1\nname: tone\nlanguage: js\nsdk: ../sdk\n").unwrap();
        assert_eq!((project.language, project.wasm().ends_with("tone.wasm")), (Language::Js, true));
        assert!(project.sdk.ends_with("../sdk"));
    }

    #[test]
    fn a_mistake_is_pointed_at() {
        let said = read("version: 1\nname: tone\nlanguage: rusty\n").unwrap_err();
        assert!(said.contains("plugin.yaml:3:11") && said.contains("rust"), "{said}");
        assert!(read("version: 2\nname: tone\nlanguage: rust\n").unwrap_err().contains("this is version 1"));
    }

    #[test]
    fn a_folder_without_a_plugin_says_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Project::read(folder.path()).unwrap_err().contains("tidegate plugin new"));
    }
}
