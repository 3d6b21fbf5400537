//! What an argument must be like.

use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_plugin::json::Value;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// It is one of these values.
    one_of: Option<Vec<Value>>,
    /// It is a text that matches this regular expression.
    matches: Option<String>,
    /// It is a number, and no less.
    at_least: Option<f64>,
    /// It is a number, and no more.
    at_most: Option<f64>,
    /// Whether it may be left out.
    #[serde(default)]
    optional: bool,
}

pub struct Rule {
    one_of: Option<Vec<Value>>,
    matches: Option<Regex>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    optional: bool,
}

impl Rule {
    /// # Errors
    /// What is wrong with the rule.
    pub fn new(config: RuleConfig) -> Result<Self, String> {
        let RuleConfig { one_of, matches, at_least, at_most, optional } = config;
        let matches = matches.map(|pattern| Regex::new(&pattern)).transpose();
        let matches = matches.map_err(|error| format!("`matches` is no regular expression: {error}"))?;
        Ok(Self { one_of, matches, at_least, at_most, optional })
    }

    pub fn allows(&self, argument: Option<&Value>) -> bool {
        let Some(argument) = argument else { return self.optional };
        let is_listed = self.one_of.as_ref().is_none_or(|values| values.contains(argument));
        let is_matched =
            self.matches.as_ref().is_none_or(|regex| argument.as_str().is_some_and(|text| regex.is_match(text)));
        let is_within = |bound: Option<f64>, holds: fn(f64, f64) -> bool| {
            bound.is_none_or(|bound| argument.as_f64().is_some_and(|number| holds(number, bound)))
        };
        is_listed
            && is_matched
            && is_within(self.at_least, |number, bound| number >= bound)
            && is_within(self.at_most, |number, bound| number <= bound)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;

    use super::*;

    fn allows(rule: Value, argument: Value) -> bool {
        Rule::new(tidegate_plugin::json::from_value(rule).unwrap()).unwrap().allows(Some(&argument))
    }

    #[test]
    fn a_bound_is_for_numbers_and_a_pattern_for_texts() {
        assert!(allows(json!({ "at_least": 1 }), json!(1)));
        assert!(!allows(json!({ "at_least": 1 }), json!("5")));
        assert!(!allows(json!({ "matches": "5" }), json!(5)));
        assert!(!allows(json!({ "one_of": ["a"] }), json!("b")));
    }

    #[test]
    fn an_argument_is_there_unless_it_is_optional() {
        assert!(!Rule::new(RuleConfig::default()).unwrap().allows(None));
        assert!(Rule::new(RuleConfig { optional: true, ..RuleConfig::default() }).unwrap().allows(None));
    }
}
