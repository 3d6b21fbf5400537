//! Going through single texts, and counting what there was.

use std::collections::BTreeMap;

use super::config::Where;
use super::guard::Guard;
use crate::base::json::Json;
use crate::base::stop::Refusal;
use crate::base::text::unescape;
use crate::pipeline::trail::{Remarks, counts_as_json};
use crate::steps::redact::{Action, JsonLane, Refused, Replacer, Vault};

/// What was found: how often each type, and how much in each place. Never the text.
#[derive(Debug, Default)]
pub struct Findings {
    kinds: BTreeMap<String, u64>,
    places: BTreeMap<&'static str, u64>,
    /// Images, sounds and files that nobody can look into.
    unseen: u64,
}

impl Findings {
    fn add(&mut self, place: Where, seen: &BTreeMap<String, usize>) {
        for (kind, count) in seen {
            let count = *count as u64;
            *self.kinds.entry(kind.clone()).or_default() += count;
            *self.places.entry(place.name()).or_default() += count;
        }
    }

    /// Each type, and how often.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, u64)> {
        self.kinds.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// `email: 2`, and `places: {"user":2}`.
    pub fn note(&self, remarks: &mut Remarks) {
        for (kind, count) in &self.kinds {
            remarks.note(kind.clone(), count.to_string());
        }
        if !self.places.is_empty() {
            remarks.note("places", counts_as_json(&self.places));
        }
        if self.unseen > 0 {
            remarks.note("unscanned", self.unseen.to_string());
        }
    }
}

/// Goes through texts with one guard, and puts what is found into one vault.
pub struct Scrub<'a> {
    guard: &'a Guard,
    vault: &'a mut Vault,
    findings: &'a mut Findings,
}

impl<'a> Scrub<'a> {
    pub fn new(guard: &'a Guard, vault: &'a mut Vault, findings: &'a mut Findings) -> Self {
        Self { guard, vault, findings }
    }

    pub fn guard(&self) -> &Guard {
        self.guard
    }

    /// Notes something that nobody can look into.
    pub fn unseen(&mut self) {
        self.findings.unseen += 1;
    }

    /// Another wording for a text, if it needs one. `before` is what was said just before, and counts as context.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn text(&mut self, place: Where, text: &str, before: &str) -> Result<Option<String>, Refusal> {
        if !self.guard.covers(place) || text.is_empty() {
            return Ok(None);
        }
        if is_json(text) {
            return self.json(place, text);
        }
        let rewritten = self.judge(place, |guard, judge| guard.detector().rewrite(text, before, judge))?;
        Ok(rewritten.filter(|rewritten| rewritten != text))
    }

    /// The same for a text that is JSON: its strings and numbers. A text that is not is one like any other.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn json(&mut self, place: Where, json: &str) -> Result<Option<String>, Refusal> {
        if !self.guard.covers(place) {
            return Ok(None);
        }
        // To read JSON piece by piece takes ten times as long as to look whether there is anything in it at all.
        if self.guard.detector().findings(&unescape(json), "").is_empty() {
            return Ok(None);
        }
        let is_valid = is_valid(json);
        let rewritten = self.judge(place, |guard, judge| {
            let detector = guard.detector();
            if !is_valid {
                return detector.rewrite(json, "", judge);
            }
            let (mut lane, mut out) = (JsonLane::default(), String::with_capacity(json.len()));
            lane.push(detector, json, judge, &mut out)?;
            lane.end(detector, judge, &mut out)?;
            Ok(Some(out))
        })?;
        Ok(rewritten.filter(|rewritten| rewritten != json))
    }

    /// The same for a JSON value of a dialect's own.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn value(&mut self, place: Where, value: &Json) -> Result<Option<Json>, Refusal> {
        Ok(self.json(place, &value.0)?.map(|rewritten| Json(rewritten.into())))
    }

    fn judge<T>(
        &mut self,
        place: Where,
        look: impl FnOnce(&Guard, &mut Replacer<'_, &dyn Fn(&str) -> Action>) -> Result<T, Refused>,
    ) -> Result<T, Refusal> {
        let guard = self.guard;
        let action = |kind: &str| guard.action_of(kind);
        let mut judge = Replacer::new(guard.detector(), &mut *self.vault, &action as &dyn Fn(&str) -> Action);
        let looked = look(guard, &mut judge);
        self.findings.add(place, &judge.seen);
        looked.map_err(|refused| guard.refuse(&refused, place))
    }
}

/// Whether a text is a JSON object or array as a whole, as results of tools often are.
fn is_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) && is_valid(text)
}

fn is_valid(json: &str) -> bool {
    let json = bytestring::ByteString::from(json);
    let mut reader = crate::base::json::Reader::new(&json);
    reader.skip().is_ok() && reader.end().is_ok()
}
