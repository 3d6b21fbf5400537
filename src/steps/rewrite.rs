//! Changes what a request asks for before it goes out: sets or caps parameters, adds a system prompt,
//! names another model.
//!
//! A request that already is as the policy wants it is not touched, and keeps its very bytes. Parameters
//! are the canonical ones, so a rule holds whatever dialect the caller speaks.

use std::collections::BTreeMap;

use futures_core::future::BoxFuture;
use serde_json::Value;

use crate::base::json::Number;
use crate::base::stop::Stop;
use crate::base::text::Text;
use crate::chat::{Message, Params, Part, Reasoning, Request, Role, Verbatim};
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::step::Deed;
use crate::pipeline::{Flow, OpaqueFlow, Step};

/// The settings of a `rewrite` step.
#[derive(Debug, Clone, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Parameters to set, whatever the caller said: `{ temperature: 0 }`.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Parameters to set only where the caller said nothing.
    #[serde(default)]
    pub default: BTreeMap<String, Value>,
    /// Upper bounds for numeric parameters: `{ max_tokens: 4096 }`. A parameter the caller left out is set
    /// to its bound, since the provider's own choice may be above it.
    #[serde(default)]
    pub cap: BTreeMap<String, f64>,
    /// A system prompt put before the caller's own.
    #[serde(default)]
    pub system: Option<String>,
    /// The model to ask for instead of the one the caller named.
    #[serde(default)]
    pub model: Option<String>,
}

/// The step, its settings checked.
pub struct Rewrite {
    set: Vec<(Param, Value)>,
    default: Vec<(Param, Value)>,
    cap: Vec<(Param, f64)>,
    system: Option<String>,
    model: Option<String>,
}

impl Rewrite {
    /// # Errors
    /// When a parameter is unknown or a value does not suit it.
    pub fn new(config: &Config) -> Result<Self, String> {
        let checked = |settings: &BTreeMap<String, Value>| -> Result<Vec<_>, String> {
            settings.iter().map(|(name, value)| Param::named(name)?.check(value)).collect()
        };
        let caps = config.cap.iter().map(|(name, cap)| Param::named(name)?.check_cap(*cap));
        let step = Self {
            set: checked(&config.set)?,
            default: checked(&config.default)?,
            cap: caps.collect::<Result<_, _>>()?,
            system: config.system.clone(),
            model: config.model.clone(),
        };
        let is_idle = step.set.is_empty() && step.default.is_empty() && step.cap.is_empty();
        if is_idle && step.system.is_none() && step.model.is_none() {
            return Err("it changes nothing; give it one of: set, default, cap, system, model".into());
        }
        Ok(step)
    }

    fn apply(&self, request: &mut Verbatim<Request>) {
        if let Some(model) = &self.model
            && request.model != model.as_str()
        {
            request.edit_text(|request| &mut request.model, model.as_str());
        }
        for (param, value) in &self.set {
            if !param.is(&request.params, value) {
                param.set(&mut request.edit().params, value);
            }
        }
        for (param, value) in &self.default {
            if !param.is_given(&request.params) {
                param.set(&mut request.edit().params, value);
            }
        }
        for (param, cap) in &self.cap {
            if param.number(&request.params).is_none_or(|number| number.as_f64() > *cap) {
                let value = if cap.fract() == 0.0 { Value::from(*cap as u64) } else { Value::from(*cap) };
                param.set(&mut request.edit().params, &value);
            }
        }
        if let Some(system) = &self.system {
            let message = Message::new(Role::System, vec![Part::text(system.as_str())]);
            request.edit().messages.insert(0, message);
        }
    }
}

impl Step for Rewrite {
    fn name(&self) -> &'static str {
        "rewrite"
    }

    /// A count is of what the caller wrote, and nothing is rewritten for it.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::Chat | Endpoint::CountTokens)
    }

    fn deeds(&self) -> Vec<Deed> {
        let says = |(param, _): &(Param, Value)| matches!(param, Param::Stop | Param::User);
        let adds = self.system.is_some() || self.set.iter().chain(&self.default).any(says);
        if adds { vec![Deed::Adds] } else { Vec::new() }
    }

    fn begin_opaque<'a>(
        &'a self,
        _cx: &'a mut Cx,
        _request: &'a mut OpaqueRequest,
    ) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        Box::pin(async { Ok(OpaqueFlow::Pass) })
    }

    fn begin<'a>(&'a self, _cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        self.apply(request);
        Box::pin(async { Ok(Flow::Pass) })
    }
}

/// Sets a parameter, or takes it away if the value is null.
///
/// # Errors
/// When there is no such parameter, or the value does not suit it.
pub fn set_param(params: &mut Params, name: &str, value: &Value) -> Result<(), String> {
    let param = Param::named(name)?;
    if value.is_null() {
        param.clear(params);
        return Ok(());
    }
    let (param, value) = param.check(value)?;
    param.set(params, &value);
    Ok(())
}

/// A parameter a policy may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Param {
    MaxTokens,
    Temperature,
    TopP,
    TopK,
    Seed,
    N,
    PresencePenalty,
    FrequencyPenalty,
    TopLogprobs,
    Logprobs,
    ParallelToolCalls,
    Stop,
    User,
    ReasoningEffort,
}

/// The parameters by the names policies use: OpenAI's, which are the widest known.
const PARAMS: [(&str, Param); 14] = [
    ("max_tokens", Param::MaxTokens),
    ("temperature", Param::Temperature),
    ("top_p", Param::TopP),
    ("top_k", Param::TopK),
    ("seed", Param::Seed),
    ("n", Param::N),
    ("presence_penalty", Param::PresencePenalty),
    ("frequency_penalty", Param::FrequencyPenalty),
    ("top_logprobs", Param::TopLogprobs),
    ("logprobs", Param::Logprobs),
    ("parallel_tool_calls", Param::ParallelToolCalls),
    ("stop", Param::Stop),
    ("user", Param::User),
    ("reasoning_effort", Param::ReasoningEffort),
];

