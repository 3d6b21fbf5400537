//! How much to think: `thinking`, `output_config.effort`, and what else of a request hangs on it.
//!
//! Read: `enabled` with its budget is [`Reasoning::enabled`] and [`Reasoning::budget`]; `disabled` is
//! `Some(false)`; `adaptive` leaves it to the model.
//!
//! Written for another dialect's request: a budget is `enabled`; switched on without one is `adaptive`;
//! switched off, or the effort `none`, is `disabled`. An effort alone is only `output_config.effort`,
//! `minimal` being sent as `low`: which models think adaptively we do not know. Anthropic forbids some
//! things while a model thinks by budget or adaptively; those that shape the answer win over thinking
//! (a forced tool, the limit of tokens), those that merely colour it give way (temperature and the like).

use super::mark::{ADAPTIVE, UNBUDGETED};
use super::member::{Cx, Members, object, remainder};
use crate::base::json::{Json, Kind, Number, Result};
use crate::base::text::Text;
use crate::chat::{Content, Message, Part, Reasoning, Request, Role, ToolChoice};
use crate::dialect::Quirks;

/// The least budget Anthropic takes.
const LEAST_BUDGET: u64 = 1024;

/// Reads a `thinking` object into `reasoning`; gives back what more there is to it, and a mark.
pub(super) fn read(raw: &Json, reasoning: &mut Reasoning) -> Result<(Option<Json>, u32)> {
    let kind = raw.reader().glimpse("type");
    reasoning.enabled = match kind.as_deref() {
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        _ => None,
    };
    let is_adaptive = kind.as_deref() == Some("adaptive");
    let rest = remainder(raw, |key, found, reader| match key {
        "type" => Ok(reasoning.enabled.is_some() || is_adaptive),
        "budget_tokens" if found == Kind::Number && reasoning.enabled == Some(true) => {
            reasoning.budget = Some(reader.number()?);
            Ok(true)
        }
        _ => Ok(false),
    })?;
    let mark = match reasoning {
        _ if is_adaptive => ADAPTIVE,
        Reasoning { enabled: Some(true), budget: None, .. } => UNBUDGETED,
        _ => 0,
    };
    Ok((rest, mark))
}

/// What is written about thinking and what hangs on it.
pub(super) struct Settled {
    pub mode: Mode,
    pub effort: Option<Text>,
    pub max_tokens: Option<Number>,
    pub temperature: Option<Number>,
    pub top_p: Option<Number>,
    pub top_k: Option<Number>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    Unsaid,
    Disabled,
    Adaptive,
    Unbudgeted,
    Budget(Number),
}

/// A request of Anthropic's own: what it says.
pub(super) fn own(request: &Request) -> Settled {
    let params = &request.params;
    let reasoning = params.reasoning.clone().unwrap_or_default();
    let mode = match plain_mode(&reasoning) {
        Mode::Unsaid if request.extra.has_mark(ADAPTIVE) => Mode::Adaptive,
        Mode::Adaptive if request.extra.has_mark(UNBUDGETED) => Mode::Unbudgeted,
        mode => mode,
    };
    Settled {
        mode,
        effort: reasoning.effort,
        max_tokens: params.max_tokens.clone(),
        temperature: params.temperature.clone(),
        top_p: params.top_p.clone(),
        top_k: params.top_k.clone(),
    }
}

fn plain_mode(reasoning: &Reasoning) -> Mode {
    match (reasoning.enabled, &reasoning.budget) {
        (Some(false), _) => Mode::Disabled,
        (_, Some(budget)) => Mode::Budget(budget.clone()),
        (Some(true), None) => Mode::Adaptive,
        (None, None) => Mode::Unsaid,
    }
}

/// A request of another dialect: what Anthropic takes of it.
pub(super) fn foreign(request: &Request, quirks: &Quirks, cx: &mut Cx<'_>) -> Settled {
    let params = &request.params;
    let reasoning = params.reasoning.clone().unwrap_or_default();
    let is_off = reasoning.effort.as_ref().is_some_and(|effort| *effort == "none");
    let mut settled = Settled {
        mode: if is_off { Mode::Disabled } else { plain_mode(&reasoning) },
        effort: effort(&reasoning, cx),
        max_tokens: params.max_tokens.clone(),
        temperature: params.temperature.as_ref().map(|wanted| at_most_one(wanted, cx)),
        // 1 says nothing, and newer models refuse it beside a temperature.
        top_p: params.top_p.clone().filter(|top_p| top_p.as_f64() < 1.0),
        top_k: params.top_k.clone(),
    };
    settled.yield_to_tools(request, cx);
    settled.fit_budget(quirks, cx);
    settled.drop_sampling(cx);
    let limit = settled.max_tokens.take();
    settled.max_tokens = Some(limit.unwrap_or_else(|| Number::from(u64::from(quirks.default_max_tokens))));
    settled
}

