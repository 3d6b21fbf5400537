//! What a plugin has said, weighed: refusals, answers, findings and tags, each within its bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::edits::read_part;
use crate::base::ids::DialectId;
use crate::base::stop::Refusal;
use crate::chat::{Choice, Completion, Finish, FinishReason};
use crate::wasm::types::{Denial, Finding, Reply, Severity, Tag};

/// A refusal in the plugin's words.
///
/// # Errors
/// When they cannot be a refusal.
pub fn refusal(denial: Denial, plugin: &str) -> Result<Refusal, String> {
    let Denial { status, code, mut message, retry_after_ms } = denial;
    if !(400..=599).contains(&status) || !is_word(&code) {
        return Err(format!("it denies with the status {status} and a code that may not be one"));
    }
    if message.is_empty() {
        message = format!("the plugin `{plugin}` refused the request");
    }
    let end = (0..=MOST_MESSAGE.min(message.len())).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    message.truncate(end);
    let refusal = Refusal::new(status, code, message);
    Ok(match retry_after_ms {
        Some(wait) => refusal.after(Duration::from_millis(u64::from(wait))),
        None => refusal,
    })
}

/// An answer of the plugin's own.
///
/// # Errors
/// When it cannot be one.
pub fn answer(reply: Reply, id: &str, model: &str) -> Result<Completion, String> {
    let reason = match reply.finish_reason.as_str() {
        "stop" | "" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => return Err("it answers with a finish reason that is none".into()),
    };
    let parts = reply.parts.into_iter().map(read_part).collect::<Result<_, _>>()?;
    let finish = Some(Finish::new(reason, reason.name()));
    Ok(Completion {
        dialect: OWN,
        id: id.into(),
        model: model.into(),
        created: None,
        choices: vec![Choice { parts, finish, ..Choice::default() }],
        usage: None,
        extra: Default::default(),
    })
}

/// What was found, by kind, and where.
#[derive(Debug, Default)]
pub struct Found {
    pub kinds: BTreeMap<String, u64>,
    /// `email@0.1:5-9`
    pub places: Vec<String>,
}

impl Found {
    /// # Errors
    /// When a finding is not named as one may be.
    pub fn of(findings: &[Finding]) -> Result<Self, String> {
        let mut found = Self::default();
        for Finding { kind, severity, at, .. } in findings {
            if !is_word(kind) {
                return Err("it names a finding as none may be named".into());
            }
            let is_told_apart = found.kinds.len() < MOST_KINDS || found.kinds.contains_key(kind);
            let kind = if is_told_apart { kind } else { "other" };
            *found.kinds.entry(kind.to_owned()).or_default() += 1;
            if let Some(span) = at.as_ref().filter(|_| found.places.len() < MOST_PLACES) {
                let (message, part) = (span.at.message, span.at.part);
                let level = level(*severity);
                found.places.push(format!("{kind}/{level}@{message}.{part}:{}-{}", span.start, span.end));
            }
        }
        Ok(found)
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// Tags, as they may be.
///
/// # Errors
/// When one may not.
pub fn tags(tags: Vec<Tag>) -> Result<Vec<(String, String)>, String> {
    let is_plain = |value: &str| value.len() <= 64 && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if tags.len() > MOST_TAGS || !tags.iter().all(|tag| is_word(&tag.key) && is_plain(&tag.value)) {
        return Err("it sets a tag as none may be, or too many".into());
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Whether something is a name for programs.
fn is_word(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    (1..=64).contains(&word.len()) && word.bytes().all(is_plain)
}

/// What a plugin says is in no provider's words, so every dialect writes it in full.
const OWN: DialectId = DialectId("plugin");
/// Bytes of a refusal's message.
const MOST_MESSAGE: usize = 1_000;
/// Kinds of findings of one call that are told apart.
const MOST_KINDS: usize = 32;
const MOST_PLACES: usize = 16;
const MOST_TAGS: usize = 16;
