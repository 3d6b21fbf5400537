//! A `redact` step's settings, checked and compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{Config, Sought, Unscannable, Where};
use super::document;
use super::language::{Code, Languages};
use super::own::Term;
use crate::base::stop::Refusal;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::run::Mode;
use crate::steps::redact::kind::PROFILES;
use crate::steps::redact::{Action, Custom, Detector, List, Problem, Refused, Restorer, Settings, kinds, lately};

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
    languages: Option<Languages>,
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
            languages: config.languages.clone(),
            mode: Mode::Enforce,
        };
        guard.actions = guard.exceptions(&config.actions)?;
        guard.actions.extend(config.topics.iter().filter_map(|(name, topic)| Some((name.to_string(), topic.action?))));
        if let Some(languages) = &config.languages {
            guard.actions.insert(LANGUAGE.into(), languages.action.action());
        }
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
        // Guesses change nothing unless somebody wants that.
        let guesses =
            kinds::all().filter(|kind| kind.is_heuristic()).map(|kind| (kind.name.to_owned(), Action::Report));
        let mut actions: BTreeMap<_, _> = guesses.collect();
        let mut chosen = BTreeMap::new();
        let is_profile = |sought: &Sought| members(sought.name()).is_some();
        let (profiles, types): (Vec<_>, Vec<_>) = written.iter().partition(|(sought, _)| is_profile(sought));
        for (sought, action) in profiles {
            for name in members(sought.name()).unwrap_or_default() {
                actions.insert(name.to_owned(), *action);
                let before = chosen.insert(name, *action);
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

    /// The language of a user's text, if the policy has a word on it and it seems to be none that it allows.
    pub fn foreign(&self, place: Where, text: &str) -> Option<Code> {
        self.languages.as_ref().filter(|_| place == Where::User)?.foreign(text)
    }

    /// Refuses a language.
    pub fn refuse_language(&self, language: Code) -> Refusal {
        let allowed = self.languages.iter().flat_map(|languages| &languages.allow).map(|code| code.name());
        let (policy, allowed, language) = (&self.policy, allowed.collect::<Vec<_>>().join(", "), language.name());
        let message = format!(
            "the policy `{policy}` takes texts of users in {allowed}; one of them seems to be in `{language}`, which is a guess"
        );
        Refusal::new(403, REFUSED, message)
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
        if !config.custom.keys().any(|name| name.as_str() == sought) {
            return Err(format!("`custom:{sought}` is looked for, and there is no `{sought}` under `custom`"));
        }
    }
    if let Some(unused) = config.custom.keys().find(|name| !named(name.as_str())) {
        return Err(format!("`{unused}` is defined and not looked for; add `custom:{unused}` to `find`"));
    }
    if config.find.iter().any(|sought| sought.name() == DENY) && config.deny.is_empty() {
        return Err("`deny` is looked for, and there are no words under `deny`".into());
    }
    let custom = config.custom.iter().map(|(name, custom)| Custom {
        name: name.to_string(),
        regex: custom.regex.to_string(),
        check: custom.check.as_ref().map(ToString::to_string),
        near: custom.near.clone(),
    });
    let built_in = config.find.iter().filter(|sought| sought.custom().is_none() && sought.name() != DENY);
    let find: Vec<String> = built_in.map(|sought| sought.name().to_owned()).collect();
    let find = if config.find.is_empty() && config.topics.is_empty() { vec!["default".into()] } else { find };
    let deny = (!config.deny.is_empty()).then(|| List { name: DENY.into(), terms: Arc::new(words_of(&config.deny)) });
    let mut lists: Vec<List> = deny.into_iter().collect();
    for (name, topic) in &config.topics {
        lists.push(List { name: name.to_string(), terms: Arc::new(topic.terms(name.as_str())?) });
    }
    if config.languages.as_ref().is_some_and(|languages| languages.allow.is_empty()) {
        return Err("`languages` allows none, so nobody could write anything".into());
    }
    let confidence = config.confidence.map(|share| share.0.round().clamp(0.0, 255.0) as u8);
    Ok(Settings { find, custom: custom.collect(), lists, allow: words_of(&config.allow), confidence })
}

fn words_of(terms: &[Term]) -> Vec<String> {
    terms.iter().map(ToString::to_string).collect()
}

/// The types of a profile; `None` if it is none.
fn members(profile: &str) -> Option<Vec<&'static str>> {
    if profile == "all" {
        return Some(kinds::all().filter(|kind| !kind.is_heuristic()).map(|kind| kind.name).collect());
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
/// The type of texts in a language that the policy does not allow.
pub const LANGUAGE: &str = "language_heuristic";
const REFUSED: &str = "guard_refused";
const UNSCANNABLE: &str = "guard_unscannable";

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(yaml: serde_json::Value) -> Result<Guard, String> {
        Guard::new(&serde_json::from_value(yaml).map_err(|error| error.to_string())?, "p")
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
    fn a_guess_is_reported_unless_its_own_action_says_otherwise() {
        let find = ["injection_heuristic", "email"];
        let by_default = guard(serde_json::json!({ "find": find, "action": "refuse" })).unwrap();
        assert_eq!(
            (by_default.action_of("injection_override"), by_default.action_of("email")),
            (Action::Report, Action::Refuse)
        );
        let own = serde_json::json!({ "find": find, "actions": { "injection_heuristic": "refuse", "injection_markup": "replace" } });
        let own = guard(own).unwrap();
        assert_eq!(
            (own.action_of("injection_override"), own.action_of("injection_markup")),
            (Action::Refuse, Action::Replace)
        );
        assert!(
            !guard(serde_json::json!({ "find": ["all"] }))
                .unwrap()
                .detector()
                .names()
                .any(|name| name.starts_with("injection"))
        );
    }

    #[test]
    fn a_topic_has_an_action_of_its_own_and_is_all_that_is_looked_for() {
        let topics = serde_json::json!({ "arms": { "words": ["gun"], "action": "refuse" }, "rivals": ["Acme"] });
        let guard = guard(serde_json::json!({ "topics": topics, "action": "mask" })).unwrap();
        assert_eq!((guard.action_of("arms"), guard.action_of("rivals")), (Action::Refuse, Action::Mask));
        assert_eq!(guard.detector().names().collect::<Vec<_>>(), ["arms", "rivals"]);
    }

    #[test]
    fn what_contradicts_itself_does_not_load() {
        for settings in [
            serde_json::json!({ "restore": true, "where": ["answer"] }),
            serde_json::json!({ "restore": true, "action": "mask" }),
            serde_json::json!({ "find": ["deny"] }),
            serde_json::json!({ "deny": [" "] }),
            serde_json::json!({ "topics": { "email": ["x"] } }),
            serde_json::json!({ "topics": { "two words": ["x"] } }),
            serde_json::json!({ "languages": { "allow": [] } }),
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
