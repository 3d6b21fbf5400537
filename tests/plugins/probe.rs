//! The plugin that does what it is told, built when a test first wants it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::support::{FakeUpstream, House, wasm};

/// Which hooks it wants to be called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hooks {
    All,
    Request,
    Response,
    Stream,
}

impl Hooks {
    fn words(self) -> &'static str {
        match self {
            Self::All => "request,response,stream",
            Self::Request => "request",
            Self::Response => "response",
            Self::Stream => "stream",
        }
    }
}

/// The component, as a file.
pub fn built(hooks: Hooks) -> PathBuf {
    static BUILT: Mutex<Vec<(Hooks, PathBuf)>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, path)) = built.iter().find(|(known, _)| *known == hooks) {
        return path.clone();
    }
    let path = wasm::probe(hooks.words(), Path::new(env!("CARGO_TARGET_TMPDIR")));
    built.push((hooks, path.clone()));
    path
}

/// A gateway file with the probe before a provider: `step` is the rest of the step's settings.
pub fn file(upstream: &FakeUpstream, hooks: Hooks, step: &str) -> String {
    let secrets = if step.contains("secrets") { "secrets: { SIGNING: \"${env:PATH}\" }\n" } else { "" };
    format!(
        "{secrets}providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\n\
         policies:\n  - policy: p\n    steps:\n      - plugin: {{ wasm: \"{}\", {step} }}\n    route: up\n",
        upstream.url(),
        built(hooks).display()
    )
}

pub async fn house(upstream: &FakeUpstream, hooks: Hooks, step: &str) -> House {
    House::with(&file(upstream, hooks, step)).await
}

/// Why a gateway file does not load.
pub fn refused(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidegate.yaml");
    std::fs::write(&path, format!("version: 1\ncallers: {{ anonymous: true }}\n{text}")).unwrap();
    let loaded = tidegate::policy::load(&[path], &tidegate::policy::Environment::process());
    assert!(loaded.has_errors(), "it loads");
    loaded.report(&loaded.problems)
}
