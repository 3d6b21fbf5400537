//! Guards outside.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Builder;
use crate::policy::codes;
use crate::policy::config::ScreenConfig;
use crate::policy::decode::{At, Table};
use crate::policy::document::{ScreenDoc, ScreenKind};
use crate::policy::problem::Problem;
use crate::policy::reference::Template;
use crate::policy::source::Span;
use crate::provider::Address;
use crate::steps::screen::Kind;

impl Builder<'_, '_> {
    pub(super) fn screens(&mut self, documents: Table<ScreenDoc>) -> BTreeMap<String, ScreenConfig> {
        let built = documents.0.into_iter().filter_map(|(name, document)| self.screen(name, document));
        built.map(|screen| (screen.name.value.clone(), screen)).collect()
    }

    fn screen(&mut self, name: At<String>, document: ScreenDoc) -> Option<ScreenConfig> {
        self.foreign_settings(&document);
        if let Some(key) = &document.key {
            self.literal_secret("a key", key);
        }
        let timeout = document.timeout.as_ref().map_or(USUAL_TIMEOUT, |timeout| {
            if timeout.0.is_zero() {
                let problem = Problem::error(codes::OUT_OF_RANGE, "a guard cannot answer in no time");
                self.note(problem.at(timeout.span, "").help("leave it out for 2s"));
            }
            timeout.0
        });
        let url = self.screen_url(&name, &document)?;
        Some(ScreenConfig {
            url: self.placed(url),
            kind: self.screen_kind(&document),
            key: document.key.map(|key| self.placed(key)),
            ca: document.ca.map(|ca| self.placed(ca)),
            timeout,
            max_concurrent: document.max_concurrent.unwrap_or(USUALLY_AT_ONCE),
            name,
        })
    }

    fn screen_url(&mut self, name: &At<String>, document: &ScreenDoc) -> Option<At<Template>> {
        if let Some(url) = &document.url {
            if url.is_literal()
                && let Ok(text) = url.resolve(self.material.environment)
                && let Err(why) = Address::parse(text.expose())
            {
                self.note(Problem::error(codes::WRONG_VALUE, why).at(url.span, "this URL"));
            }
            return Some(url.clone());
        }
        if document.kind.value == ScreenKind::OpenaiModeration {
            if document.key.is_none() {
                let message = format!("the screen `{}` needs a `key`", name.value);
                let problem = Problem::error(codes::MISSING_FIELD, message).at(name.span, "OpenAI asks for one");
                self.note_lack(problem.help("refer to it, as in `key: \"${env:OPENAI_API_KEY}\"`"));
            }
            return Template::parse(OPENAI).ok().map(|url| At::new(name.span, url));
        }
        let problem = Problem::error(codes::MISSING_FIELD, format!("the screen `{}` needs a `url`", name.value));
        let problem = problem.at(name.span, "").at(document.kind.span, "a guard of this kind can be anywhere");
        self.note_lack(problem.help("say where texts are posted to, as in `url: http://presidio:3000/analyze`"));
        None
    }

    fn screen_kind(&mut self, document: &ScreenDoc) -> Kind {
        match document.kind.value {
            ScreenKind::Webhook => Kind::Webhook,
            ScreenKind::OpenaiModeration => {
                Kind::OpenAiModeration { model: document.model.as_ref().map(|model| model.value.clone()) }
            }
            ScreenKind::Presidio => {
                if let Some(score) = document.min_score.as_ref().filter(|score| !(0.0..=1.0).contains(&score.value)) {
                    let message = format!("`{}` is not between 0 and 1", score.value);
                    self.note(Problem::error(codes::OUT_OF_RANGE, message).at(score.span, "scores are"));
                }
                let language = document.language.as_ref().map_or("en", |language| &language.value).to_owned();
                Kind::Presidio { language, min_score: document.min_score.as_ref().map_or(0.5, |score| score.value) }
            }
        }
    }

    /// Settings of guards of another kind.
    fn foreign_settings(&mut self, document: &ScreenDoc) {
        let kind = document.kind.value;
        let of = |owner: ScreenKind, name: &'static str, span: Option<Span>| {
            span.filter(|_| kind != owner).map(|span| (name, owner, span))
        };
        let foreign = [
            of(ScreenKind::OpenaiModeration, "model", document.model.as_ref().map(|model| model.span)),
            of(ScreenKind::Presidio, "language", document.language.as_ref().map(|language| language.span)),
            of(ScreenKind::Presidio, "min_score", document.min_score.as_ref().map(|score| score.span)),
        ];
        for (name, owner, span) in foreign.into_iter().flatten() {
            let owner = if owner == ScreenKind::Presidio { "presidio" } else { "openai_moderation" };
            let problem = Problem::error(codes::CONTRADICTION, format!("`{name}` is a setting of `{owner}`"));
            self.note(problem.at(span, "").at(document.kind.span, "and this is another kind"));
        }
    }
}

const OPENAI: &str = "https://api.openai.com/v1/moderations";
const USUAL_TIMEOUT: Duration = Duration::from_secs(2);
const USUALLY_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
