//! Where the books are kept.

use std::path::PathBuf;
use std::time::Duration;

use super::Builder;
use crate::base::units::Period;
use crate::policy::codes;
use crate::policy::config::{PolicyConfig, SharedState, State};
use crate::policy::decode::At;
use crate::policy::document::StateDoc;
use crate::policy::problem::Problem;
use crate::policy::reference::Template;
use crate::state::shared::check_url;

impl Builder<'_, '_> {
    /// Without a word about it there is a ledger only if there are budgets, which need one.
    pub(super) fn state(&mut self, document: Option<At<StateDoc>>, has_budgets: bool) -> Option<State> {
        let Some(At { value: document, span, .. }) = document else {
            return has_budgets.then(|| State::Folder(USUAL_FOLDER.into()));
        };
        let folder = document.dir.as_ref().map(|dir| self.material.sources.folder(dir.span.file).join(&dir.value));
        match (document.redis.clone(), folder) {
            (Some(url), folder) => Some(State::Shared(self.shared(document, url, folder))),
            (None, Some(folder)) => {
                self.lonely(&document);
                Some(State::Folder(folder))
            }
            (None, None) if document.placeholder_key.is_some() => {
                self.lonely(&document);
                has_budgets.then(|| State::Folder(USUAL_FOLDER.into()))
            }
            (None, None) => {
                let problem = Problem::error(codes::MISSING_FIELD, "`state` says nowhere to keep anything");
                let help =
                    "give it `dir`, a folder of this gateway, or `redis`, the URL of a server that gateways share";
                self.note_lack(problem.at(span, "").help(help));
                None
            }
        }
    }

    /// Conversations whose placeholders differ from one gateway to the next, though they share a store.
    pub(super) fn unshared_placeholders(&mut self, state: Option<&State>, policies: &[PolicyConfig]) {
        let Some(State::Shared(shared)) = state else { return };
        let mut steps = policies.iter().flat_map(|policy| &policy.steps);
        let Some(step) = steps.find(|step| step.value.has_lasting_placeholders()) else { return };
        let message = "each gateway has placeholders of its own, and a conversation may come to another one";
        let problem = Problem::warning(codes::UNSHARED, message)
            .at(step.span, "this step tells conversations apart")
            .at(shared.url.span, "gateways share this store");
        self.note(
            problem.help("give them all the same secret: `state: { placeholder_key: \"${env:PLACEHOLDER_KEY}\" }`"),
        );
    }

    fn shared(&mut self, document: StateDoc, url: At<Template>, folder: Option<PathBuf>) -> SharedState {
        if url.is_literal()
            && let Ok(text) = url.resolve(self.material.environment)
            && let Err(why) = check_url(&text)
        {
            self.note(Problem::error(codes::WRONG_VALUE, why).at(url.span, "this URL"));
        }
        if let Some(prefix) = document.prefix.as_ref().filter(|prefix| !is_prefix(&prefix.value)) {
            let problem = Problem::error(codes::WRONG_VALUE, format!("`{}` cannot begin keys", prefix.value));
            self.note(problem.at(prefix.span, "").help("use up to 64 letters, digits, `-`, `_`, `.` and `:`"));
        }
        SharedState {
            url: self.placed(url),
            prefix: document.prefix.map_or_else(|| USUAL_PREFIX.to_owned(), |prefix| prefix.value),
            on_loss: document.on_loss.map(|on_loss| on_loss.value).unwrap_or_default(),
            timeout: self.span_of(document.timeout, "timeout", USUAL_TIMEOUT, SHORTEST_TIMEOUT),
            gone_after: self.span_of(document.gone_after, "gone_after", USUALLY_GONE, SOONEST_GONE),
            folder,
        }
    }

    fn span_of(&mut self, written: Option<At<Period>>, name: &str, usual: Duration, least: Duration) -> Duration {
        let Some(written) = written else { return usual };
        if written.0 < least || written.0 > LONGEST {
            let message = format!("`{name}` must lie between {}ms and 1h", least.as_millis());
            self.note(Problem::error(codes::OUT_OF_RANGE, message).at(written.span, ""));
        }
        written.0
    }

    /// Settings of a shared store, without one.
    fn lonely(&mut self, document: &StateDoc) {
        let spans = [
            document.prefix.as_ref().map(|prefix| ("prefix", prefix.span)),
            document.on_loss.as_ref().map(|on_loss| ("on_loss", on_loss.span)),
            document.timeout.as_ref().map(|timeout| ("timeout", timeout.span)),
            document.gone_after.as_ref().map(|gone| ("gone_after", gone.span)),
        ];
        for (name, span) in spans.into_iter().flatten() {
            let problem = Problem::error(codes::CONTRADICTION, format!("`{name}` is about a store that is shared"));
            self.note(problem.at(span, "but there is no `redis`").help("give `redis` its URL, or leave this out"));
        }
    }
}

fn is_prefix(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

const USUAL_FOLDER: &str = ".tidegate";
const USUAL_PREFIX: &str = "tidegate";
const USUAL_TIMEOUT: Duration = Duration::from_millis(250);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
const USUALLY_GONE: Duration = Duration::from_secs(30);
const SOONEST_GONE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(3600);
