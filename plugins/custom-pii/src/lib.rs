//! Finds a house's own personal data in requests (numbers of employees, customers, contracts) and hides it.
//!
//! Each kind is a regular expression, and may have a checksum, so that not every number of the right length is one. It
//! looks at requests; what a model makes up in its answer is not looked at.

use std::collections::BTreeMap;

use regex_lite::Regex;
use tidegate_plugin::prelude::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Each kind of data, by a name of lower-case letters, digits and dashes.
    kinds: BTreeMap<String, KindConfig>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KindConfig {
    /// A regular expression; its first group, if it has one, is what is hidden.
    pattern: String,
    #[serde(default)]
    checksum: Checksum,
    #[serde(default)]
    action: Action,
    /// What stands in its place; `[KIND]` if not said.
    with: Option<String>,
}

/// What makes a number valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Checksum {
    #[default]
    None,
    /// Cards and many customer numbers.
    Luhn,
    /// ISO 7064 mod 97-10: letters count from 10, and the whole leaves 1.
    Mod97,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    #[default]
    Replace,
    /// The request is refused.
    Deny,
    /// It is only reported.
    Report,
}

struct CustomPii {
    kinds: Vec<Kind>,
}

struct Kind {
    name: String,
    regex: Regex,
    checksum: Checksum,
    action: Action,
    with: String,
}

impl Plugin for CustomPii {
    type Config = Config;

    fn about() -> About {
        about!("finds a house's own personal data in requests, and hides it").config::<Config>().needs("request.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        let kind = |(name, kind): (String, KindConfig)| {
            let wrong = |error| Failure::Config(format!("the pattern of `{name}` is no regular expression: {error}"));
            let regex = Regex::new(&kind.pattern).map_err(wrong)?;
            let with = kind.with.unwrap_or_else(|| format!("[{}]", name.to_uppercase()));
            Ok(Kind { name, regex, checksum: kind.checksum, action: kind.action, with })
        };
        Ok(Self { kinds: config.kinds.into_iter().map(kind).collect::<Result<_, Failure>>()? })
    }
}

impl OnRequest for CustomPii {
    fn on_request(&self, _cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::pass();
        for text in request.texts() {
            // What was hidden already of this text: kinds may overlap, and the first has it.
            let mut hidden: Vec<std::ops::Range<usize>> = Vec::new();
            for kind in &self.kinds {
                for range in kind.found_in(&text) {
                    if hidden.iter().any(|taken| taken.start < range.end && range.start < taken.end) {
                        continue;
                    }
                    let span = text.span(range.clone());
                    if kind.action == Action::Deny {
                        let denied = Outcome::deny(403, "personal_data", format!("this may not hold: {}", kind.name));
                        return Ok(denied.finding(kind.finding(span)));
                    }
                    outcome = outcome.finding(kind.finding(span));
                    if kind.action == Action::Replace {
                        outcome = outcome.replace(span, kind.with.clone());
                        hidden.push(range);
                    }
                }
            }
        }
        Ok(outcome)
    }
}

impl Kind {
    fn found_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        let found = self.regex.captures_iter(text).filter_map(|groups| groups.get(1).or_else(|| groups.get(0)));
        found.filter(|found| !found.is_empty() && self.checksum.holds(found.as_str())).map(|found| found.range())
    }

    fn finding(&self, at: Span) -> Finding {
        Finding::new(format!("pii.{}", self.name), Severity::Medium).at(at)
    }
}

impl Checksum {
    fn holds(self, number: &str) -> bool {
        match self {
            Self::None => true,
            Self::Luhn => luhn(number),
            Self::Mod97 => mod97(number),
        }
    }
}

fn luhn(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    let weighed = digits.iter().rev().enumerate().map(|(at, digit)| match at % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    });
    digits.len() > 1 && weighed.sum::<u32>() % 10 == 0
}

fn mod97(number: &str) -> bool {
    let values = number.chars().filter_map(|c| c.to_digit(36));
    values.fold(0, |rest, value| if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }) == 1
}

tidegate_plugin::export!(CustomPii: request);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};
    use tidegate_plugin::{Edit, Place};

    use super::*;

    fn outcome(kinds: tidegate_plugin::json::Value, text: &str) -> Outcome {
        let host = Host::new();
        let plugin: CustomPii = host.plugin(json!({ "kinds": kinds })).unwrap();
        plugin.on_request(&host.context(), &ask(text)).unwrap()
    }

    #[test]
    fn only_the_group_of_a_pattern_is_hidden() {
        let outcome = outcome(json!({ "employee": { "pattern": r"staff (\d{4})" } }), "ask staff 1234");
        let at = Place { message: 0, part: 0 };
        assert_eq!(outcome.edits, [Edit::Replace((Span { at, start: 10, end: 14 }, "[EMPLOYEE]".into()))]);
    }

    #[test]
    fn a_number_that_fails_its_checksum_is_none() {
        let kinds = json!({ "customer": { "pattern": r"\d{16}", "checksum": "luhn", "action": "deny" } });
        assert_eq!(outcome(kinds.clone(), "4111111111111112"), Outcome::pass());
        assert_eq!(outcome(kinds, "4111111111111111").denied_with(), Some("personal_data"));
    }

    #[test]
    fn letters_count_from_ten_in_mod_97() {
        assert!(mod97("3214282912345698765432161182"));
        assert!(mod97("C98") == (1298 % 97 == 1));
        assert!(!mod97("3214282912345698765432161183"));
    }

    #[test]
    fn what_two_kinds_claim_is_hidden_once() {
        let kinds = json!({ "a": { "pattern": "[0-9]{4}" }, "b": { "pattern": "34[0-9]{2}" } });
        assert_eq!(outcome(kinds, "1234 3456").edits.len(), 2);
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let refused = Host::new().plugin::<CustomPii>(json!({ "kinds": { "a": { "pattern": "(" } } })).err();
        assert!(matches!(refused, Some(Failure::Config(reason)) if reason.contains("`a`")));
    }
}
