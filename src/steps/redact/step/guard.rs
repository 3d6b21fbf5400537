//! A `redact` step's settings, checked and compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{Config, Sought, Unscannable, Where};
use super::document;
use crate::base::stop::Refusal;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::run::Mode;
use crate::steps::redact::kind::PROFILES;
use crate::steps::redact::{Action, Custom, Detector, Problem, Refused, Restorer, Settings, kinds, lately};

/// What is looked for, where, and what becomes of it.
pub struct Guard {
    policy: String,
    detector: Arc<Detector>,
    restorer: Option<Arc<Restorer>>,
    places: Vec<Where>,
    action: Action,
    /// By the name of a type.
    actions: BTreeMap<String, Action>,
    unscannable: Option<Unscannable>,
    mode: Mode,
}

impl Guard {
    /// # Errors
    /// What is wrong with the settings, for the person who wrote them.
    pub fn new(config: &Config, policy: &str) -> Result<Self, String> {
        let detector = lately::detector(&settings(config)?).map_err(|problem| told(&problem))?;
        let places = if config.places.is_empty() { vec![Where::Request, Where::Answer] } else { config.places.clone() };
        let mut guard = Self {
            policy: policy.to_owned(),
            detector,
            restorer: None,
            places,
            action: config.action,
            actions: BTreeMap::new(),
            unscannable: config.unscannable,
            mode: Mode::Enforce,
        };
        guard.actions = guard.exceptions(&config.actions)?;
        if config.restore {
            guard.restorer = Some(guard.compile_restorer()?);
        }
        Ok(guard)
    }

    /// The same in a policy of this mode.
    #[must_use]
    pub fn within(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Profiles first, so that a type named by itself has the last word.
    fn exceptions(&self, written: &BTreeMap<Sought, Action>) -> Result<BTreeMap<String, Action>, String> {
        let mut actions = BTreeMap::new();
        let is_profile = |sought: &Sought| members(sought.name()).is_some();
        let (profiles, types): (Vec<_>, Vec<_>) = written.iter().partition(|(sought, _)| is_profile(sought));
        for (sought, action) in profiles {
            for name in members(sought.name()).unwrap_or_default() {
                let before = actions.insert(name.to_owned(), *action);
                if before.is_some_and(|before| before != *action) {
                    return Err(format!("two profiles have different actions for `{name}`; give it one of its own"));
                }
            }
        }
        for (sought, action) in types {
            if !self.detector.names().any(|name| name == sought.name()) {
                return Err(format!("`{}` has an action, and is not looked for; add it to `find`", sought.name()));
            }
            actions.insert(sought.name().to_owned(), *action);
        }
        Ok(actions)
    }

    fn compile_restorer(&self) -> Result<Arc<Restorer>, String> {
        if !self.is_on_requests() {
            return Err("`restore` gives back what was replaced in a request, and `where` names none of it".into());
        }
        if !self.detector.names().any(|name| self.action_of(name) == Action::Replace) {
            return Err(
                "`restore` gives back what was replaced, and nothing is: no type has the action `replace`".into()
            );
        }
        lately::restorer(&self.detector).map_err(|problem| told(&problem))
    }

    pub fn policy(&self) -> &str {
        &self.policy
    }

    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    pub fn restorer(&self) -> Option<&Restorer> {
        self.restorer.as_deref()
    }

    pub fn unscannable(&self) -> Option<Unscannable> {
        self.unscannable
    }

    /// What becomes of a finding of this type.
    pub fn action_of(&self, kind: &str) -> Action {
        self.actions.get(kind).copied().unwrap_or(self.action)
    }

    /// What has become of a finding of this type: of what is only observed, nothing.
    pub fn done_about(&self, kind: &str) -> Action {
        if self.mode == Mode::Observe { Action::Report } else { self.action_of(kind) }
    }

    /// Whether something may be taken out of texts, or stops them.
    pub fn hides(&self) -> bool {
        self.detector.names().any(|name| self.action_of(name) != Action::Report)
    }

    pub fn covers(&self, place: Where) -> bool {
        self.places.iter().any(|covered| covered.covers(place))
    }

    pub fn is_on_requests(&self) -> bool {
        self.places.iter().any(|place| place.is_of_request())
    }

    pub fn is_on_answers(&self) -> bool {
        self.places.iter().any(|place| !place.is_of_request())
    }

    /// Whether all requests of this kind can be read, and answers to them as far as it looks at any.
    pub fn reads(&self, endpoint: Endpoint) -> bool {
        let is_chat = matches!(endpoint, Endpoint::Chat | Endpoint::CountTokens);
        is_chat || document::of(endpoint).is_some_and(|shape| shape.is_certain)
    }

    /// The most bytes of each text of a streamed answer that are kept back, as the machines read them.
    pub fn holds_back(&self) -> Option<usize> {
        let sought = self.is_on_answers().then(|| self.detector.hold_back());
        let given = self.restorer().map(Restorer::hold_back);
        sought.into_iter().chain(given).reduce(usize::saturating_add)
    }

    pub fn refuse(&self, refused: &Refused, place: Where) -> Refusal {
        let (policy, kind, place) = (&self.policy, &refused.kind, place.name());
        Refusal::new(403, REFUSED, format!("the policy `{policy}` refuses what holds `{kind}`, found in `{place}`"))
    }

    /// Refuses what nobody can look into.
    pub fn refuse_unseen(&self, what: &str) -> Refusal {
        let policy = &self.policy;
        let message =
            format!("the policy `{policy}` lets nothing pass that it cannot read, and it cannot read `{what}`");
        Refusal::new(403, UNSCANNABLE, message)
    }
}

fn settings(config: &Config) -> Result<Settings, String> {
    let named = |name: &str| config.find.iter().any(|sought| sought.custom() == Some(name));
    for sought in config.find.iter().filter_map(Sought::custom) {
        if !config.custom.contains_key(sought) {
            return Err(format!("`custom:{sought}` is looked for, and there is no `{sought}` under `custom`"));
        }
    }
    if let Some(unused) = config.custom.keys().find(|name| !named(name)) {
        return Err(format!("`{unused}` is defined and not looked for; add `custom:{unused}` to `find`"));
    }
    if config.find.iter().any(|sought| sought.name() == DENY) && config.deny.is_empty() {
        return Err("`deny` is looked for, and there are no words under `deny`".into());
    }
    if config.deny.iter().chain(&config.allow).any(|word| word.trim().is_empty()) {
        return Err("an empty word is in every text, or in none; take it out of `deny` and `allow`".into());
    }
    let custom = config.custom.iter().map(|(name, custom)| Custom {
        name: name.clone(),
        regex: custom.regex.clone(),
        check: custom.check.clone(),
        near: custom.near.clone(),
    });
    let built_in = config.find.iter().filter(|sought| sought.custom().is_none() && sought.name() != DENY);
    let find: Vec<String> = built_in.map(|sought| sought.name().to_owned()).collect();
    let find = if config.find.is_empty() { vec!["default".into()] } else { find };
    let confidence = config.confidence.map(|share| share.0.round().clamp(0.0, 255.0) as u8);
    Ok(Settings { find, custom: custom.collect(), deny: config.deny.clone(), allow: config.allow.clone(), confidence })
}

/// The types of a profile; `None` if it is none.
fn members(profile: &str) -> Option<Vec<&'static str>> {
    if profile == "all" {
        return Some(kinds::all().map(|kind| kind.name).collect());
    }
    let (_, profile) = PROFILES.iter().find(|(name, _)| *name == profile)?;
    Some(kinds::all().filter(|kind| kind.profiles.contains(profile)).map(|kind| kind.name).collect())
}

