//! A response hook: it sees an answer once it is whole.

use futures_util::{StreamExt as _, stream};

use super::{Follow, Frames};
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Completion, Event, Events, Frame, Lane};
use crate::pipeline::gathered::Gathered;
use crate::pipeline::{Burst, Head};
use crate::steps::plugin::book::Outcome;
use crate::steps::plugin::config::Mode;
use crate::steps::plugin::edits::{Wordings, apply_to_answer, reword_answer};
use crate::steps::plugin::lanes;
use crate::steps::plugin::verdict::{self, Found};
use crate::steps::plugin::view::{self, Origin, Sight};
use crate::wasm::types::{self, Verdict};
use crate::wasm::{Hook, Trouble};

/// An answer that is there as a whole.
struct Whole {
    bursts: Vec<Burst>,
    completion: Completion,
    /// The lane of each part, where the answer was a stream.
    lanes: Option<Vec<Vec<Lane>>>,
    /// It broke off.
    stop: Option<Stop>,
}

/// What becomes of it.
enum Ruling {
    Reword(Wordings),
    Instead(Box<Completion>),
    Deny(Refusal),
}

impl Follow {
    /// Gathers the answer, and has it judged before any of it leaves.
    pub(super) async fn judge(mut self: Box<Self>, head: Head, frames: Frames) -> Frames {
        let whole = match self.gather_all(&head, frames).await {
            Ok(whole) => whole,
            Err(too_much) => return ended(Vec::new(), Some(too_much.into())),
        };
        let context = self.context.clone();
        let origin = Origin {
            provider: head.provider.as_ref().map(|provider| provider.as_str()),
            streaming: whole.lanes.is_some(),
        };
        let sight = self.ward.answer_sight;
        let (shown, attached) = view::completion(&whole.completion, &origin, sight, std::mem::take(&mut self.attached));
        let completion = &whole.completion;
        let call = self.ward.call(Some(attached), self.beside.as_ref());
        let (ruled, report) = self
            .ward
            .once(call, async |instance, call| {
                let outcome = instance.on_response(call, &context, &self.request, &shown).await?;
                self.weigh(outcome, completion, &head).map_err(Trouble::Nonsense)
            })
            .await;
        let ruling = match ruled {
            Ok((ruling, outcome, found)) => {
                self.ward.went_well(Hook::Response, outcome, report);
                found.kinds.iter().for_each(|(kind, count)| self.counts.add(kind, *count));
                if self.ward.mode == Mode::Observe { Ruling::Reword(Wordings::new()) } else { ruling }
            }
            Err(trouble) => match self.ward.failed(Hook::Response, &trouble, report) {
                Some(refusal) => Ruling::Deny(refusal),
                None => Ruling::Reword(Wordings::new()),
            },
        };
        let (bursts, stop) = carry_out(ruling, whole.bursts, whole.lanes.as_deref());
        ended(bursts, stop.or(whole.stop))
    }

    /// # Errors
    /// When it is larger than may be held.
    async fn gather_all(&self, head: &Head, mut frames: Frames) -> Result<Whole, Refusal> {
        let (mut bursts, mut gathered, mut stop, mut size) = (Vec::new(), Gathered::default(), None, 0);
        while let Some(read) = frames.next().await {
            let burst = match read {
                Ok(burst) => burst,
                Err(broken) => {
                    stop = Some(broken);
                    break;
                }
            };
            for event in burst.iter().flat_map(|frame| frame.iter()) {
                gathered.add(event);
                size += match event {
                    Event::Delta { delta, .. } => delta.text().map_or(0, crate::base::text::Text::len) + OVERHEAD,
                    _ => OVERHEAD,
                };
            }
            bursts.push(burst);
            if size > self.hold.whole {
                let message = format!("the answer is larger than the plugin `{}` can be shown", self.ward.name);
                return Err(Refusal::new(502, "answer_too_large", message));
            }
        }
        let whole = bursts.iter().flatten().flat_map(|frame| frame.iter()).find_map(|event| match event {
            Event::Whole(completion) => Some((**completion).clone()),
            _ => None,
        });
        Ok(match whole {
            Some(completion) => Whole { bursts, completion, lanes: None, stop },
            None => {
                let (mut completion, lanes) = gathered.whole(head.dialect);
                if completion.model.is_empty() {
                    completion.model = head.model.as_str().into();
                }
                Whole { bursts, completion, lanes: Some(lanes), stop }
            }
        })
    }

    fn weigh(
        &self,
        outcome: types::Outcome,
        completion: &Completion,
        head: &Head,
    ) -> Result<(Ruling, Outcome, Found), String> {
        let found = Found::of(&outcome.findings)?;
        let is_granted = self.ward.answer_sight == Sight::Text;
        let (ruling, came_to) = match outcome.verdict {
            Verdict::Deny(denial) => (Ruling::Deny(verdict::refusal(denial, &self.ward.name)?), Outcome::Deny),
            Verdict::Respond(reply) => {
                let id = format!("plugin-{}", self.request_id);
                let mut instead = verdict::answer(reply, &id, head.model.as_str())?;
                // It has been asked, and charges.
                instead.usage.clone_from(&completion.usage);
                (Ruling::Instead(Box::new(instead)), Outcome::Respond)
            }
            Verdict::Pass => {
                let wordings = reword_answer(outcome.edits, completion, is_granted)?;
                let came_to = if wordings.is_empty() { Outcome::Pass } else { Outcome::Edit };
                (Ruling::Reword(wordings), came_to)
            }
        };
        Ok((ruling, came_to, found))
    }
}

fn carry_out(ruling: Ruling, mut bursts: Vec<Burst>, lanes: Option<&[Vec<Lane>]>) -> (Vec<Burst>, Option<Stop>) {
    match ruling {
        Ruling::Reword(wordings) if wordings.is_empty() => (bursts, None),
        Ruling::Deny(refusal) => (vec![lanes::usage_frames(&bursts)], Some(refusal.into())),
        Ruling::Instead(completion) => {
            let frame = Frame::new(Events::from_iter([Event::Whole(completion)]));
            (vec![vec![frame]], None)
        }
        Ruling::Reword(wordings) => match lanes {
            Some(lanes) => {
                let of = |(choice, part): (usize, usize)| lanes.get(choice).and_then(|own| own.get(part)).copied();
                let by_lane = wordings.into_iter().filter_map(|(place, text)| Some((of(place)?, text))).collect();
                match lanes::reword(&mut bursts, by_lane) {
                    Ok(()) => (bursts, None),
                    Err(_) => (
                        vec![lanes::usage_frames(&bursts)],
                        Some(Refusal::internal("a plugin put words where the answer has none").into()),
                    ),
                }
            }
            None => {
                for frame in bursts.iter_mut().flatten() {
                    frame.edit_texts(|events, edits| {
                        for event in events {
                            if let Event::Whole(completion) = event {
                                apply_to_answer(wordings.clone(), completion, edits);
                            }
                        }
                    });
                }
                (bursts, None)
            }
        },
    }
}

fn ended(bursts: Vec<Burst>, stop: Option<Stop>) -> Frames {
    let bursts = bursts.into_iter().filter(|burst| !burst.is_empty()).map(Ok);
    stream::iter(bursts).chain(stream::iter(stop.map(Err))).boxed()
}

/// What an event takes beside its text, about.
const OVERHEAD: usize = 32;
