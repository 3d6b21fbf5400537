//! Streamed answers: verdicts, and what is held.

use crate::{Delta, Denial, Failure, Finding, Piece, StreamOutcome, StreamVerdict};

impl StreamOutcome {
    /// Lets the batch go, and all that was held.
    pub fn pass() -> Self {
        Self::new(StreamVerdict::Pass)
    }

    /// Keeps the batch; a later verdict is about it as well.
    pub fn hold() -> Self {
        Self::new(StreamVerdict::Hold)
    }

    /// Sends these texts instead.
    pub fn replace(with: Vec<Delta>) -> Self {
        Self::new(StreamVerdict::Replace(with))
    }

    /// Ends the answer with an error.
    pub fn stop(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StreamVerdict::Stop(Denial::new(status, code, message)))
    }

    fn new(verdict: StreamVerdict) -> Self {
        Self { verdict, findings: Vec::new() }
    }

    /// Reports something that was noticed.
    pub fn finding(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }
}

impl Delta {
    /// The text that it goes on with, arguments of a tool call included.
    pub fn text(&self) -> Option<&str> {
        match &self.piece {
            Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) | Piece::ToolArguments(text) => Some(text),
            Piece::ToolCall(_) | Piece::End => None,
        }
    }
}

/// What has come of an answer and not been let go, so that a plugin sees whole texts however the stream was cut.
///
/// ```
/// use tidegate_plugin::prelude::*;
/// use tidegate_plugin::Held;
///
/// /// Says `colour` for `color`.
/// #[derive(Default)]
/// struct British(Held);
///
/// impl Session for British {
///     fn push(&mut self, batch: Vec<Delta>) -> Result<StreamOutcome, Failure> {
///         self.0.add(batch);
///         // The rest of the word may be in the next batch.
///         let may_go_on = |text: &str| (1.."color".len()).any(|cut| text.ends_with(&"color"[..cut]));
///         if self.0.texts().any(|text| may_go_on(&text.text)) {
///             return Ok(StreamOutcome::hold());
///         }
///         self.finish(None)
///     }
///
///     fn finish(&mut self, _: Option<Usage>) -> Result<StreamOutcome, Failure> {
///         self.0.rewrite(|text| Ok(text.contains("color").then(|| text.replace("color", "colour"))))
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct Held {
    deltas: Vec<Delta>,
}

/// What is held of the text of one part.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldText {
    pub choice: u32,
    pub part: u32,
    pub text: String,
    /// Whether the part is complete.
    pub ended: bool,
}

impl Held {
    /// A batch that was pushed.
    pub fn add(&mut self, batch: Vec<Delta>) {
        self.deltas.extend(batch);
    }

    /// The texts of the answer that are held, each part's in one. What a model thinks and the arguments of tool calls are
    /// not among them.
    pub fn texts(&self) -> impl Iterator<Item = HeldText> {
        let mut held: Vec<HeldText> = Vec::new();
        for delta in &self.deltas {
            let known = held.iter_mut().find(|text| (text.choice, text.part) == (delta.choice, delta.part));
            match (&delta.piece, known) {
                (Piece::Text(text), Some(known)) => known.text.push_str(text),
                (Piece::Text(text), None) => {
                    let (choice, part, text) = (delta.choice, delta.part, text.clone());
                    held.push(HeldText { choice, part, text, ended: false });
                }
                (Piece::End, Some(known)) => known.ended = true,
                _ => {}
            }
        }
        held.into_iter()
    }

    /// Lets all of it go, with each text as `rewrite` has it; `None` leaves it as it is.
    ///
    /// # Errors
    /// Those of `rewrite`.
    pub fn rewrite(
        &mut self,
        mut rewrite: impl FnMut(&str) -> Result<Option<String>, Failure>,
    ) -> Result<StreamOutcome, Failure> {
        let mut rewritten = Vec::new();
        for held in self.texts() {
            if let Some(text) = rewrite(&held.text)? {
                rewritten.push(HeldText { text, ..held });
            }
        }
        let deltas = std::mem::take(&mut self.deltas);
        if rewritten.is_empty() {
            return Ok(StreamOutcome::pass());
        }
        Ok(StreamOutcome::replace(put_in(deltas, rewritten)))
    }

    /// Lets all of it go as it is.
    pub fn pass(&mut self) -> StreamOutcome {
        self.deltas.clear();
        StreamOutcome::pass()
    }
}

/// Each new text stands where the first piece of the old one stood.
fn put_in(deltas: Vec<Delta>, mut texts: Vec<HeldText>) -> Vec<Delta> {
    let parts: Vec<_> = texts.iter().map(|text| (text.choice, text.part)).collect();
    let put = |mut delta: Delta| {
        if !matches!(delta.piece, Piece::Text(_)) || !parts.contains(&(delta.choice, delta.part)) {
            return Some(delta);
        }
        let new = texts.iter().position(|text| (text.choice, text.part) == (delta.choice, delta.part))?;
        delta.piece = Piece::Text(texts.swap_remove(new).text);
        Some(delta)
    };
    deltas.into_iter().filter_map(put).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(part: u32, piece: Piece) -> Delta {
        Delta { choice: 0, part, piece }
    }

    #[test]
    fn each_part_is_rewritten_as_one_text() {
        let mut held = Held::default();
        held.add(vec![delta(0, Piece::Text("a".into())), delta(1, Piece::Thinking("a".into()))]);
        held.add(vec![delta(0, Piece::Text("b".into())), delta(0, Piece::End), delta(2, Piece::Text("a".into()))]);
        let texts: Vec<_> = held.texts().map(|held| (held.part, held.text, held.ended)).collect();
        assert_eq!(texts, [(0, "ab".into(), true), (2, "a".into(), false)]);
        let outcome = held.rewrite(|text| Ok((text == "ab").then(|| "c".into()))).unwrap();
        let expected = vec![
            delta(0, Piece::Text("c".into())),
            delta(1, Piece::Thinking("a".into())),
            delta(0, Piece::End),
            delta(2, Piece::Text("a".into())),
        ];
        assert_eq!(outcome.verdict, StreamVerdict::Replace(expected));
        assert_eq!(held.texts().count(), 0);
    }

    #[test]
    fn what_is_not_changed_passes_as_it_came() {
        let mut held = Held::default();
        held.add(vec![delta(0, Piece::Text("a".into()))]);
        assert_eq!(held.rewrite(|_| Ok(None)), Ok(StreamOutcome::pass()));
    }
}
