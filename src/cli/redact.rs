//! `tidegate redact`: what a policy would take out of a text, and where.
//!
//! The text itself goes to standard output as a provider would see it; what was found goes to standard error, or with
//! `--jsonl` beside the text, by type and place and never by what it says.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::policy::{self, Environment, Ink, Loaded};
use crate::steps::StepConfig;
use crate::steps::redact::step::{Config, Guard, Seed, Sought};
use crate::steps::redact::{Key, Replacer, Vault};

/// Run a policy's redaction over files, or over standard input.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files to go through; `-` is standard input [default: -]
    #[arg(value_name = "FILE")]
    texts: Vec<PathBuf>,
    /// A gateway file; further ones are overlays on it [default: tidegate.yaml]
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The policy whose `redact` step it is; needed if several have one
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Types and profiles to look for, instead of what a policy says: `pii,secrets`
    #[arg(long, value_name = "TYPES", value_delimiter = ',', conflicts_with_all = ["files", "policy"])]
    find: Vec<String>,
    /// Each line is a text of its own: a JSON string, or an object with a `text`; what comes out is a JSON object each
    #[arg(long)]
    jsonl: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let done = guard(args).and_then(|guard| go_through(args, &guard));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn guard(args: &Args) -> Result<Guard, String> {
    if !args.find.is_empty() {
        let find = args.find.iter().cloned().map(Sought::try_from).collect::<Result<_, _>>()?;
        return Guard::new(&Config { find, ..Config::default() }, "the command line");
    }
    let files = if args.files.is_empty() { vec![policy::default_file()] } else { args.files.clone() };
    let loaded = policy::load(&files, &Environment::process());
    let (policy, config) = step(&loaded, args.policy.as_deref())?;
    Guard::new(&config, &policy)
}

/// The `redact` step that is meant, and the policy it belongs to.
fn step(loaded: &Loaded, wanted: Option<&str>) -> Result<(String, Config), String> {
    let Some(config) = loaded.config.as_ref().filter(|_| !loaded.has_errors()) else {
        let ink = if io::stderr().is_terminal() { Ink::Colour } else { Ink::Plain };
        let problems: Vec<_> = loaded.problems.iter().map(|problem| problem.render(&loaded.sources, ink)).collect();
        return Err(format!("the configuration cannot run\n{}", problems.join("\n\n")));
    };
    let mut found = Vec::new();
    for policy in config.policies.iter().filter(|policy| wanted.is_none_or(|wanted| policy.name.as_str() == wanted)) {
        found.extend(policy.steps.iter().filter_map(|step| match &step.value {
            StepConfig::Redact(config) => Some((policy.name.to_string(), config.clone())),
            _ => None,
        }));
    }
    let names: Vec<_> = found.iter().map(|(policy, _)| policy.clone()).collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(format!(
            "several `redact` steps could be meant; name one of the policies with `--policy`: {}",
            names.join(", ")
        )),
        (None, _) => match wanted {
            Some(wanted) => Err(format!("there is no policy `{wanted}` with a `redact` step")),
            None => Err("no policy has a `redact` step; name what to look for with `--find`".into()),
        },
    }
}

fn go_through(args: &Args, guard: &Guard) -> Result<(), String> {
    let secret = Seed::default().passing()?;
    let stdin = [PathBuf::from("-")];
    for path in if args.texts.is_empty() { &stdin[..] } else { &args.texts } {
        let text = read(path)?;
        // A file is a conversation: a value has one placeholder throughout.
        let mut vault = Vault::new(Key::derive(&secret, &path.to_string_lossy()));
        let shown = match args.jsonl {
            true => lines(guard, &mut vault, path, &text)?,
            false => whole(guard, &mut vault, path, &text)?,
        };
        io::stdout().lock().write_all(shown.as_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|read| text = read),
    };
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(text)
}

fn whole(guard: &Guard, vault: &mut Vault, path: &Path, text: &str) -> Result<String, String> {
    let gone = Gone::through(guard, vault, text);
    let mut said = io::stderr().lock();
    let told = gone.found.iter().try_for_each(|found| {
        let [start, end] = found.bytes;
        let [first, last] = found.characters;
        let (file, kind, action) = (path.display(), &found.kind, found.action);
        writeln!(said, "{file}: bytes {start}..{end}, characters {first}..{last}: {kind} ({}%), {action}", found.score)
    });
    let count = gone.found.len();
    told.and_then(|()| writeln!(said, "{}: {count} found in {} bytes in {:?}", path.display(), text.len(), gone.took))
        .map_err(|error| error.to_string())?;
    match gone.refused {
        Some(kind) => Err(format!("{}: the policy refuses `{kind}`; nothing is shown", path.display())),
        None => Ok(gone.text),
    }
}