fn effort(reasoning: &Reasoning, cx: &mut Cx<'_>) -> Option<Text> {
    let effort = reasoning.effort.clone()?;
    match &*effort.as_str() {
        "none" => None,
        "minimal" => {
            cx.add(format_args!("reasoning_effort"), "`minimal` is sent as `low`");
            Some(Text::from("low"))
        }
        _ => Some(effort.clone()),
    }
}

fn at_most_one(wanted: &Number, cx: &mut Cx<'_>) -> Number {
    if wanted.as_f64() <= 1.0 {
        return wanted.clone();
    }
    cx.add(format_args!("temperature"), "1 is the highest");
    Number::from(1)
}

impl Settled {
    fn thinks(&self) -> bool {
        matches!(self.mode, Mode::Adaptive | Mode::Budget(_))
    }

    fn give_up(&mut self, why: &'static str, cx: &mut Cx<'_>) {
        self.mode = Mode::Unsaid;
        cx.add(format_args!("thinking"), why);
    }

    /// Anthropic does not think where a tool is forced, nor go on by budget with a turn of tools that it
    /// did not begin with (signed) thinking.
    fn yield_to_tools(&mut self, request: &Request, cx: &mut Cx<'_>) {
        let is_forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
        if self.thinks() && is_forced {
            self.give_up("left out: a tool is forced", cx);
        }
        if matches!(self.mode, Mode::Budget(_)) && is_amid_unsigned_tools(request) {
            self.give_up("left out: the turn of tool calls it would go on with has no signed thinking", cx);
        }
    }

    /// The budget is part of the limit of tokens and must be less. The caller's limit holds.
    fn fit_budget(&mut self, quirks: &Quirks, cx: &mut Cx<'_>) {
        let Mode::Budget(budget) = &self.mode else { return };
        let mut wanted = budget.as_u64().unwrap_or(u64::MAX);
        if wanted < LEAST_BUDGET {
            cx.add(format_args!("thinking.budget"), "1024 is the lowest");
            wanted = LEAST_BUDGET;
        }
        let Some(limit) = self.max_tokens.as_ref().map(|limit| limit.as_u64().unwrap_or(0)) else {
            let limit = wanted.saturating_add(u64::from(quirks.default_max_tokens));
            self.max_tokens = Some(Number::from(limit));
            self.mode = Mode::Budget(Number::from(wanted));
            return;
        };
        if limit <= LEAST_BUDGET {
            return self.give_up("left out: the limit of tokens leaves no room for it", cx);
        }
        if wanted >= limit {
            cx.add(format_args!("thinking.budget"), "lowered to fit the limit of tokens");
            wanted = limit - 1;
        }
        self.mode = Mode::Budget(Number::from(wanted));
    }

    fn drop_sampling(&mut self, cx: &mut Cx<'_>) {
        if !self.thinks() {
            return;
        }
        if self.temperature.take().is_some_and(|temperature| temperature.as_f64() < 1.0) {
            cx.left_out(format_args!("temperature"));
        }
        if self.top_k.take().is_some() {
            cx.left_out(format_args!("top_k"));
        }
        if self.top_p.as_ref().is_some_and(|top_p| top_p.as_f64() < 0.95) {
            self.top_p = None;
            cx.left_out(format_args!("top_p"));
        }
    }

    /// Writes `thinking`, `rest` being what more was said there.
    pub fn write_thinking(&self, rest: Option<&Json>, members: &mut Members<'_>) {
        if self.mode == Mode::Unsaid && rest.is_none() {
            return;
        }
        object(members.key("thinking"), |members| {
            match &self.mode {
                Mode::Unsaid => {}
                Mode::Disabled => members.str("type", "disabled"),
                Mode::Adaptive => members.str("type", "adaptive"),
                Mode::Unbudgeted => members.str("type", "enabled"),
                Mode::Budget(budget) => {
                    members.str("type", "enabled");
                    members.key("budget_tokens").number(budget);
                }
            }
            if let Some(rest) = rest {
                members.rest_of(rest);
            }
        });
    }
}

/// True if the conversation stands in the middle of a turn of tool calls without signed thinking.
fn is_amid_unsigned_tools(request: &Request) -> bool {
    let is_result = |message: &&Message| {
        message.role == Role::Tool || message.parts.iter().any(|part| matches!(part.content, Content::ToolResult(_)))
    };
    let mut turns = request.messages.iter().rev().filter(|message| !message.role.instructs()).peekable();
    if !turns.peek().is_some_and(is_result) {
        return false;
    }
    let is_signed = |part: &Part| matches!(&part.content, Content::Thinking(thinking) if thinking.signature.is_some() || thinking.sealed.is_some());
    turns.find(|message| !is_result(message)).is_some_and(|calls| !calls.parts.iter().any(is_signed))
}
