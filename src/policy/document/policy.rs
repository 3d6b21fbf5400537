//! A policy: whom it is for, what its steps do, where requests go.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RouteDoc;
use crate::base::stop::FaultClass;
use crate::pipeline::facts::Endpoint;
use crate::policy::decode::{At, OneOrMany};
use crate::steps::StepConfig;

/// A policy file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tidegate policy file")]
pub struct PolicyDoc {
    /// The policy's name.
    pub policy: At<String>,
    /// Which requests the policy is for; all of them if not said.
    #[serde(default, rename = "for")]
    pub selector: Option<SelectorDoc>,
    /// A condition in CEL that must hold as well.
    pub when: Option<At<String>>,
    #[serde(default)]
    pub mode: Mode,
    /// What is done to requests and answers, in this order; answers pass through in reverse.
    #[serde(default)]
    pub steps: Vec<At<StepConfig>>,
    /// Where requests go.
    pub route: Option<RouteDoc>,
}

/// Which requests a policy is for. Of the values of one field, any may match; of the fields, all must.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectorDoc {
    pub team: Option<At<OneOrMany<At<String>>>>,
    pub user: Option<At<OneOrMany<At<String>>>>,
    pub key: Option<At<OneOrMany<At<String>>>>,
    pub tags: Option<At<OneOrMany<At<String>>>>,
    /// Models as callers name them; `*` stands for any characters.
    pub models: Option<At<OneOrMany<At<String>>>>,
    pub endpoints: Option<At<OneOrMany<Endpoint>>>,
    pub dialects: Option<At<OneOrMany<At<String>>>>,
}

/// Whether the steps act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Enforce,
    /// Every step decides and reports, none acts.
    Observe,
}

/// A class of fault after which another attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultDoc {
    /// No connection could be made.
    Connect,
    /// The target stayed silent too long.
    Timeout,
    /// The target asked for fewer requests.
    RateLimited,
    /// The target failed of itself.
    ServerError,
    /// The answer broke off before anything of it was sent on.
    CutBeforeFirstToken,
    /// The prompt does not fit the model.
    ContextTooLong,
    /// The provider's own filter refused.
    ContentFiltered,
    /// The provider does not accept the gateway's key.
    Credential,
    /// The reply was not what its dialect promises.
    Garbled,
}

impl FaultDoc {
    pub fn class(self) -> FaultClass {
        match self {
            Self::Connect => FaultClass::Connect,
            Self::Timeout => FaultClass::Timeout,
            Self::RateLimited => FaultClass::RateLimited,
            Self::ServerError => FaultClass::ServerError,
            Self::CutBeforeFirstToken => FaultClass::CutBeforeFirstToken,
            Self::ContextTooLong => FaultClass::ContextTooLong,
            Self::ContentFiltered => FaultClass::ContentFiltered,
            Self::Credential => FaultClass::Credential,
            Self::Garbled => FaultClass::Garbled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_written_as_its_class_is_named() {
        for class in
            [FaultClass::Connect, FaultClass::CutBeforeFirstToken, FaultClass::Garbled, FaultClass::RateLimited]
        {
            let named: FaultDoc = serde_json::from_value(class.name().into()).unwrap();
            assert_eq!(named.class(), class);
        }
    }
}
