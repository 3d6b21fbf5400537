//! Tags requests with the language they are in, and sends them to the region that goes with it.
//!
//! The language is guessed from the last message of the user, by the frequency of its letters, among the common languages
//! and those of the configuration. Short texts are guessed badly, so that below `min_confidence` the language is `unknown`
//! and the request stays where it was going.

use std::collections::BTreeMap;

use tidegate_plugin::prelude::*;
use whatlang::{Detector, Lang};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Each region, and where its requests go.
    regions: BTreeMap<String, Region>,
    /// A header that names the region outright, if it is there; it has to be granted.
    header: Option<String>,
    /// How sure to be of a language, from 0 to 1; 0.5 if not said.
    #[serde(default = "half")]
    min_confidence: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Region {
    /// Languages by their ISO 639-3 codes: `deu`, `fra`.
    languages: Vec<String>,
    /// The model that is asked for instead, which has to be granted; the caller's own if not said. A route can go by the
    /// tag as well: `request.tags.exists(t, t == "region=eu")`.
    model: Option<String>,
}

fn half() -> f64 {
    0.5
}

struct LanguageRouter {
    config: Config,
    detector: Detector,
}

impl Plugin for LanguageRouter {
    type Config = Config;

    fn about() -> About {
        about!("tags requests with their language, and sends them to the region that goes with it")
            .config::<Config>()
            .needs("request.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        let mut known = COMMON.to_vec();
        for (name, region) in &config.regions {
            for code in &region.languages {
                let unknown =
                    || Failure::Config(format!("`{code}` of `{name}` is no language; write `deu`, `fra`, `eng`"));
                known.push(Lang::from_code(code.as_str()).ok_or_else(unknown)?);
            }
        }
        Ok(Self { config, detector: Detector::with_allowlist(known) })
    }
}

/// What a text may be in besides the languages of the configuration: the fewer there are, the surer is the guess.
const COMMON: [Lang; 14] = [
    Lang::Ara,
    Lang::Cmn,
    Lang::Deu,
    Lang::Eng,
    Lang::Fra,
    Lang::Ita,
    Lang::Jpn,
    Lang::Kor,
    Lang::Nld,
    Lang::Pol,
    Lang::Por,
    Lang::Rus,
    Lang::Spa,
    Lang::Tur,
];

impl OnRequest for LanguageRouter {
    fn on_request(&self, cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        let text: Vec<_> = request.last_user().map(|text| text.to_string()).collect();
        let language = self.language_of(&text.join("\n"));
        let outcome = Outcome::pass().tag("language", language.unwrap_or("unknown"));
        let Some((name, region)) = self.named_region(cx).or_else(|| self.region_of(language?)) else {
            return Ok(outcome);
        };
        let outcome = outcome.tag("region", name);
        Ok(match &region.model {
            Some(model) => outcome.model(model.clone()),
            None => outcome,
        })
    }
}

impl LanguageRouter {
    fn language_of(&self, text: &str) -> Option<&'static str> {
        let guess = self.detector.detect(text)?;
        (guess.confidence() >= self.config.min_confidence).then(|| guess.lang().code())
    }

    fn named_region(&self, cx: &Context) -> Option<(&str, &Region)> {
        let name = self.config.header.as_ref()?;
        let header = cx.headers.iter().find(|header| header.key.eq_ignore_ascii_case(name))?;
        self.config.regions.get_key_value(&header.value).map(|(name, region)| (name.as_str(), region))
    }

    fn region_of(&self, language: &str) -> Option<(&str, &Region)> {
        let mut regions = self.config.regions.iter();
        let found = regions.find(|(_, region)| region.languages.iter().any(|code| code == language));
        found.map(|(name, region)| (name.as_str(), region))
    }
}

tidegate_plugin::export!(LanguageRouter: request);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};
    use tidegate_plugin::{Edit, Tag};

    use super::*;

    fn outcome(text: &str, region: Option<&str>) -> (Vec<Tag>, Vec<Edit>) {
        let host = Host::new();
        let regions =
            json!({ "eu": { "languages": ["deu", "fra"], "model": "chat-eu" }, "us": { "languages": ["eng"] } });
        let config = json!({ "regions": regions, "header": "x-region" });
        let plugin: LanguageRouter = host.plugin(config).unwrap();
        let mut cx = host.context();
        cx.headers.extend(region.map(|region| Tag { key: "x-region".into(), value: region.into() }));
        let outcome = plugin.on_request(&cx, &ask(text)).unwrap();
        (outcome.tags, outcome.edits)
    }

    fn tags(language: &str, region: Option<&str>) -> Vec<Tag> {
        let language = Some(Tag { key: "language".into(), value: language.into() });
        let region = region.map(|region| Tag { key: "region".into(), value: region.into() });
        language.into_iter().chain(region).collect()
    }

    #[test]
    fn german_goes_to_the_region_of_german() {
        let (found, edits) = outcome("Wie lange dauert die Lieferung der bestellten Ersatzteile normalerweise?", None);
        assert_eq!((found, edits), (tags("deu", Some("eu")), vec![Edit::SetModel("chat-eu".into())]));
    }

    #[test]
    fn a_region_without_a_model_leaves_the_callers() {
        let (found, edits) = outcome("How long does the delivery of these spare parts usually take, please?", None);
        assert_eq!((found, edits), (tags("eng", Some("us")), vec![]));
    }

    #[test]
    fn what_is_too_short_to_tell_stays_where_it_was_going() {
        let (found, edits) = outcome("12", None);
        assert_eq!((found, edits), (tags("unknown", None), vec![]));
    }

    #[test]
    fn a_header_goes_before_the_language() {
        let (found, _) = outcome("How long does the delivery of these spare parts usually take, please?", Some("eu"));
        assert_eq!(found, tags("eng", Some("eu")));
    }

    #[test]
    fn a_language_that_is_none_is_named() {
        let config = json!({ "regions": { "eu": { "languages": ["german"] } } });
        let refused = Host::new().plugin::<LanguageRouter>(config).err();
        assert!(matches!(refused, Some(Failure::Config(reason)) if reason.contains("`german` of `eu`")));
    }
}
