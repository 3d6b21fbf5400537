//! `tidegate plugin inspect`: what a component is, before it is let near a request.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::pin::{read, unfit_message};
use super::project::Project;
use crate::wasm::{
    Abilities, About, Called, Component, Engine, Isolation, Limits, Log, Manifest, PACKAGE, Setup, VERSION, log,
};

/// Show what a component is: its interface, its hooks, the grants it needs, its size and its SHA-256.
///
/// Exits with 1 if it can be no plugin of this gateway.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component, or the folder of a plugin [default: .]
    #[arg(value_name = "PATH", default_value = ".", hide_default_value = true)]
    path: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let path = component_at(&args.path)?;
    let bytes = read(&path)?;
    let seen = match Seen::of(&bytes) {
        Ok(seen) => seen,
        Err(reason) => {
            eprintln!("error: {}", reason.replace("PATH", &path.display().to_string()));
            return Ok(ExitCode::from(1));
        }
    };
    let mut out = std::io::stdout().lock();
    let told = match args.json {
        true => writeln!(out, "{:#}", seen.json()),
        false => seen.lines(&path).iter().try_for_each(|(name, value)| writeln!(out, "{name:<10} {value}")),
    };
    told.map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// The component that is meant by a path to one, or to a plugin's folder.
pub fn component_at(path: &Path) -> Result<PathBuf, String> {
    if path.is_dir() { Project::read(path).map(|project| project.wasm()) } else { Ok(path.to_owned()) }
}

/// A plugin that only says what it is has nothing to log.
struct Silent;

impl Log for Silent {
    fn write(&self, _level: log::Level, _message: &str) {}
}

struct Seen {
    manifest: Manifest,
    about: About,
    compiled_ms: u128,
}

impl Seen {
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let limits = Limits { file: Limits::MOST.file, ..Limits::default() };
        let unfit = |unfit| unfit_message(Path::new("PATH"), &unfit);
        let manifest = Manifest::read(bytes, &limits).map_err(unfit)?;
        let engine = Engine::of_process()?;
        let begun = Instant::now();
        let component = Component::load(engine, bytes, &limits).map_err(unfit)?;
        let compiled_ms = begun.elapsed().as_millis();
        let setup = Setup {
            limits,
            abilities: Abilities::none(Arc::new(Silent)),
            config: String::new(),
            isolation: Isolation::Request,
        };
        let about = component.about(&setup);
        let about = about.map_err(|trouble| format!("`PATH` cannot say what it is: {trouble}"))?;
        Ok(Self { manifest, about, compiled_ms })
    }

    /// The interfaces of the gateway that it imports, by their names: what it could make use of.
    fn imports(&self) -> Vec<&str> {
        let own = self.manifest.imports.iter().filter_map(|name| name.strip_prefix(PACKAGE)?.strip_prefix('/'));
        own.map(|name| name.split('@').next().unwrap_or(name)).filter(|name| *name != "types").collect()
    }

    /// Some toolchains import all there is, whether it is used or not.
    fn imports_all(&self) -> bool {
        ["log", "clock", "random", "metrics", "kv", "secrets", "blobs", "http", "model"]
            .iter()
            .all(|name| self.imports().contains(name))
    }

    fn interface(&self) -> &str {
        let version = self.manifest.exports.iter().find(|name| name.starts_with(PACKAGE));
        version.and_then(|name| name.split_once('@')).map_or("", |(_, version)| version)
    }

    fn hooks(&self) -> Vec<&'static str> {
        let name = |called: &Called| match called {
            Called::OnRequest => "request",
            Called::OnResponse => "response",
            Called::OnStream => "stream",
        };
        self.about.hooks.iter().map(name).collect()
    }

    fn schema(&self) -> Option<Value> {
        self.about.config_schema_json.as_ref().and_then(|schema| serde_json::from_str(schema).ok())
    }

    fn lines(&self, path: &Path) -> Vec<(&'static str, String)> {
        let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let needs: Vec<_> = self.about.needs.iter().map(String::as_str).collect();
        let imports = match self.imports_all() {
            true => "everything, as its toolchain does; what it uses of that cannot be seen".to_owned(),
            false => list(&self.imports()),
        };
        let wasi = self.manifest.imports.iter().any(|name| name.starts_with("wasi:"));
        let mut lines = vec![
            ("file", path.display().to_string()),
            ("plugin", format!("{} {}", self.about.name, self.about.version)),
            ("does", self.about.description.clone()),
            ("interface", format!("{PACKAGE}@{}; this gateway speaks {VERSION}", self.interface())),
            ("hooks", list(&self.hooks())),
            ("needs", list(&needs)),
            ("imports", imports),
        ];
        if wasi {
            lines.push(("", "and WASI, which leads nowhere here: no files, no network, no environment".into()));
        }
        lines.push(("config", settings(self.schema().as_ref())));
        lines.push((
            "size",
            format!("{} KiB, compiled or found compiled in {} ms", self.manifest.size.div_ceil(1024), self.compiled_ms),
        ));
        lines.push(("sha256", self.manifest.sha256.clone()));
        lines
    }

    fn json(&self) -> Value {
        json!({
            "name": self.about.name,
            "version": self.about.version,
            "description": self.about.description,
            "interface": self.interface(),
            "hooks": self.hooks(),
            "needs": self.about.needs,
            "imports": self.manifest.imports,
            "exports": self.manifest.exports,
            "config_schema": self.schema(),
            "size": self.manifest.size,
            "sha256": self.manifest.sha256,
        })
    }
}

/// The settings that a schema names, those that must be given marked.
fn settings(schema: Option<&Value>) -> String {
    let Some(schema) = schema else { return "nothing".into() };
    let is_required = |name: &String| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|required| required.iter().any(|needed| needed == name))
    };
    let names = schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name);
    let names: Vec<_> =
        names.map(|name| if is_required(name) { format!("{name} (required)") } else { name.clone() }).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_by_name_and_those_that_must_be_given_are_marked() {
        let schema = json!({ "properties": { "a": {}, "b": {} }, "required": ["a"] });
        assert_eq!(settings(Some(&schema)), "a (required), b");
        assert_eq!(settings(None), "nothing");
    }

    #[test]
    fn what_is_no_plugin_says_what_mends_it() {
        let said = Seen::of(b"\0asm\x01\0\0\0").err().unwrap();
        assert!(said.contains("core module") && said.contains("wasm32-wasip2"), "{said}");
    }
}
