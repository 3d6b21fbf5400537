//! What a request's trail says of looking for its answer.

use super::keeping::PassedBy;
use crate::pipeline::Flow;
use crate::pipeline::cx::{Cached, Cx};

/// The request is none of those whose answers are kept.
pub fn pass_by(cx: &mut Cx, why: &'static str) -> Flow {
    cx.remarks.note("why", why);
    conclude(cx, Cached::of("bypass"));
    Flow::Tap(Box::new(PassedBy))
}

/// What came of looking for an answer among those that are kept.
pub fn conclude(cx: &mut Cx, cached: Cached) {
    cx.remarks.conclude(cached.result);
    if let Some(tier) = cached.tier {
        cx.remarks.note("tier", tier);
    }
    for (name, amount) in [("saved_usd", cached.saved), ("charged_usd", cached.charged)] {
        if let Some(amount) = amount {
            cx.remarks.note(name, amount);
        }
    }
    cx.cached = Some(cached);
}
