//! A day of traffic, replayed through a policy's cache: what it would save, and whether anybody would be given an answer
//! to another question.
//!
//! Requests go over in-memory connections to the real server, whose providers are [played](upstream), on a clock that
//! jumps. Whoever asks is one of several callers of several teams. Each answer of a provider carries a mark of its own, by
//! which it is known, when it is given again, for what it was made: that is [judged](judge) by what questions mean, which
//! only the [traffic](traffic) knows, and the gateway does not.
//!
//! Embedders elsewhere find all texts alike, which is the worst that one can do: only words tell questions apart then.
//! Models in this process do their work.

mod crowd;
mod judge;
mod lines;
mod templates;
mod till;
mod town;
mod traffic;
mod upstream;

use std::path::PathBuf;

use crate::policy::{Environment, load};

pub use crowd::Crowd;
pub use judge::{Embedded, FalseHit, Report, Tier};
pub use lines::read as read_lines;
pub use traffic::{Asked, Meaning};

/// Replays requests through the configuration that the files make.
///
/// # Errors
/// What keeps the configuration from running, as people read it, or a request from being sent.
pub fn replay(files: &[PathBuf], model: &str, traffic: &[Asked]) -> Result<Report, String> {
    let environment = Environment::process().or("placeholder");
    let loaded = load(files, &environment);
    if loaded.config.is_none() {
        return Err(loaded.report(&loaded.problems));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async { town::Town::build(&loaded, &environment, traffic)?.live(model, traffic).await })
}
