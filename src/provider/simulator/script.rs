//! What goes wrong and how slowly, as a policy or a model's name asks for it.
//!
//! A provider's `simulate` holds for all its models; a model whose name begins with `sim-` asks for
//! itself, and wins.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::base::duration;

/// How a simulated provider behaves.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// How long it waits before an answer begins: `20ms`.
    #[serde(deserialize_with = "written")]
    #[schemars(with = "String")]
    pub latency: Duration,
    /// How long each token takes: `5ms`. An answer that is not streamed waits for all of them.
    #[serde(deserialize_with = "written")]
    #[schemars(with = "String")]
    pub token_delay: Duration,
    /// What goes wrong.
    pub fail: Option<Trouble>,
    /// The error status it answers with, instead of `fail`.
    #[serde(deserialize_with = "error_status")]
    #[schemars(range(min = 400, max = 599))]
    pub status: Option<u16>,
    /// Goes wrong only at each n-th request, beginning with the first.
    pub every: Option<NonZeroU32>,
    /// What `retry-after` says beside an error status: `2s`.
    #[serde(deserialize_with = "maybe_written")]
    #[schemars(with = "Option<String>")]
    pub retry_after: Option<Duration>,
    /// The text of its answers, instead of one about the question.
    pub say: Option<String>,
}

/// What can go wrong. Each is also a model: `error_in_stream` is `sim-error-in-stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// No connection can be made.
    Unreachable,
    /// The request is taken, and nothing ever comes back.
    Silent,
    /// The headers come, and nothing else ever.
    Stall,
    /// The connection breaks in the middle of the answer.
    Cut,
    /// The answer ends in the middle as if that were its end.
    CutClean,
    /// The answer ends before its first token as if that were its end.
    CutEarly,
    /// The answer is not what its dialect promises.
    Garbled,
    /// The stream says in the middle that an error has happened.
    ErrorInStream,
    /// The prompt is longer than the model can read.
    Context,
    /// The provider's content filter refuses the prompt.
    Filter,
    /// An error status. Written as `status`, or as a model like `sim-429`.
    #[serde(skip)]
    Status(u16),
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fate {
    pub(super) latency: Duration,
    pub(super) token_delay: Duration,
    pub(super) trouble: Option<Trouble>,
}

const ERRORS: RangeInclusive<u16> = 400..=599;
/// How long `sim-slow` waits.
const SLOW: Duration = Duration::from_secs(5);

/// The models that ask for something other than a plain answer.
pub(super) const MODELS: [&str; 16] = [
    "sim-slow",
    "sim-flaky",
    "sim-unreachable",
    "sim-silent",
    "sim-stall",
    "sim-cut",
    "sim-cut-clean",
    "sim-cut-early",
    "sim-garbled",
    "sim-error-in-stream",
    "sim-context",
    "sim-filter",
    "sim-401",
    "sim-429",
    "sim-500",
    "sim-503",
];

impl Script {
    /// What happens to the `nth` request (counted from 0) to `model`.
    pub(super) fn fate(&self, model: &str, nth: u64) -> Fate {
        let asked = model.rsplit('/').next().and_then(|name| name.strip_prefix("sim-")).unwrap_or_default();
        let own = self.status.map(Trouble::Status).or(self.fail);
        let due = nth.is_multiple_of(u64::from(self.every.map_or(1, NonZeroU32::get)));
        let flaky = asked == "flaky" && nth.is_multiple_of(2);
        let trouble = Trouble::named(asked).or(flaky.then_some(Trouble::Status(503))).or(own.filter(|_| due));
        let latency = if asked == "slow" { SLOW } else { self.latency };
        Fate { latency, token_delay: self.token_delay, trouble }
    }
}

impl Trouble {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "unreachable" => Self::Unreachable,
            "silent" => Self::Silent,
            "stall" => Self::Stall,
            "cut" => Self::Cut,
            "cut-clean" => Self::CutClean,
            "cut-early" => Self::CutEarly,
            "garbled" => Self::Garbled,
            "error-in-stream" => Self::ErrorInStream,
            "context" => Self::Context,
            "filter" => Self::Filter,
            status => Self::Status(status.parse().ok().filter(|status| ERRORS.contains(status))?),
        })
    }
}

fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn maybe_written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| duration::parse(&text).map_err(serde::de::Error::custom)).transpose()
}

fn error_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let status = Option::<u16>::deserialize(deserializer)?;
    match status {
        Some(status) if !ERRORS.contains(&status) => {
            Err(serde::de::Error::custom(format!("`{status}` is not an error status; use one from 400 to 599")))
        }
        status => Ok(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(yaml: &str) -> Result<Script, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_script_is_read_as_it_is_written() {
        let script = script("{ latency: 20ms, token_delay: 5ms, fail: cut_early, every: 3, retry_after: 2s }").unwrap();
        assert_eq!((script.latency, script.token_delay), (Duration::from_millis(20), Duration::from_millis(5)));
        assert_eq!((script.fail, script.every), (Some(Trouble::CutEarly), NonZeroU32::new(3)));
        assert_eq!(script.retry_after, Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_script_with_an_unknown_word_or_a_bare_number_is_refused() {
        assert!(script("{ latenzy: 20ms }").is_err() && script("{ fail: explode }").is_err());
        assert!(script("{ every: 0 }").is_err());
        assert!(script("{ status: 200 }").unwrap_err().contains("from 400 to 599"));
        assert!(script("{ latency: 20 }").unwrap_err().contains("20s"));
    }

    #[test]
    fn each_trouble_is_a_model_too() {
        for model in MODELS {
            let fate = Script::default().fate(model, 0);
            assert!(fate.trouble.is_some() || fate.latency == SLOW, "{model}");
        }
        assert_eq!(Script::default().fate("house/sim-429", 0).trouble, Some(Trouble::Status(429)));
        assert_eq!(Script::default().fate("sim-200", 0).trouble, None);
        assert_eq!(Script::default().fate("gpt-4.1", 0).trouble, None);
    }

    #[test]
    fn what_fails_every_third_time_begins_with_the_first() {
        let script = script("{ status: 500, every: 3 }").unwrap();
        let failed = (0..6).map(|nth| script.fate("m", nth).trouble.is_some());
        assert_eq!(failed.collect::<Vec<_>>(), [true, false, false, true, false, false]);
    }
}
