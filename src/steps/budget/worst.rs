//! A smaller worst case for a `strict` budget that cannot bear the simple one.
//!
//! Setting aside a token for each byte is safe for every encoding and costs nothing to find out, but it is several
//! times what a request takes. Where that much is not left, and the encodings of all models the request may come to are
//! known, its texts are counted. Schemas, framing and media keep their bounds, since how they are put before a model is
//! not published.

use std::sync::Arc;

use crate::base::ids::ModelName;
use crate::base::money::Nanos;
use crate::chat::Request;
use crate::pipeline::target::Target;
use crate::state::Balance;
use crate::tokens::{Countable, Encoding, Tokens};

/// The most tokens that the request can be, its texts counted. `None` if that is not known, or if it would not help,
/// since not even `is_enough` for the request without its texts.
pub async fn counted(
    tokens: &Tokens,
    targets: &[Arc<Target>],
    model: &ModelName,
    request: &Request,
    is_enough: impl Fn(u64) -> bool + Send,
) -> Option<u64> {
    let encodings = encodings(targets, model)?;
    let bound = Countable::bound(request);
    // Nobody has texts counted in vain with a budget that is used up.
    if bound.is_empty() || !is_enough(bound.fixed) {
        return None;
    }
    let mut most = None;
    for encoding in encodings {
        most = most.max(Some(tokens.count(encoding, &bound).await?));
    }
    most
}

/// Whether so much is left.
pub fn is_left(balance: &Balance, amount: Nanos) -> bool {
    let used = i128::from(balance.spent.0) + i128::from(balance.held.0);
    used + i128::from(amount.0) <= i128::from(balance.cap.0)
}

/// The encodings of all models the request may come to; `None` if one of them, or how it frames a chat, is not known.
fn encodings(targets: &[Arc<Target>], model: &ModelName) -> Option<Vec<Encoding>> {
    let mut encodings = Vec::new();
    for target in targets {
        let encoding = Encoding::with_known_framing(target.model_for(model).as_str())?;
        if !encodings.contains(&encoding) {
            encodings.push(encoding);
        }
    }
    Some(encodings)
}
