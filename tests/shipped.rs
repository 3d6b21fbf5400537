//! What we ship is true: the examples load, and so does what the README says.

use std::path::{Path, PathBuf};

use tidegate::policy::{Environment, Loaded, load};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The errors, and the warnings that a reader should not have to wonder about.
fn complaints(loaded: &Loaded) -> Vec<String> {
    let open_to_all = |code: &str| code == "TG0501";
    let wrong = loaded.problems.iter().filter(|problem| problem.is_error() || !open_to_all(problem.code.name()));
    wrong.map(|problem| problem.line(&loaded.sources)).collect()
}

fn load_text(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.yaml");
    std::fs::write(&file, text).unwrap();
    complaints(&load(&[file], &Environment::process()))
}

/// The YAML blocks of a page.
fn yaml_blocks(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn every_example_policy_loads() {
    let entries = std::fs::read_dir(root().join("policies")).unwrap();
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .filter(|path| !path.to_string_lossy().ends_with(".test.yaml"))
        .collect();
    assert!(files.len() >= 6);
    for file in files {
        let found = complaints(&load(std::slice::from_ref(&file), &Environment::process()));
        assert!(found.is_empty(), "{}: {found:#?}", file.display());
        assert!(file.with_extension("test.yaml").is_file(), "{} has no tests", file.display());
    }
}

#[test]
fn the_policy_on_the_first_screen_of_the_readme_loads() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let first = yaml_blocks(&readme)[0];
    assert!(first.contains("version: 1") && first.lines().count() <= 10, "{first}");
    assert_eq!(load_text(first), Vec::<String>::new());
}

#[test]
fn the_excerpts_in_the_readme_load_once_they_are_complete() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for excerpt in &yaml_blocks(&readme)[1..] {
        let mut text = format!("version: 1\n{excerpt}\n");
        if excerpt.starts_with("steps:") {
            text =
                format!("version: 1\npolicies:\n- policy: p\n  route: openai\n  {}\n", excerpt.replace('\n', "\n  "));
        }
        for (section, usual) in [
            ("callers:", "callers: { anonymous: true }\n"),
            ("policies:", "policies: [{ policy: p, route: openai }]\n"),
        ] {
            if !text.contains(&format!("\n{section}")) {
                text.push_str(usual);
            }
        }
        let kinds = [("openai", "openai"), ("anthropic", "anthropic"), ("azure-eu", "ollama")];
        let named = kinds.iter().filter(|(name, _)| {
            text.contains(&format!("{name}/"))
                || text.contains(&format!("provider: {name}"))
                || text.contains(&format!("route: {name}"))
        });
        let providers: Vec<_> =
            named.map(|(name, kind)| format!("  {name}: {{ kind: {kind}, key: \"${{env:K}}\" }}\n")).collect();
        match text.find("\nproviders:\n") {
            Some(at) => text.insert_str(at + "\nproviders:\n".len(), &providers.concat()),
            None => text.push_str(&format!("providers:\n{}", providers.concat())),
        }
        let found: Vec<_> = load_text(&text).into_iter().filter(|line| !line.contains("[TG0202]")).collect();
        assert!(found.is_empty(), "{found:#?}\n{text}");
    }
}
