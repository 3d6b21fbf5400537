//! Providers, targets and models.

use super::{Builder, empty};
use crate::base::ids::{ProviderName, TargetName};
use crate::base::units::Share;
use crate::policy::codes;
use crate::policy::config::{Breaker, ModelConfig, Price, ProviderConfig, TargetConfig};
use crate::policy::decode::{At, Table};
use crate::policy::document::hints::called_here;
use crate::policy::document::planned::is_planned_kind;
use crate::policy::document::{BreakerDoc, ModelDoc, PriceDoc, ProviderDoc, TargetDoc};
use crate::policy::problem::{Problem, did_you_mean, nearest};
use crate::policy::reference::Template;
use crate::policy::tree::Node;
use crate::provider;

impl Builder<'_, '_> {
    pub(super) fn providers(&mut self, providers: Table<ProviderDoc>) {
        for (name, document) in providers.0 {
            if name.value.is_empty() || name.value.contains('/') {
                let message = format!("`{}` cannot be a provider's name", name.value);
                let problem = Problem::error(codes::WRONG_VALUE, message).at(name.span, "");
                self.note(problem.help("a slash divides the provider from the model, as in `openai/gpt-4.1`"));
            }
            let provider = self.provider(name, document);
            self.providers.insert(provider.name.value.clone(), provider);
        }
    }

    fn provider(&mut self, name: At<String>, document: ProviderDoc) -> ProviderConfig {
        self.kind(&name, &document);
        let keys = self.keys(&document);
        for (header, value) in &document.headers.0 {
            if is_secret_header(header) {
                self.literal_secret(&format!("the header `{}`", header.value), value);
            }
        }
        ProviderConfig {
            name: name.map(ProviderName::new),
            kind: document.kind,
            url: document.url.map(|url| self.placed(url)),
            keys: keys.into_iter().map(|key| self.placed(key)).collect(),
            pick: document.pick.map(|pick| pick.value).unwrap_or_default(),
            headers: document.headers.0.into_iter().map(|(name, value)| (name, self.placed(value))).collect(),
            ca: document.ca.map(|ca| self.placed(ca)),
            http2: document.http2,
            propagate: document.propagate,
            price: document.price.map(|price| price_of(&price)),
            discount: document.discount.map_or(0, |discount| self.discount(&discount)),
            simulate: document.simulate,
        }
    }

    /// Whole percents: a list price cannot be told to more.
    fn discount(&mut self, written: &At<Share>) -> u8 {
        let percent = written.value.0;
        if percent.fract() != 0.0 {
            let problem =
                Problem::error(codes::OUT_OF_RANGE, format!("`{percent}%` is not a whole number of percents"));
            self.note(problem.at(written.span, ""));
        }
        percent as u8
    }

    fn kind(&mut self, name: &At<String>, document: &ProviderDoc) {
        let kind = &document.kind;
        let word = kind.as_str();
        if is_planned_kind(word) {
            let message = format!("providers of the kind `{word}` are not available in this version");
            self.note(Problem::error(codes::NOT_AVAILABLE, message).at(kind.span, ""));
        } else if !provider::kinds().any(|known| known == word) {
            let known: Vec<_> = provider::kinds().collect();
            let problem = Problem::error(codes::UNKNOWN_CHOICE, format!("unknown kind of provider `{word}`"));
            let problem = problem.at(kind.span, did_you_mean(word, known.iter().copied()));
            self.note(problem.help(format!("known are: {}", known.join(", "))));
        }
        if document.simulate.is_some() {
            return;
        }
        if provider::needs_url(word) && document.url.is_none() {
            let message = format!("the provider `{}` needs a `url`", name.value);
            let problem = Problem::error(codes::MISSING_FIELD, message).at(name.span, "");
            let problem = problem.at(kind.span, "a provider of this kind can be anywhere");
            self.note_lack(problem.help("say where it is, as in `url: https://llm.internal/v1`"));
        }
        if provider::needs_key(word) && document.key.is_none() && document.keys.is_none() && !self.has_key(name) {
            let message = format!("the provider `{}` needs a `key`", name.value);
            let problem = Problem::error(codes::MISSING_FIELD, message).at(name.span, "");
            let problem = problem.at(kind.span, "a provider of this kind does not answer without one");
            self.note(problem.help("refer to it, as in `key: \"${env:OPENAI_API_KEY}\"`"));
        }
    }

