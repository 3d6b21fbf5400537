//! `tidegate explain`: what a problem means and how it is mended, what a type of finding matches, what has become of a
//! request, or what would become of one and why.

mod decision;
mod waterfall;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::policy::{Ink, codes, default_file};
use crate::rehearsal;
use crate::steps::redact::kind::{Kind, PROFILES};
use crate::steps::redact::kinds;

/// Explain the code of a problem, a type that `redact` finds, what has become of a request, or what would.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A code that `check` has shown, such as TG0101, a type of finding, such as iban, a profile of them, such as
    /// injection_heuristic, or the `x-request-id` of an answer
    #[arg(value_name = "CODE", required_unless_present = "request")]
    code: Option<String>,
    /// A file with a request: each decision about it and why; asks nobody
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    request: Option<PathBuf>,
    /// The gateway file for the request; further ones are overlays on it [default: tidegate.yaml]
    #[arg(short = 'f', long = "file", value_name = "FILE", requires = "request")]
    files: Vec<PathBuf>,
    /// The decisions about the request as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    record: decision::Place,
}

/// How the decisions about a request are told.
#[derive(Clone, Copy)]
enum Form {
    Lines,
    Json,
}

pub fn run(args: Args) -> ExitCode {
    let written = match (&args.request, &args.code) {
        (Some(request), _) => explain_request(request, args.files, if args.json { Form::Json } else { Form::Lines }),
        (None, code) => match code.as_deref().unwrap_or_default() {
            id if id.starts_with("req_") => {
                decision::explain(id, &args.record, if args.json { Form::Json } else { Form::Lines })
            }
            code => explain_code(code),
        },
    };
    written.unwrap_or(ExitCode::from(2))
}

fn explain_code(code: &str) -> io::Result<ExitCode> {
    match codes::page(code).map(ToOwned::to_owned).or_else(|| kinds::named(code).map(page_of)).or_else(|| profile(code))
    {
        Some(page) => writeln!(io::stdout().lock(), "{page}").map(|()| ExitCode::SUCCESS),
        None => {
            let known: Vec<_> = codes::all().map(codes::Code::name).collect();
            writeln!(io::stderr().lock(), "there is no code `{code}`; known are: {}", known.join(", "))
                .map(|()| ExitCode::from(2))
        }
    }
}

/// The pages of all types of a profile.
fn profile(name: &str) -> Option<String> {
    let (_, profile) = PROFILES.iter().find(|(known, _)| *known == name)?;
    let pages = kinds::all().filter(|kind| kind.profiles.contains(profile)).map(page_of);
    Some(pages.collect::<Vec<_>>().join("\n\n"))
}

/// The page of a type of finding.
fn page_of(kind: &Kind) -> String {
    let profiles = PROFILES.iter().filter(|(_, profile)| kind.profiles.contains(profile)).map(|(name, _)| *name);
    let words = |words: &[&str]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let list = |texts: &[&str]| texts.iter().map(|text| format!("- {text}\n")).collect::<String>();
    let profiles: Vec<_> = profiles.collect();
    let expressions: Vec<_> = kind.shapes.iter().map(|shape| shape.regex).collect();
    format!(
        "# {}: {}\n\nProfiles: {}\nPlaceholder: <{}_1_…>\nWords that speak for it: {}\nWords that speak against it: {}\n\n\
         Expressions, each with what checks, neighbours and context add:\n\n{}\nFound:\n\n{}\nNot found:\n\n{}",
        kind.name,
        kind.says,
        words(&profiles),
        kind.label,
        words(kind.near),
        words(kind.unless),
        list(&expressions),
        list(kind.examples),
        list(kind.counters).trim_end(),
    )
}

fn explain_request(request: &Path, files: Vec<PathBuf>, form: Form) -> io::Result<ExitCode> {
    let files = if files.is_empty() { vec![default_file()] } else { files };
    let mut errors = io::stderr().lock();
    let ink = if errors.is_terminal() { Ink::Colour } else { Ink::Plain };
    match rehearsal::explain(request, &files, ink) {
        Ok(explanation) => {
            let mut out = io::stdout().lock();
            match form {
                Form::Json => writeln!(out, "{:#}", explanation.json)?,
                Form::Lines => explanation.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(report) => write!(errors, "{report}").map(|()| ExitCode::from(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_type_tells_what_is_found_and_what_is_not() {
        let page = page_of(kinds::named("iban").unwrap());
        assert!(page.starts_with("# iban: ") && page.contains("Profiles: default"), "{page}");
        assert!(profile("injection_heuristic").unwrap().contains("# injection_override: "));
        assert!(page.contains("«DE89 3704 0044 0532 0130 00»") && page.contains("- DE88 3704"), "{page}");
    }

    fn args(code: &str) -> Args {
        let record = decision::Place::default();
        Args { code: Some(code.into()), request: None, files: Vec::new(), json: false, record }
    }

    #[test]
    fn only_a_known_code_is_explained() {
        assert_eq!(run(args("tg0204")), ExitCode::SUCCESS);
        assert_eq!(run(args("TG9")), ExitCode::from(2));
    }
}
