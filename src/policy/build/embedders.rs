//! Models in this process.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::Builder;
use crate::embedding::Pin;
use crate::policy::codes;
use crate::policy::config::EmbedderConfig;
use crate::policy::decode::{At, Table};
use crate::policy::document::{EmbedderDoc, EmbedderKind};
use crate::policy::problem::Problem;

impl Builder<'_, '_> {
    pub(super) fn embedders(&mut self, documents: Table<EmbedderDoc>) -> BTreeMap<String, EmbedderConfig> {
        let built = documents.0.into_iter().filter_map(|(name, document)| self.embedder(name, document));
        built.map(|embedder| (embedder.name.value.clone(), embedder)).collect()
    }

    fn embedder(&mut self, name: At<String>, document: EmbedderDoc) -> Option<EmbedderConfig> {
        if self.named_targets.contains(&name.value) || self.is_provider(&name.value) {
            let message = format!("`{}` is a target or provider as well", name.value);
            let problem = Problem::error(codes::DUPLICATE_NAME, message).at(name.span, "");
            self.note(problem.help("give this embedder another name: steps name either of them alike"));
        }
        // The only kind there is, so far.
        let EmbedderKind::Local = document.kind.value;
        let threads = document.threads.as_ref().map_or(1, |threads| threads.value.get());
        if let Some(threads) = document.threads.as_ref().filter(|threads| threads.get() > MOST_THREADS) {
            let problem = Problem::error(codes::OUT_OF_RANGE, format!("{} threads are too many", threads.value));
            self.note(problem.at(threads.span, "").help(format!("there may be {MOST_THREADS}")));
        }
        let folder = self.material.sources.folder(document.dir.span.file).join(&document.dir.value);
        let Some(pin) = Pin::parse(&document.sha256.value) else {
            let problem = Problem::error(codes::WRONG_VALUE, "this is no sha256, which has 64 digits");
            self.note(problem.at(document.sha256.span, "").help(PRINTED));
            return None;
        };
        Some(EmbedderConfig {
            name,
            dir: At::new(document.dir.span, folder),
            sha256: At::new(document.sha256.span, pin),
            threads: NonZeroUsize::try_from(threads as usize).unwrap_or(NonZeroUsize::MIN),
        })
    }
}

const MOST_THREADS: u32 = 64;
const PRINTED: &str = "`tidegate embedder install` prints it, and so does \
    `sha256sum config.json model.safetensors tokenizer.json | sha256sum` in its folder";
