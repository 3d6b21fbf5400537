//! Where an answer is from that several hear, and what that is to those who have not asked for it.

use super::keeping::given;
use super::{Cache, conclude};
use crate::base::money::Nanos;
use crate::pipeline::Answer;
use crate::pipeline::charge::Price;
use crate::pipeline::cx::{Cached, Cx};
use crate::state::answers::Origin;

/// Where an answer is from.
#[derive(Clone)]
pub enum Whence {
    /// A target makes it now, at this price, if that is known.
    Target(Option<Price>),
    /// It is kept, and was found in this way.
    Kept { origin: Box<Origin>, tier: &'static str },
}

impl Cache {
    /// The answer that another one was given at the same time. What is kept is charged for and saves as much as if it had
    /// been found once more; of what is made now that is known when it is over. `tier` is how the two questions are the same.
    pub(super) fn share(&self, cx: &mut Cx, answer: Answer, whence: Whence, tier: &'static str) -> Answer {
        let (tier, cached) = match whence {
            Whence::Kept { origin, tier } => (tier, self.priced(cx, &origin, "shared")),
            // A renewal has no reader.
            Whence::Target(price) => {
                (tier, Cached { worth: price.filter(|_| cx.renews.is_none()), ..Cached::of("shared") })
            }
        };
        conclude(cx, Cached { tier: Some(tier), ..cached });
        given(answer, "shared", tier)
    }

    /// What is charged for a kept answer, and what it saves.
    pub(super) fn priced(&self, cx: &Cx, origin: &Origin, result: &'static str) -> Cached {
        let cached = Cached::of(result);
        // A renewal that comes too late has no reader.
        let Some(cost) = origin.cost.filter(|_| cx.renews.is_none()) else { return cached };
        // A strict budget is never charged more than was set aside.
        let most = cx.held.as_ref().and_then(|held| held.most).unwrap_or(Nanos(i64::MAX));
        let charged = self.settings.charge(cost).min(most);
        Cached {
            saved: Some(Nanos(cost.0.saturating_sub(charged.0))),
            charged: Some(charged).filter(|charged| *charged > Nanos::ZERO),
            maker: origin.target.clone(),
            ..cached
        }
    }
}