fn told(problem: &Problem) -> String {
    match problem.help() {
        Some(help) => format!("{problem}; {help}"),
        None => problem.to_string(),
    }
}

/// The type of words that are always found.
const DENY: &str = "deny";
const REFUSED: &str = "guard_refused";
const UNSCANNABLE: &str = "guard_unscannable";

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(yaml: serde_json::Value) -> Result<Guard, String> {
        Guard::new(&serde_json::from_value(yaml).unwrap(), "p")
    }

    #[test]
    fn a_type_named_by_itself_has_the_last_word_over_its_profile() {
        let actions = serde_json::json!({ "find": ["pci"], "actions": { "pci": "refuse", "card": "mask" } });
        let guard = guard(actions).unwrap();
        assert_eq!((guard.action_of("card"), guard.action_of("iban")), (Action::Mask, Action::Refuse));
        assert_eq!(guard.action_of("email"), Action::Replace);
    }

    #[test]
    fn only_the_types_of_the_policy_are_looked_for_where_it_names_no_others() {
        let own = serde_json::json!({ "find": ["custom:staff"], "custom": { "staff": { "regex": "S-[0-9]{4}" } } });
        assert_eq!(guard(own).unwrap().detector().names().collect::<Vec<_>>(), ["staff"]);
        let words = guard(serde_json::json!({ "deny": ["nightjar"] })).unwrap();
        assert!(words.detector().names().any(|name| name == "email"));
    }

    #[test]
    fn what_contradicts_itself_does_not_load() {
        for settings in [
            serde_json::json!({ "restore": true, "where": ["answer"] }),
            serde_json::json!({ "restore": true, "action": "mask" }),
            serde_json::json!({ "find": ["deny"] }),
            serde_json::json!({ "deny": [" "] }),
            serde_json::json!({ "find": ["custom:staff"] }),
            serde_json::json!({ "find": ["email"], "actions": { "card": "mask" } }),
        ] {
            assert!(guard(settings.clone()).is_err(), "{settings}");
        }
    }

    #[test]
    fn an_endpoint_whose_requests_may_be_anything_is_none_of_its_own() {
        let guard = guard(serde_json::json!({ "find": ["email"] })).unwrap();
        assert!([Endpoint::Completions, Endpoint::Responses, Endpoint::Embeddings].iter().all(|it| guard.reads(*it)));
        assert!([Endpoint::Images, Endpoint::Audio, Endpoint::Other].iter().all(|it| !guard.reads(*it)));
    }
}
