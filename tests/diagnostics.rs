//! Files with a mistake in them, and what is said of each.
//!
//! A file lies in the folder that says how it is used: `gateways` are checked as they are, `overlays` on top of
//! `parts/base.yaml`, `suites` are run as tests. What is said of it, to the letter, is in `snapshots`. To see a change:
//! `INSTA_UPDATE=always cargo test --test diagnostics`, and read the difference.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that paths in a diagnostic start from.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// A file with a mistake, and the command that is to find it.
struct Broken {
    /// `gateways/tab`
    name: String,
    arguments: Vec<String>,
}

impl Broken {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (kind, ending) in [("gateways", ".yaml"), ("overlays", ".yaml"), ("suites", ".yaml")] {
            let names = listed(kind).into_iter().filter_map(|name| Some(name.strip_suffix(ending)?.to_owned()));
            all.extend(names.map(|name| {
                let file = format!("{kind}/{name}{ending}");
                let before: &[&str] = match kind {
                    "gateways" => &["check", "--secrets", "-f"],
                    "overlays" => &["check", "-f", "parts/base.yaml", "-f"],
                    _ => &["test"],
                };
                let arguments = before.iter().map(ToString::to_string).chain([file]).collect();
                Self { name: format!("{kind}/{name}"), arguments }
            }));
        }
        all
    }

    /// The command, all that it says, and its exit code.
    fn said(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(&self.arguments).current_dir(folder()).env_clear();
        command.envs([("OPENAI_API_KEY", "x"), ("ANTHROPIC_API_KEY", "x")]);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let code = output.status.code().unwrap();
        format!("$ tidegate {}\n{text}exit code {code}", self.arguments.join(" "))
    }

    fn snapshot(&self) -> String {
        self.name.replace('/', "__")
    }
}

fn listed(subfolder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder().join(subfolder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The messages after which no place is shown.
fn without_a_place(said: &str) -> Vec<&str> {
    let lines: Vec<_> = said.lines().collect();
    let is_message = |line: &str| line.starts_with("error") || line.starts_with("warning");
    let is_place = |line: &str| {
        let place = line.trim_start().strip_prefix("--> ").unwrap_or_default();
        place.rsplit(':').take(2).filter(|number| number.parse::<usize>().is_ok()).count() == 2
    };
    let pairs = lines.windows(2).filter(|pair| is_message(pair[0]) && !is_place(pair[1]));
    pairs.map(|pair| pair[0]).collect()
}

#[test]
fn each_mistake_is_told_as_it_was_agreed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("diagnostics/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for broken in Broken::all() {
            insta::assert_snapshot!(broken.snapshot(), broken.said());
        }
    });
}

#[test]
fn each_mistake_has_its_snapshot_and_each_snapshot_its_mistake() {
    let broken: BTreeSet<_> = Broken::all().iter().map(|broken| format!("{}.snap", broken.snapshot())).collect();
    assert!(broken.len() >= 30, "only {} mistakes were found", broken.len());
    // What is not agreed yet lies beside them as `.snap.new`.
    let agreed: BTreeSet<_> = listed("snapshots").into_iter().filter(|name| name.ends_with(".snap")).collect();
    let alone: Vec<_> = broken.symmetric_difference(&agreed).cloned().collect();
    assert!(alone.is_empty(), "a mistake without a snapshot, or the reverse: {alone:#?}");
}

#[test]
fn each_mistake_is_found_and_shown_in_its_place() {
    for broken in Broken::all() {
        let said = broken.said();
        assert!(said.contains("\nerror[") || said.contains("\nwarning["), "nothing was found:\n{said}");
        assert_eq!(without_a_place(&said), Vec::<&str>::new(), "{said}");
    }
}

#[test]
fn what_the_mistakes_lean_on_is_sound() {
    for file in ["parts/base.yaml", "parts/tidegate.yaml"] {
        let arguments = ["check", "--secrets", "-f", file].map(str::to_owned).to_vec();
        let said = Broken { name: file.into(), arguments }.said();
        assert!(said.ends_with("0 errors, 0 warnings\nexit code 0"), "{said}");
    }
}
