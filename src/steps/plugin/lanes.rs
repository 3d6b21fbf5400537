//! The texts of a streamed answer, and new wordings put back into its frames.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::text::Text;
use crate::chat::{Delta, Event, Events, Frame, Lane, Usage};
use crate::pipeline::Burst;

/// The kinds of text that a part can consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Text,
    Thinking,
    Refusal,
    Arguments,
}

impl Said {
    /// The kind of a piece, and its text.
    pub fn of(delta: &mut Delta) -> Option<(Self, &mut Text)> {
        match delta {
            Delta::Text(text) => Some((Self::Text, text)),
            Delta::Thinking(text) => Some((Self::Thinking, text)),
            Delta::Refusal(text) => Some((Self::Refusal, text)),
            Delta::Arguments(text) => Some((Self::Arguments, text)),
            Delta::Signature(_) | Delta::Other(_) => None,
        }
    }
}

/// Puts each lane's new wording in the place of all that it says in these frames: with its first piece, and nothing with the
/// others. Frames that are changed are written anew, so that nothing of the old wording is left in what goes with it.
///
/// # Errors
/// The first lane that says nothing here.
pub fn reword(bursts: &mut [Burst], mut wordings: BTreeMap<Lane, String>) -> Result<(), Lane> {
    let lanes: BTreeSet<Lane> = wordings.keys().copied().collect();
    for frame in bursts.iter_mut().flatten() {
        if frame.iter().any(|event| is_of(event, &lanes)) {
            let events = frame.edit();
            events.iter_mut().for_each(|event| put(event, &lanes, &mut wordings));
            events.retain(|event| !is_signature(event, &lanes));
        }
    }
    for burst in bursts {
        burst.retain(|frame| frame.is_empty() || !frame.iter().all(says_nothing));
    }
    wordings.into_keys().next().map_or(Ok(()), Err)
}

fn put(event: &mut Event, lanes: &BTreeSet<Lane>, wordings: &mut BTreeMap<Lane, String>) {
    if let Event::Delta { lane, delta } = event
        && lanes.contains(lane)
        && let Some((_, text)) = Said::of(delta)
    {
        text.set(wordings.remove(lane).unwrap_or_default());
    }
}

fn is_of(event: &Event, lanes: &BTreeSet<Lane>) -> bool {
    matches!(event, Event::Delta { lane, .. } if lanes.contains(lane))
}

/// The proof of a thinking that has been changed.
fn is_signature(event: &Event, lanes: &BTreeSet<Lane>) -> bool {
    matches!(event, Event::Delta { lane, delta: Delta::Signature(_) } if lanes.contains(lane))
}

fn says_nothing(event: &Event) -> bool {
    matches!(event, Event::Delta { delta, .. } if delta.is_empty())
}

/// What frames that will not leave say of the usage, which has to be paid for all the same.
pub fn usage_frames(bursts: &[Burst]) -> Burst {
    let mut usage: Option<Usage> = None;
    for said in bursts.iter().flatten().flat_map(|frame| frame.iter()).filter_map(Event::usage) {
        usage.get_or_insert_default().update(said);
    }
    usage.into_iter().map(|usage| Frame::new(Events::from_iter([Event::Usage(Box::new(usage))]))).collect()
}
