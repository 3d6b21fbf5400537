//! `tidegate plugin run`: one request, answer or stream through a plugin, and what that takes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::inspect::component_at;
use super::pin::{read, unfit_message};
use super::project::Project;
use super::test::case_files;
use crate::policy::Ink;
use crate::rehearsal::golden::{Came, Golden, Moment, PieceDoc, Said, Sent, Stage, Word};
use crate::wasm::{Component, Engine, Limits};

/// Send one request, answer or stream through a plugin, and show what it says and what that takes.
///
/// Grants, configuration and all that is played come from a file of cases. Fuel is counted, so the same call always shows
/// the same number, on every machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a plugin, or a component [default: .]
    #[arg(value_name = "PATH", default_value = ".", hide_default_value = true)]
    path: PathBuf,
    /// The file of cases to go by [default: the first in the plugin's folder]
    #[arg(long, value_name = "FILE")]
    like: Option<PathBuf>,
    /// What the user says
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    text: String,
    /// The body of a request to /v1/chat/completions, in a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    request: Option<PathBuf>,
    /// What the model answers, in one piece
    #[arg(long, value_name = "TEXT", conflicts_with = "stream")]
    answer: Option<String>,
    /// What the model answers, as a stream
    #[arg(long, value_name = "TEXT")]
    stream: Option<String>,
    /// How many bytes of a stream come at a time
    #[arg(long, value_name = "BYTES", default_value = "16", requires = "stream")]
    cut: usize,
    /// The plugin's configuration, as JSON, instead of the file's
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// How many times it is called
    #[arg(long, value_name = "TIMES", default_value = "100")]
    times: std::num::NonZeroU32,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let path = component_at(&args.path)?;
    let wasm = read(&path)?;
    let mut moment = circumstances(args)?;
    moment.request = Some(request(args)?);
    moment.sent = match (&args.answer, &args.stream) {
        (Some(text), _) => Sent::Answer(vec![PieceDoc::Text(text.clone())]),
        (None, Some(text)) => Sent::Stream(vec![PieceDoc::Text(text.clone())]),
        (None, None) => Sent::Request,
    };
    let limits = Limits { fuel: Limits::MOST.fuel, file: Limits::MOST.file, ..Limits::default() };
    let component = Component::load(Engine::of_process()?, &wasm, &limits);
    let component = component.map_err(|unfit| unfit_message(&path, &unfit))?;
    let stage = Stage { component: &component, limits: &limits, moment: &moment };
    let mut trials = Trials::default();
    for _ in 0..args.times.get() {
        let begun = Instant::now();
        let came = stage.play(args.stream.is_some().then_some(args.cut));
        trials.add(begun.elapsed(), &came);
        trials.last = Some(came);
    }
    let mut out = std::io::stdout().lock();
    let told = trials.lines().iter().try_for_each(|(name, value)| writeln!(out, "{name:<10} {value}"));
    told.map_err(|error| error.to_string())?;
    let is_well = trials.last.is_some_and(|came| came.said.is_ok());
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What is granted, configured and played.
fn circumstances(args: &Args) -> Result<Moment, String> {
    let file = match &args.like {
        Some(file) => Some(file.clone()),
        None if args.path.is_dir() => {
            case_files(&Project::read(&args.path)?.folder).ok().and_then(|files| files.into_iter().next())
        }
        None => None,
    };
    let mut moment = match file {
        Some(file) => Golden::read(&file, Ink::Plain)?.circumstances(),
        None => Moment { config: json!({}), ..Moment::default() },
    };
    if let Some(config) = &args.config {
        moment.config = serde_json::from_str(config).map_err(|error| format!("`--config` is not JSON: {error}"))?;
    }
    Ok(moment)
}

fn request(args: &Args) -> Result<Value, String> {
    let Some(file) = &args.request else {
        let message = json!({ "role": "user", "content": args.text });
        return Ok(json!({ "model": "chat", "messages": [message], "stream": args.stream.is_some() }));
    };
    let unread = |error: String| format!("`{}` cannot be used: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| unread(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unread(error.to_string()))
}

/// What came of each time.
#[derive(Default)]
struct Trials {
    /// In the hook itself.
    hook: Vec<Duration>,
    /// With a fresh instance, configured, for each.
    fresh: Vec<Duration>,
    last: Option<Came>,
}

impl Trials {
    fn add(&mut self, all: Duration, came: &Came) {
        self.hook.push(came.report.took);
        self.fresh.push(all);
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let Some(came) = &self.last else { return Vec::new() };
        let mut lines = match &came.said {
            Ok(said) => said_lines(said),
            Err(trouble) => {
                let words = trouble.own_words().map(|words| format!(": {words}")).unwrap_or_default();
                vec![("failed", format!("{trouble}{words}"))]
            }
        };
        let Came { report, done, .. } = came;
        lines.extend(done.logged.iter().map(|line| ("log", line.clone())));
        let times = self.hook.len();
        lines.push(("hook", format!("{} (median of {times})", micros(median(&self.hook)))));
        lines.push(("fresh", format!("{}, with a new instance for the call", micros(median(&self.fresh)))));
        lines.extend(report.fuel.map(|fuel| ("fuel", fuel.to_string())));
        lines.push(("memory", format!("{} KiB", report.memory.div_ceil(1024))));
        lines.push(("host calls", report.host_calls.to_string()));
        lines
    }
}

fn said_lines(said: &Said) -> Vec<(&'static str, String)> {
    let verdict = match &said.verdict {
        Word::Pass => "pass".to_owned(),
        Word::Deny(denial) => format!("deny {} {}: {}", denial.status, denial.code, denial.message),
        Word::Respond(text) => format!("respond: {text}"),
    };
    let mut lines = vec![("verdict", verdict)];
    let listed = |name, values: Vec<String>| (!values.is_empty()).then(|| (name, values.join(", ")));
    lines.extend(listed("findings", said.findings.iter().map(|finding| finding.kind.clone()).collect()));
    lines.extend(listed("tags", said.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect()));
    lines.extend(listed("headers", said.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()));
    lines.extend(said.texts.iter().map(|text| ("text", text.clone())));
    if !said.read.is_empty() {
        lines.push(("read", said.read.clone()));
    }
    lines
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}
