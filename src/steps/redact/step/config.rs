//! The settings of a `redact` step, as a policy file writes them.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::language::Languages;
use super::own::{CheckName, Expression, Name, Term};
use super::topic::Topic;
use crate::base::units::Share;
use crate::steps::redact::Action;
use crate::steps::redact::kind::PROFILES;
use crate::steps::redact::kinds;

/// The settings of a `redact` step.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What to look for: types (`email`), profiles (`pii`, `pci`, `secrets`, `eu`, `us`, `default`,
    /// `injection_heuristic`), `all` types of data, and types of the policy's own (`custom:employee_id`). The profile `default` if nothing is named.
    #[serde(default)]
    pub find: Vec<Sought>,
    /// Where to look. All of requests and answers if not said.
    #[serde(default, rename = "where")]
    pub places: Vec<Where>,
    /// What becomes of a finding. Types of the profile `injection_heuristic` are reported all the same, unless `actions`
    /// says otherwise.
    #[serde(default)]
    pub action: Action,
    /// What becomes of findings of some types instead: `{ card: mask, secrets: refuse }`.
    #[serde(default)]
    pub actions: BTreeMap<Sought, Action>,
    /// Give callers back, in the answer, what was replaced in their request.
    #[serde(default)]
    pub restore: bool,
    /// Types of the policy's own, by name.
    #[serde(default)]
    pub custom: BTreeMap<Name, CustomConfig>,
    /// Words and phrases that are always found, whole and in any case; their type is `deny`.
    #[serde(default)]
    pub deny: Vec<Term>,
    /// Lists of words and phrases by name, found as `deny` is: `{ weapons: [rifle, "hand grenade"] }`, or with a file of
    /// them and an action of their own. Where there are topics and `find` names nothing, nothing else is looked for.
    #[serde(default)]
    pub topics: BTreeMap<Name, Topic>,
    /// In which languages users may write, as far as that can be guessed.
    pub languages: Option<Languages>,
    /// Values that are never found, in any case.
    #[serde(default)]
    pub allow: Vec<Term>,
    /// How sure a finding must be; 50% if not said.
    pub confidence: Option<Share>,
    /// What becomes of what cannot be read: images, sound, files, and endpoints whose bodies are not looked into.
    /// Refused if not said, where a policy is for them at all.
    pub unscannable: Option<Unscannable>,
    /// What conversations are told apart by, so that a value has one placeholder throughout: `session`, or what a
    /// `limit` may count by. Each request stands for itself if not said.
    pub session: Option<String>,
}

impl Config {
    /// Relative paths start from `folder`.
    pub fn place(&mut self, folder: &Path) {
        self.topics.values_mut().for_each(|topic| topic.place(folder));
    }

    /// The files that it is made with.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.topics.values().filter_map(|topic| topic.file.as_deref())
    }
}

/// A type of the policy's own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomConfig {
    /// Of bounded length: `EMP-[0-9]{6}`, never `EMP-[0-9]+`.
    pub regex: Expression,
    /// A checksum that a match must pass: `luhn`, `mod97`, `verhoeff` …
    pub check: Option<CheckName>,
    /// Words of which one must stand within five words before a match.
    #[serde(default)]
    pub near: Vec<String>,
}

/// What becomes of what cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unscannable {
    Refuse,
    Pass,
}

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename = "Place", rename_all = "snake_case")]
pub enum Where {
    /// All of the request.
    Request,
    /// Instructions to the model.
    System,
    User,
    /// What the model said in earlier turns.
    Assistant,
    /// Definitions of tools.
    Tools,
    /// Arguments of tools that were called in earlier turns.
    ToolCalls,
    ToolResults,
    /// Whatever else goes upstream: names, stop sequences, schemas of answers, fields of the dialect's own.
    Metadata,
    /// All of the answer.
    Answer,
    AnswerText,
    AnswerReasoning,
    /// Arguments of tools that the answer calls.
    AnswerToolCalls,
}

impl Where {
    const OF_REQUESTS: [Self; 7] =
        [Self::System, Self::User, Self::Assistant, Self::Tools, Self::ToolCalls, Self::ToolResults, Self::Metadata];

    /// Whether the place is this one or within it.
    pub fn covers(self, place: Self) -> bool {
        self == place
            || match self {
                Self::Request => place.is_of_request(),
                Self::Answer => !place.is_of_request(),
                _ => false,
            }
    }

    pub fn is_of_request(self) -> bool {
        self == Self::Request || Self::OF_REQUESTS.contains(&self)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tools => "tools",
            Self::ToolCalls => "tool_calls",
            Self::ToolResults => "tool_results",
            Self::Metadata => "metadata",
            Self::Answer => "answer",
            Self::AnswerText => "answer_text",
            Self::AnswerReasoning => "answer_reasoning",
            Self::AnswerToolCalls => "answer_tool_calls",
        }
    }
}

/// The name of a type, of a profile, or of a type of the policy's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Sought(String);

impl Sought {
    /// The name of a type of the policy's own.
    pub fn custom(&self) -> Option<&str> {
        self.0.strip_prefix(CUSTOM)
    }

    /// The name as the detector has it.
    pub fn name(&self) -> &str {
        match self.0.as_str() {
            "secret" => "secrets",
            name => name.strip_prefix(CUSTOM).unwrap_or(name),
        }
    }
}

impl TryFrom<String> for Sought {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let profiles = PROFILES.iter().map(|(name, _)| *name);
        let known: Vec<&str> =
            profiles.chain(["all", "secret", "deny"]).chain(kinds::all().map(|kind| kind.name)).collect();
        if name.starts_with(CUSTOM) || known.contains(&name.as_str()) {
            return Ok(Self(name));
        }
        let alike = known.iter().map(|known| (strsim::damerau_levenshtein(known, &name), *known)).min();
        let meant = match alike {
            Some((distance, known)) if distance <= 2.max(name.len() / 3) => format!("; did you mean `{known}`?"),
            _ => format!("; profiles are: {}", PROFILES.map(|(name, _)| name).join(", ")),
        };
        Err(format!("`{name}` is no type of finding and no profile{meant}"))
    }
}

const CUSTOM: &str = "custom:";