fn lines(guard: &Guard, vault: &mut Vault, path: &Path, text: &str) -> Result<String, String> {
    let mut out = String::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| format!("{}:{}: {what}", path.display(), number + 1);
        let document: Value = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
        let text = document.as_str().or_else(|| document.get("text")?.as_str());
        let text = text.ok_or_else(|| wrong("neither a JSON string nor an object with a `text`"))?;
        let gone = Gone::through(guard, vault, text);
        let mut report = json!({
            "line": number + 1,
            "text": gone.refused.is_none().then_some(&gone.text),
            "findings": gone.found.iter().map(Found::json).collect::<Vec<_>>(),
            "took_us": gone.took.as_secs_f64() * 1e6,
        });
        if let (Some(report), Some(id)) = (report.as_object_mut(), document.get("id")) {
            report.insert("id".into(), id.clone());
        }
        if let (Some(report), Some(kind)) = (report.as_object_mut(), &gone.refused) {
            report.insert("refused".into(), kind.as_str().into());
        }
        out.push_str(&format!("{report}\n"));
    }
    Ok(out)
}

/// A text that was gone through.
struct Gone {
    text: String,
    found: Vec<Found>,
    refused: Option<String>,
    took: Duration,
}

struct Found {
    kind: String,
    bytes: [usize; 2],
    characters: [usize; 2],
    score: u8,
    action: &'static str,
}

impl Found {
    fn json(&self) -> Value {
        let Self { kind, bytes, characters, score, action } = self;
        json!({ "type": kind, "bytes": bytes, "characters": characters, "confidence": score, "action": action })
    }
}

impl Gone {
    fn through(guard: &Guard, vault: &mut Vault, text: &str) -> Self {
        let detector = guard.detector();
        let begun = Instant::now();
        let findings = detector.findings(text, "");
        let took = begun.elapsed();
        let mut at = (0, 0);
        let mut characters = |byte: usize| {
            at = (byte, at.1 + text.get(at.0..byte).unwrap_or_default().chars().count());
            at.1
        };
        let found = findings.into_iter().map(|finding| Found {
            kind: detector.name(finding.shape).to_owned(),
            bytes: [finding.range.start, finding.range.end],
            characters: [characters(finding.range.start), characters(finding.range.end)],
            score: finding.score,
            action: guard.action_of(detector.name(finding.shape)).name(),
        });
        let found = found.collect();
        let mut judge = Replacer::new(detector, vault, |kind: &str| guard.action_of(kind));
        match detector.rewrite(text, "", &mut judge) {
            Ok(rewritten) => Self { text: rewritten.unwrap_or_else(|| text.to_owned()), found, refused: None, took },
            Err(refused) => Self { text: String::new(), found, refused: Some(refused.kind), took },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(find: &str) -> Guard {
        let find = vec![Sought::try_from(find.to_owned()).unwrap()];
        Guard::new(&Config { find, ..Config::default() }, "p").unwrap()
    }

    fn vault() -> Vault {
        Vault::new(Key::derive(b"secret", "scope"))
    }

    #[test]
    fn places_are_told_in_bytes_and_in_characters() {
        let gone = Gone::through(&guard("email"), &mut vault(), "héé: jo@example.org");
        assert_eq!((gone.found[0].bytes, gone.found[0].characters), ([7, 21], [5, 19]));
        assert!(gone.text.starts_with("héé: <EMAIL_1_"), "{}", gone.text);
    }

    #[test]
    fn each_line_is_a_text_of_its_own_and_keeps_its_id() {
        let text = "\"a\"\n{\"id\": 7, \"text\": \"jo@example.org\"}\n";
        let out = lines(&guard("email"), &mut vault(), Path::new("x"), text).unwrap();
        let reports: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&reports[0]["text"], &reports[1]["id"]), (&json!("a"), &json!(7)));
        assert_eq!(reports[1]["findings"][0]["type"], "email");
        assert!(lines(&guard("email"), &mut vault(), Path::new("x"), "{}\n").unwrap_err().starts_with("x:1: "));
    }
}
