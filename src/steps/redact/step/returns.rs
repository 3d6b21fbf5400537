//! What an answer is gone through with, and answers that are there as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::Where;
use super::guard::Guard;
use super::lanes::{Passage, Said, Tools};
use super::scrub::{Findings, Scrub, left, pieces};
use super::tally::Tally;
use crate::base::aside::{Aside, Wanted};
use crate::base::json::Json;
use crate::base::stop::Refusal;
use crate::chat::{Choice, Completion, Content, Edits, Extra, Part};
use crate::pipeline::remarks::Counts;
use crate::steps::redact::{Refused, Vault};

/// What an answer is gone through with.
pub struct Returns {
    pub guard: Arc<Guard>,
    /// What was taken from the request.
    pub given: Vault,
    /// What is taken from the answer.
    pub taken: Vault,
    /// Where it is noted what was found in the answer, and how many values were given back.
    pub counts: Arc<Counts>,
    pub tally: Arc<Tally>,
    /// Where long texts are gone through.
    pub aside: Aside,
    /// Whether the answer spells out its tokens beside its text.
    pub has_logprobs: bool,
}

impl Returns {
    fn tally(&self, kinds: &BTreeMap<String, u64>) {
        let kinds = || kinds.iter().map(|(kind, count)| (kind.as_str(), *count));
        self.tally.count(kinds(), |kind| self.guard.done_about(kind));
        for (kind, count) in kinds() {
            self.counts.add(kind, count);
        }
    }

    /// Works on a text, and notes what there was.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn with<T>(
        &mut self,
        place: Where,
        work: impl FnOnce(&mut Tools<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refusal> {
        let (mut seen, mut restored) = (BTreeMap::new(), 0);
        let mut tell = |kind: &str, count: u64| *seen.entry(kind.to_owned()).or_default() += count;
        let worked = work(&mut Tools {
            guard: &self.guard,
            given: &self.given,
            taken: &mut self.taken,
            tell: &mut tell,
            restored: &mut restored,
        });
        if restored > 0 {
            self.counts.add(RESTORED, restored);
        }
        if !seen.is_empty() {
            self.tally(&seen);
        }
        worked.map_err(|refused| self.guard.refuse(&refused, place))
    }

    /// A text that is there as a whole, while `wanted` holds.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn whole(&mut self, said: Said, text: &str, wanted: &Wanted) -> Result<String, Refusal> {
        let mut passage = self.with(said.place(), |tools| Ok(Passage::new(said, tools)))?;
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            if !wanted.holds() {
                return Err(left());
            }
            out.push_str(&self.with(said.place(), |tools| passage.push(piece, tools))?);
        }
        out.push_str(&self.with(said.place(), |tools| passage.end(tools))?);
        Ok(out)
    }

    /// What only its own dialect knows is gone through as the JSON it is, while `wanted` holds.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn value(&mut self, json: &mut Json, edits: &mut Edits, wanted: &Wanted) -> Result<(), Refusal> {
        let mut findings = Findings::default();
        let guard = Arc::clone(&self.guard);
        let gone = Scrub::new(&guard, &mut self.taken, &mut findings, wanted).value(Where::AnswerText, json);
        self.tally(&findings.kinds().map(|(kind, count)| (kind.to_owned(), count)).collect());
        if let Some(new) = gone? {
            *json = new;
            edits.rewrite();
        }
        Ok(())
    }

    fn extra(&mut self, extra: &mut Extra, edits: &mut Edits, wanted: &Wanted) -> Result<(), Refusal> {
        let is_changed = extra.change(|value| {
            let mut new = value.clone();
            self.value(&mut new, &mut Edits::default(), wanted)?;
            Ok::<_, Refusal>((new != *value).then_some(new))
        })?;
        if is_changed {
            edits.rewrite();
        }
        Ok(())
    }

    /// Goes through an answer that is there as a whole, while `wanted` holds.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn completion(
        &mut self,
        completion: &mut Completion,
        edits: &mut Edits,
        wanted: &Wanted,
    ) -> Result<(), Refusal> {
        for choice in &mut completion.choices {
            self.choice(choice, edits, wanted)?;
        }
        self.extra(&mut completion.extra, edits, wanted)
    }

    fn choice(&mut self, choice: &mut Choice, edits: &mut Edits, wanted: &Wanted) -> Result<(), Refusal> {
        for part in &mut choice.parts {
            self.part(part, edits, wanted)?;
        }
        // They spell out what may have been taken away.
        if self.guard.covers(Where::AnswerText) && choice.logprobs.take().is_some() {
            edits.rewrite();
        }
        self.extra(&mut choice.extra, edits, wanted)
    }

    fn part(&mut self, part: &mut Part, edits: &mut Edits, wanted: &Wanted) -> Result<(), Refusal> {
        let (said, text) = match &mut part.content {
            Content::Text(text) => (Said::Text, text),
            Content::Refusal(text) => (Said::Refusal, text),
            Content::Thinking(thinking) => (Said::Thinking, &mut thinking.text),
            Content::ToolCall(call) => (Said::Arguments, &mut call.arguments),
            Content::Other(other) => {
                self.value(&mut other.json, edits, wanted)?;
                return self.extra(&mut part.extra, edits, wanted);
            }
            _ => return self.extra(&mut part.extra, edits, wanted),
        };
        let old = text.as_str();
        let new = self.whole(said, &old, wanted)?;
        if new != old {
            edits.set(text, new);
        }
        self.extra(&mut part.extra, edits, wanted)
    }
}

/// What values that were given back are counted under, beside the types of what was found.
const RESTORED: &str = "restored";
