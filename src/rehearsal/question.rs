//! A single request, asked of a configuration to see what would become of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::{CallerDoc, ReplyDoc, RequestDoc};
use super::house::{Given, House};
use super::play::Play;
use super::story;
use super::suite::{USUAL_CLOCK, render, scripts};
use crate::policy::{At, Environment, Ink, Sources, Table, load, read_file};

/// A request and its circumstances, as a file has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tidegate request file")]
pub struct QuestionDoc {
    /// Who calls.
    pub caller: Option<At<CallerDoc>>,
    #[serde(default)]
    pub env: Table<String>,
    pub request: At<RequestDoc>,
    /// What targets answer; those that are not named answer with a short text.
    #[serde(default)]
    pub upstream: Table<At<Vec<At<ReplyDoc>>>>,
}

/// What would become of the request in `file` under the configuration in `gateway`: the decisions on its way and
/// their reasons, a line each.
///
/// # Errors
/// What is wrong with a file, as people read it.
pub fn explain(file: &Path, gateway: &[PathBuf], ink: Ink) -> Result<Vec<String>, String> {
    let (mut sources, mut problems) = (Sources::default(), Vec::new());
    let document: Option<QuestionDoc> = read_file(file, &mut sources, &mut problems);
    let Some(document) = document else { return Err(render(&problems, &sources, ink)) };
    let variables = document.env.0.iter().map(|(name, value)| (name.value.clone(), value.clone()));
    let environment = Environment::of(variables, "").or("placeholder");
    let loaded = load(gateway, &environment);
    if loaded.config.is_none() {
        return Err(render(&loaded.problems, &loaded.sources, ink));
    }
    let play = Arc::new(Play::new(scripts(&document.upstream)));
    let caller = document.caller.map(|caller| caller.value);
    let now = USUAL_CLOCK.parse().map_err(|_| "no time".to_owned())?;
    let given = Given { loaded: &loaded, environment: &environment, now, caller, play };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let seen = runtime.block_on(async { House::build(&given)?.ask(&document.request).await })?;
    Ok(story::of(&seen))
}
