//! The layers of `src/`, checked: a module uses only lower layers, and heavy crates live in one place each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the top. Modules of one line are strangers to each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["rehearsal"],
    &["server"],
    &["gateway"],
    &["policy"],
    &["steps"],
    &["pipeline"],
    &["auth", "embedding", "provider", "registry", "state", "wasm", "telemetry", "tokens"],
    &["dialect", "pricing"],
    &["chat"],
    &["base"],
];

/// Crates that may be named in these modules only.
const HOMES: &[(&str, &[&str])] = &[
    ("wasmtime", &["wasm"]),
    ("wasmparser", &["wasm"]),
    ("ndarray", &["embedding"]),
    ("safetensors", &["embedding"]),
    ("rayon", &["wasm"]),
    ("jsonschema", &["steps"]),
    ("oci_client", &["registry"]),
    ("sled", &["state"]),
    ("redis", &["state"]),
    ("opentelemetry", &["telemetry"]),
    ("tonic", &["telemetry"]),
    ("prometheus_client", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
    ("hyper_rustls", &["provider"]),
    ("jsonwebtoken", &["auth"]),
    ("x509_parser", &["auth"]),
    ("cel", &["policy"]),
    ("annotate_snippets", &["policy"]),
    ("serde_saphyr", &["policy", "provider", "auth", "pricing"]),
    ("clap", &["cli"]),
    ("zip", &["cli"]),
    ("quick_junit", &["cli"]),
    ("csv", &["cli"]),
    ("similar", &["rehearsal"]),
    ("serde_json_path", &["rehearsal"]),
    ("notify", &["gateway"]),
    ("bpe_openai", &["tokens"]),
    ("quick_cache", &["state", "tokens"]),
    ("regex_automata", &["steps"]),
    ("regex_syntax", &["steps"]),
    ("hmac", &["steps", "wasm", "rehearsal"]),
    ("whatlang", &["steps"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The top-level module a file belongs to; `None` for `lib.rs` and `main.rs`.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    (!matches!(first.as_str(), "lib" | "main")).then_some(first)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules a text names by `crate::…`, comments left out.
fn named_modules(text: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for rest in code.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            named.push((number + 1, name));
        }
    }
    named
}

#[test]
fn every_module_has_a_layer() {
    for (path, _) in sources() {
        if let Some(module) = module_of(&path) {
            assert!(layer_of(&module).is_some(), "`{module}` ({}) is in no layer", path.display());
        }
    }
}

#[test]
fn no_module_uses_its_own_layer_or_a_higher_one() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        for (line, used) in named_modules(&text) {
            let (Some(own), Some(theirs)) = (layer_of(&module), layer_of(&used)) else { continue };
            if used != module && theirs <= own {
                wrong.push(format!("{}:{line}: `{module}` uses `{used}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_are_used_at_home_only() {
    let mut wrong = BTreeMap::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        for (name, homes) in HOMES {
            let uses = text.lines().any(|line| {
                let code = line.trim_start();
                !code.starts_with("//")
                    && (code.contains(&format!("{name}::")) || code.starts_with(&format!("use {name}")))
            });
            if uses && !homes.contains(&module.as_str()) {
                wrong.insert(path.display().to_string(), *name);
            }
        }
    }
    assert!(wrong.is_empty(), "used away from home: {wrong:#?}");
}

#[test]
fn no_two_dialects_know_each_other() {
    const DIALECTS: [&str; 2] = ["openai_chat", "anthropic_messages"];
    for (path, text) in sources() {
        let place = path.display().to_string();
        for own in DIALECTS.iter().filter(|dialect| place.contains(&format!("/dialect/{dialect}/"))) {
            for other in DIALECTS.iter().filter(|other| *other != own) {
                assert!(!text.contains(&format!("dialect::{other}")), "{place} knows {other}");
            }
        }
    }
}

#[test]
fn a_step_kind_is_matched_in_one_place() {
    for (path, text) in sources() {
        let place = path.display().to_string();
        if place.ends_with("src/steps/mod.rs") {
            continue;
        }
        assert!(!text.contains("StepConfig::Rewrite"), "{place} matches on a kind of step");
    }
}
