//! `tidegate check`: is a configuration sound, and what does it say?

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::policy::{self, Environment, Ink, Loaded, Problem, codes};

/// Check configuration files: syntax, names, types, conditions, policies that can never match.
///
/// Needs no secrets. Exits with 0 if the configuration can run (warnings or not), with 1 if it has errors, with 2
/// if no file could be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A gateway file; further ones are overlays on it [default: tidegate.yaml]
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print problems as JSON
    #[arg(long)]
    json: bool,
    /// Print the merged configuration, with the origin of each value
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// Verify that every reference to a secret stands for something
    #[arg(long)]
    secrets: bool,
}

pub fn run(args: Args) -> ExitCode {
    let files = if args.files.is_empty() { vec![policy::default_file()] } else { args.files };
    let environment = Environment::process();
    let mut loaded = policy::load(&files, &environment);
    loaded.check_embedders();
    if args.secrets {
        let mut unresolved = unresolved(&loaded, &environment);
        loaded.problems.append(&mut unresolved);
    }
    let shown = if args.json { show_json(&loaded) } else { show(&loaded) };
    let printed = if args.print { print(&loaded) } else { Ok(()) };
    if shown.and(printed).is_err() || is_unread(&loaded, &files) {
        return ExitCode::from(2);
    }
    if loaded.has_errors() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// References that stand for nothing on this machine.
fn unresolved(loaded: &Loaded, environment: &Environment) -> Vec<Problem> {
    let templates = loaded.config.as_ref().map(policy::Config::templates).unwrap_or_default();
    let verify = |template: &&policy::At<policy::Template>| {
        let reason = template.resolve(environment).err()?;
        let problem = Problem::error(codes::UNRESOLVED, reason.to_string()).at(template.span, "");
        Some(match reason {
            policy::Unresolved::Unset { name } => {
                problem.help(format!("set it, or give a default: `${{env:{name}:-…}}`"))
            }
            _ => problem,
        })
    };
    templates.iter().filter_map(verify).collect()
}

fn is_unread(loaded: &Loaded, files: &[PathBuf]) -> bool {
    let is_read = |path: &PathBuf| loaded.sources.iter().any(|source| source.path == *path);
    !files.iter().all(is_read)
}

fn show(loaded: &Loaded) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    let ink = if out.is_terminal() { Ink::Colour } else { Ink::Plain };
    for problem in &loaded.problems {
        writeln!(out, "{}\n", problem.render(&loaded.sources, ink))?;
    }
    let errors = loaded.problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = loaded.problems.len() - errors;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let verdict = if errors == 0 { "the configuration is sound" } else { "the configuration cannot run" };
    writeln!(out, "{verdict}: {}, {}", count(errors, "error"), count(warnings, "warning"))?;
    for (policy, step, bytes) in loaded.config.iter().filter(|_| errors == 0).flat_map(policy::hold_backs) {
        writeln!(out, "policy `{policy}`: `{step}` keeps back up to {bytes} bytes of each text of a streamed answer")?;
    }
    if let Some(problem) = loaded.problems.iter().find(|problem| problem.is_error()) {
        writeln!(out, "`tidegate explain {}` tells more", problem.code.name())?;
    }
    Ok(())
}

fn show_json(loaded: &Loaded) -> std::io::Result<()> {
    let problems: Vec<_> = loaded.problems.iter().map(|problem| problem.json(&loaded.sources)).collect();
    let report = serde_json::json!({
        "ok": !loaded.has_errors(),
        "revision": loaded.revision,
        "files": loaded.files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "problems": problems,
        "hold_back": hold_backs(loaded),
    });
    writeln!(std::io::stdout().lock(), "{report:#}")
}

/// What guards keep back of streamed answers, if the configuration can run.
fn hold_backs(loaded: &Loaded) -> Vec<serde_json::Value> {
    let bounds = loaded.config.iter().filter(|_| !loaded.has_errors()).flat_map(policy::hold_backs);
    bounds.map(|(policy, step, bytes)| serde_json::json!({ "policy": policy, "step": step, "bytes": bytes })).collect()
}

fn print(loaded: &Loaded) -> std::io::Result<()> {
    let text = policy::print(loaded).unwrap_or_default();
    std::io::stdout().lock().write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn check(text: Option<&str>, more: &[&str]) -> ExitCode {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tidegate.yaml");
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let path = path.display().to_string();
        let args = ["check", "-f", &path].into_iter().chain(more.iter().copied());
        run(Cli::try_parse_from(args).unwrap().args)
    }

    const SOUND: &str = "version: 1\nproviders: { a: { kind: openai, key: \"${file:/nowhere}\" } }\npolicies: [{ policy: p, route: a }]\n";

    #[test]
    fn the_exit_code_tells_sound_from_broken_from_unread() {
        assert_eq!(check(Some(SOUND), &[]), ExitCode::SUCCESS);
        assert_eq!(check(Some(SOUND), &["--print"]), ExitCode::SUCCESS);
        assert_eq!(check(Some("version: 2\n"), &["--json"]), ExitCode::from(1));
        assert_eq!(check(None, &[]), ExitCode::from(2));
    }

    #[test]
    fn secrets_are_only_looked_up_if_asked_for() {
        assert_eq!(check(Some(SOUND), &["--secrets"]), ExitCode::from(1));
    }
}