impl Param {
    fn named(name: &str) -> Result<Self, String> {
        let known = || PARAMS.map(|(name, _)| name).join(", ");
        PARAMS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, param)| *param)
            .ok_or_else(|| format!("`{name}` is not a parameter; parameters are: {}", known()))
    }

    fn name(self) -> &'static str {
        PARAMS.iter().find(|(_, param)| *param == self).map_or("", |(name, _)| name)
    }

    fn check(self, value: &Value) -> Result<(Self, Value), String> {
        let (suits, wanted) = match self {
            Self::MaxTokens | Self::TopK | Self::N | Self::TopLogprobs => (value.is_u64(), "a whole number"),
            Self::Seed => (value.is_u64() || value.is_i64(), "a whole number"),
            Self::Temperature | Self::TopP | Self::PresencePenalty | Self::FrequencyPenalty => {
                (value.is_number(), "a number")
            }
            Self::Logprobs | Self::ParallelToolCalls => (value.is_boolean(), "true or false"),
            Self::User | Self::ReasoningEffort => (value.is_string(), "a string"),
            Self::Stop => (texts(value).is_some(), "a string or a list of strings"),
        };
        if suits { Ok((self, value.clone())) } else { Err(format!("`{}` must be {wanted}", self.name())) }
    }

    fn check_cap(self, cap: f64) -> Result<(Self, f64), String> {
        if !matches!(self, Self::MaxTokens | Self::Temperature | Self::TopP | Self::TopK | Self::N | Self::TopLogprobs)
        {
            return Err(format!("`{}` cannot be capped", self.name()));
        }
        let whole = matches!(self, Self::MaxTokens | Self::TopK | Self::N | Self::TopLogprobs);
        if !cap.is_finite() || cap < 0.0 || (whole && cap.fract() != 0.0) {
            return Err(format!("`{cap}` is no cap for `{}`", self.name()));
        }
        Ok((self, cap))
    }

    fn number(self, params: &Params) -> Option<&Number> {
        match self {
            Self::MaxTokens => params.max_tokens.as_ref(),
            Self::Temperature => params.temperature.as_ref(),
            Self::TopP => params.top_p.as_ref(),
            Self::TopK => params.top_k.as_ref(),
            Self::Seed => params.seed.as_ref(),
            Self::N => params.n.as_ref(),
            Self::PresencePenalty => params.presence_penalty.as_ref(),
            Self::FrequencyPenalty => params.frequency_penalty.as_ref(),
            Self::TopLogprobs => params.top_logprobs.as_ref(),
            Self::Logprobs | Self::ParallelToolCalls | Self::Stop | Self::User | Self::ReasoningEffort => None,
        }
    }

    fn is_given(self, params: &Params) -> bool {
        match self {
            Self::Logprobs => params.logprobs.is_some(),
            Self::ParallelToolCalls => params.parallel_tools.is_some(),
            Self::Stop => !params.stop.is_empty(),
            Self::User => params.user.is_some(),
            Self::ReasoningEffort => params.reasoning.as_ref().is_some_and(|reasoning| reasoning.effort.is_some()),
            _ => self.number(params).is_some(),
        }
    }

    /// Whether the request already says this.
    fn is(self, params: &Params, value: &Value) -> bool {
        match self {
            Self::Logprobs => params.logprobs == value.as_bool(),
            Self::ParallelToolCalls => params.parallel_tools == value.as_bool(),
            Self::Stop => texts(value).is_some_and(|stops| stops == params.stop),
            Self::User => params.user.as_ref().map(Text::as_str).as_deref() == value.as_str(),
            Self::ReasoningEffort => {
                let effort = params.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_ref());
                effort.map(Text::as_str).as_deref() == value.as_str()
            }
            _ => self.number(params).map(Number::as_f64) == value.as_f64(),
        }
    }

    fn clear(self, params: &mut Params) {
        match self {
            Self::Stop => params.stop.clear(),
            Self::ReasoningEffort => {
                if let Some(reasoning) = &mut params.reasoning {
                    reasoning.effort = None;
                }
            }
            // A value of another type is no value.
            _ => self.set(params, &Value::Null),
        }
    }

    fn set(self, params: &mut Params, value: &Value) {
        let number = || value.as_u64().map(Number::from).or_else(|| value.as_f64().map(Number::from));
        match self {
            Self::MaxTokens => params.max_tokens = number(),
            Self::Temperature => params.temperature = number(),
            Self::TopP => params.top_p = number(),
            Self::TopK => params.top_k = number(),
            Self::Seed => params.seed = number(),
            Self::N => params.n = number(),
            Self::PresencePenalty => params.presence_penalty = number(),
            Self::FrequencyPenalty => params.frequency_penalty = number(),
            Self::TopLogprobs => params.top_logprobs = number(),
            Self::Logprobs => params.logprobs = value.as_bool(),
            Self::ParallelToolCalls => params.parallel_tools = value.as_bool(),
            Self::Stop => params.stop = texts(value).unwrap_or_default(),
            Self::User => params.user = value.as_str().map(Text::from),
            Self::ReasoningEffort => {
                params.reasoning.get_or_insert_with(Reasoning::default).effort = value.as_str().map(Text::from);
            }
        }
    }
}

/// One string or a list of them.
fn texts(value: &Value) -> Option<Vec<Text>> {
    match value {
        Value::String(text) => Some(vec![Text::from(text.as_str())]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(Text::from)).collect(),
        _ => None,
    }
}
