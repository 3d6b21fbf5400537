//! Loading the models that run in this process.

use std::io::ErrorKind;
use std::sync::Arc;

use super::{Embedders, Parts};
use crate::embedding::{Files, Model, Unfit};
use crate::policy::codes;
use crate::policy::config::{Config, EmbedderConfig};
use crate::policy::problem::Problem;

/// None where providers are played, unless models are there for that: what would need one goes on without.
pub fn open(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Embedders {
    let mut embedders = Embedders::new();
    let are_wanted = !parts.pools.is_staged() || parts.stores.embedders.is_for_plays();
    for (name, embedder) in config.embedders.iter().filter(|_| are_wanted) {
        match parts.stores.embedders.open(&embedder.dir, *embedder.sha256, embedder.threads) {
            Ok(local) => drop(embedders.insert(name.clone(), Arc::clone(&local))),
            Err(unfit) => problems.push(problem(embedder, &unfit)),
        }
    }
    embedders
}

/// Reads them and puts none to work. Those that are not on this machine need not be, where files are only checked.
pub fn check(config: &Config, problems: &mut Vec<Problem>) {
    for embedder in config.embedders.values() {
        let read = Files::pinned(&embedder.dir, *embedder.sha256).and_then(|files| Model::of(&files));
        match read {
            Err(Unfit::Unread { path, source }) if source.kind() == ErrorKind::NotFound => {
                let message = format!("the embedder `{}` is not checked: `{path}` is not there", *embedder.name);
                let problem = Problem::warning(codes::CANNOT_OPEN, message).at(embedder.dir.span, "in this folder");
                problems.push(problem.help(INSTALL));
            }
            Err(unfit) => problems.push(problem(embedder, &unfit)),
            Ok(_) => {}
        }
    }
}

fn problem(embedder: &EmbedderConfig, unfit: &Unfit) -> Problem {
    let problem = Problem::error(codes::CANNOT_OPEN, unfit.to_string());
    match unfit {
        Unfit::Other { found, .. } => problem.at(embedder.sha256.span, "this is what they should be").help(format!(
            "if they are what you want, write `sha256: {found}`; if not, `tidegate embedder install` fetches them again"
        )),
        Unfit::Unread { .. } => problem.at(embedder.dir.span, "in this folder").help(INSTALL),
        Unfit::NotBuilt => problem.at(embedder.name.span, "this embedder"),
        _ => problem
            .at(embedder.dir.span, "in this folder")
            .help("read are models that descend from BERT, such as all-MiniLM-L6-v2"),
    }
}

const INSTALL: &str = "`tidegate embedder install DIR` puts a model there";