    /// Whether the file gives a provider a key, be it one that could not be read.
    fn has_key(&self, name: &str) -> bool {
        let provider = self.material.tree.get("providers").and_then(|providers| providers.get(name));
        let fields = provider.map(Node::entries).unwrap_or_default();
        fields.iter().map(|entry| entry.key.text.as_str()).any(|field| {
            let meant = called_here("ProviderDoc", field).or_else(|| nearest(field, ["key", "keys"]));
            matches!(meant, Some("key" | "keys"))
        })
    }

    fn keys(&mut self, document: &ProviderDoc) -> Vec<At<Template>> {
        let several = document.keys.as_ref();
        if let (Some(key), Some(keys)) = (&document.key, several) {
            let problem = Problem::error(codes::CONTRADICTION, "a provider has either `key` or `keys`");
            self.note(problem.at(keys.span, "several keys").at(key.span, "one key"));
        }
        if let Some(keys) = several.filter(|keys| keys.is_empty()) {
            self.note_lack(empty("`keys`", keys.span));
        }
        let keys: Vec<_> =
            document.key.iter().chain(several.into_iter().flat_map(|keys| &keys.value)).cloned().collect();
        if let Some(pick) = document.pick.as_ref().filter(|_| several.is_none()) {
            let problem =
                Problem::error(codes::CONTRADICTION, "`pick` chooses among several `keys`, and there are none");
            self.note_lack(problem.at(pick.span, ""));
        }
        for key in &keys {
            self.literal_secret("a key", key);
        }
        keys
    }

    pub(super) fn literal_secret(&mut self, what: &str, value: &At<Template>) {
        if !value.is_literal() {
            return;
        }
        let problem = Problem::warning(codes::LITERAL_SECRET, format!("{what} is written into the file"));
        let help = "write `\"${env:NAME}\"` or `\"${file:/path}\"`, and keep the secret out of version control";
        self.note(problem.at(value.span, "").help(help));
    }

    pub(super) fn targets(&mut self, targets: Table<TargetDoc>) {
        self.named_targets = self.names("targets").into_iter().map(str::to_owned).collect();
        for (name, document) in targets.0 {
            self.check_target(&name, &document);
            let provider = ProviderName::new(&document.provider.value);
            let inherited = || self.providers.get(&provider).and_then(|provider| provider.price);
            let target = TargetConfig {
                price: document.price.as_deref().map(price_of).or_else(inherited),
                name: name.map(TargetName::new),
                provider,
                model: document.model.map(|model| model.value),
                max_concurrent: document.max_concurrent,
                breaker: breaker_of(document.breaker),
            };
            self.targets.insert(target.name.value.clone(), target);
        }
    }

    fn check_target(&mut self, name: &At<String>, document: &TargetDoc) {
        let provider = &document.provider;
        if !self.is_provider(provider) {
            let problem = Problem::error(codes::UNDEFINED, format!("there is no provider `{}`", provider.value));
            let label = did_you_mean(provider, self.names("providers"));
            self.note(problem.at(provider.span, label));
        }
        if self.is_provider(name) {
            let problem = Problem::error(codes::DUPLICATE_NAME, format!("`{}` is a provider as well", name.value));
            self.note(
                problem.at(name.span, "").help("give the target another name, so that routes can tell them apart"),
            );
        }
    }

    pub(super) fn models(&mut self, models: Table<ModelDoc>) {
        for (name, document) in models.0 {
            if document.targets.is_empty() {
                self.note_lack(empty(&format!("the list of targets of `{}`", name.value), document.targets.span));
            }
            let targets = document.targets.value.iter().filter_map(|target| self.target(target)).collect();
            self.models.insert(name.value.clone(), ModelConfig { name, targets });
        }
    }
}

fn price_of(price: &PriceDoc) -> Price {
    Price { input: price.input.0, output: price.output.0 }
}

fn breaker_of(document: Option<BreakerDoc>) -> Breaker {
    let usual = Breaker::default();
    let Some(document) = document else { return usual };
    Breaker {
        failures: document.failures.unwrap_or(usual.failures),
        window: document.window.map_or(usual.window, |period| period.0),
        open_for: document.open_for.map_or(usual.open_for, |period| period.0),
    }
}

fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "api-key", "x-api-key", "cookie"].contains(&name.as_str()) || name.contains("token")
}
