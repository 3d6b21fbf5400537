//! A single request, asked of a configuration to see what would become of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::document::{CallerDoc, GivenDoc, ReplyDoc, RequestDoc};
use super::house::{Given, House};
use super::mistakes;
use super::play::Play;
use super::story;
use super::suite::{environment, render, scripts};
use crate::policy::{At, Ink, Sources, Table, load, read_file};

/// A request and its circumstances, as a file has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tidegate request file")]
pub struct QuestionDoc {
    /// Who calls.
    pub caller: Option<At<CallerDoc>>,
    #[serde(default)]
    pub env: Table<String>,
    /// How things stand before the request.
    pub given: Option<At<GivenDoc>>,
    pub request: At<RequestDoc>,
    /// What targets answer; those that are not named answer with a short text.
    #[serde(default)]
    pub upstream: Table<At<Vec<At<ReplyDoc>>>>,
}

/// What would become of a request.
pub struct Explanation {
    /// The decisions on its way and their reasons, a line each.
    pub lines: Vec<String>,
    /// The same for programs.
    pub json: Value,
}

/// What would become of the request in `file` under the configuration in `gateway`.
///
/// # Errors
/// What is wrong with a file, as people read it.
pub fn explain(file: &Path, gateway: &[PathBuf], ink: Ink) -> Result<Explanation, String> {
    let (mut sources, mut problems) = (Sources::default(), Vec::new());
    let document: Option<QuestionDoc> = read_file(file, &mut sources, &mut problems);
    let Some(document) = document else { return Err(render(&problems, &sources, ink)) };
    let state = document.given.map(|given| given.value).unwrap_or_default();
    let environment = environment([&document.env, &state.env]);
    let loaded = load(gateway, &environment);
    let Some(config) = &loaded.config else {
        return Err(render(&loaded.problems, &loaded.sources, ink));
    };
    mistakes::two_bodies(&document.request, &mut problems);
    let replies = document.upstream.0.iter().flat_map(|(_, replies)| replies.value.iter());
    replies.for_each(|reply| mistakes::idle_words(reply, &mut problems));
    let scripted = document.upstream.0.iter().map(|(target, _)| target);
    mistakes::undefined_targets(scripted.chain(mistakes::named_in(&state)), config, &mut problems);
    mistakes::undefined_screens(std::iter::once(&state), config, &mut problems);
    let now = mistakes::clock(state.clock.as_ref(), &mut problems);
    let (Some(now), true) = (now, problems.is_empty()) else { return Err(render(&problems, &sources, ink)) };
    let play = Arc::new(Play::new(scripts(&document.upstream)));
    let caller = document.caller.or(state.caller.clone()).map(|caller| caller.value);
    let given = Given { loaded: &loaded, environment: &environment, now, caller, play, state };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let seen = runtime.block_on(async { House::build(&given)?.ask(&document.request).await })?;
    Ok(Explanation { lines: story::of(&seen), json: story::json::of(&seen) })
}
