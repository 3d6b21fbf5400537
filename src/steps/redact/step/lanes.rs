//! One text of an answer on its way to the caller: judged first, then given its values back.

use super::config::Where;
use super::guard::Guard;
use crate::base::json::Json;
use crate::base::text::Text;
use crate::chat::Delta;
use crate::steps::redact::{JsonLane, Lane, Refused, Replacer, Vault};

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Text,
    Thinking,
    Refusal,
    Arguments,
    /// What a tool is called with that takes any text.
    Input,
    /// A JSON value of which nobody knows what it is.
    Document,
}

impl Said {
    /// The text of a delta; `None` if it is none that a model made up.
    pub fn of(delta: &mut Delta) -> Option<(Self, &mut Text)> {
        match delta {
            Delta::Text(text) => Some((Self::Text, text)),
            Delta::Thinking(text) => Some((Self::Thinking, text)),
            Delta::Refusal(text) => Some((Self::Refusal, text)),
            Delta::Arguments(text) => Some((Self::Arguments, text)),
            Delta::Signature(_) | Delta::Other(_) => None,
        }
    }

    pub fn delta(self, text: String) -> Delta {
        let text = Text::from(text);
        match self {
            Self::Text => Delta::Text(text),
            Self::Thinking => Delta::Thinking(text),
            Self::Refusal => Delta::Refusal(text),
            Self::Arguments | Self::Input => Delta::Arguments(text),
            Self::Document => Delta::Other(Json(text.as_str().as_ref().into())),
        }
    }

    pub fn place(self) -> Where {
        match self {
            Self::Text | Self::Refusal | Self::Document => Where::AnswerText,
            Self::Thinking => Where::AnswerReasoning,
            Self::Arguments | Self::Input => Where::AnswerToolCalls,
        }
    }
}

/// What a lane works with.
pub struct Tools<'a> {
    pub guard: &'a Guard,
    /// What was taken from the request.
    pub given: &'a Vault,
    /// What is taken from the answer.
    pub taken: &'a mut Vault,
    /// Told of each finding, by its type.
    pub tell: &'a mut dyn FnMut(&str, u64),
    /// How many values were given back.
    pub restored: &'a mut u64,
}

/// Where a text has got to.
pub struct Passage {
    pub said: Said,
    judged: Option<Reading>,
    restored: Option<Reading>,
}

/// A place in plain text, or in JSON.
enum Reading {
    Text(Lane),
    Json(JsonLane),
}

impl Reading {
    fn of(said: Said) -> Self {
        match said {
            Said::Arguments | Said::Document => Self::Json(JsonLane::default()),
            Said::Text | Said::Thinking | Said::Refusal | Said::Input => Self::Text(Lane::default()),
        }
    }
}

impl Passage {
    pub fn new(said: Said, tools: &Tools<'_>) -> Self {
        let judges = tools.guard.covers(said.place());
        // What a model thought may be signed, and goes back to it as it came or not at all.
        let restores = tools.guard.restorer().is_some() && !tools.given.is_empty() && said != Said::Thinking;
        Self { said, judged: judges.then(|| Reading::of(said)), restored: restores.then(|| Reading::of(said)) }
    }

    /// Takes more of the text, and gives what may leave.
    ///
    /// # Errors
    /// When something is in it that the policy refuses. Nothing that was held back leaves then.
    pub fn push(&mut self, text: &str, tools: &mut Tools<'_>) -> Result<String, Refused> {
        let judged = match &mut self.judged {
            Some(reading) => judge(tools, |guard, judge, out| match reading {
                Reading::Text(lane) => guard.detector().push(lane, text, judge, out),
                Reading::Json(lane) => lane.push(guard.detector(), text, judge, out),
            })?,
            None => text.to_owned(),
        };
        Ok(self.restore(judged, tools))
    }

    /// The text ends here: what was held back leaves.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn end(&mut self, tools: &mut Tools<'_>) -> Result<String, Refused> {
        let judged = match &mut self.judged {
            Some(reading) => judge(tools, |guard, judge, out| match reading {
                Reading::Text(lane) => guard.detector().end(lane, judge, out),
                Reading::Json(lane) => lane.end(guard.detector(), judge, out),
            })?,
            None => String::new(),
        };
        let mut out = self.restore(judged, tools);
        if let (Some(reading), Some(restorer)) = (&mut self.restored, tools.guard.restorer()) {
            *tools.restored += match reading {
                Reading::Text(lane) => restorer.end(lane, tools.given, &mut out),
                Reading::Json(lane) => lane.end_restored(restorer, tools.given, &mut out),
            };
        }
        Ok(out)
    }

    fn restore(&mut self, judged: String, tools: &mut Tools<'_>) -> String {
        let (Some(reading), Some(restorer)) = (&mut self.restored, tools.guard.restorer()) else { return judged };
        let mut out = String::with_capacity(judged.len());
        *tools.restored += match reading {
            Reading::Text(lane) => restorer.push(lane, tools.given, &judged, &mut out),
            Reading::Json(lane) => lane.push_restored(restorer, tools.given, &judged, &mut out),
        };
        out
    }
}

type Judging<'a> = Replacer<'a, &'a dyn Fn(&str) -> crate::steps::redact::Action>;

fn judge(
    tools: &mut Tools<'_>,
    look: impl FnOnce(&Guard, &mut Judging<'_>, &mut String) -> Result<(), Refused>,
) -> Result<String, Refused> {
    let guard = tools.guard;
    let action = |kind: &str| guard.action_of(kind);
    let mut judge = Replacer::new(guard.detector(), &mut *tools.taken, &action as &dyn Fn(&str) -> _).quoting();
    let mut out = String::new();
    let looked = look(guard, &mut judge, &mut out);
    for (kind, count) in &judge.seen {
        (tools.tell)(kind, *count as u64);
    }
    looked.map(|()| out)
}
