//! How many tokens a text is.
//!
//! There are two answers. An **exact count** runs the encoding of the model over the text ([`Encoding`]); it is there
//! for models of OpenAI, whose encodings are public, and costs some 25 to 100 ns a byte. An **estimate** is one pass
//! over the request's lengths ([`Request::estimated_tokens`]) times what the model has been seen to differ from it
//! ([`Factor`]); it is there for every model and costs next to nothing.
//!
//! Limits, `balanced` budgets and conditions use the estimate, since they may not hold a request up. A request to count
//! tokens, a bill that the provider leaves open, and a `strict` budget that cannot bear the safe bound are counted
//! exactly where that is possible. What a provider reports goes before both.
//!
//! Text is somebody else's: it may be long, or made to be slow. Counting takes time in proportion to the text, whatever
//! it says; more than a little of it is counted away from the threads that serve, a few requests at a time; and what
//! was counted before is remembered ([`Counts`]), so that a conversation costs its new turns only. Names of special
//! tokens in a text are text.
//!
//! Answers are never counted exactly: a stream's text is not kept, and reasoning is not shown. Their bytes are, and the
//! model's factor makes tokens of them.

mod countable;
mod counts;
mod encoding;
mod factor;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::aside::Aside;
use crate::base::ids::ModelName;
use crate::chat::Request;

pub use countable::Countable;
pub use counts::Counts;
pub use encoding::Encoding;
pub use factor::{Factor, Factors};

/// What is known of tokens. It belongs to the process.
#[derive(Default)]
pub struct Tokens {
    factors: Factors,
    counts: Arc<Counts>,
    /// Where long texts are counted.
    aside: Aside,
}

impl Tokens {
    /// What the model, as the caller names it, has been seen to differ from the estimate.
    pub fn factor(&self, model: &ModelName) -> Factor {
        self.factors.of(model)
    }

    /// The tokens of a request, by one pass over it and what is known of its model.
    pub fn estimate(&self, model: &ModelName, request: &Request) -> u64 {
        self.factor(model).of(request.estimated_tokens())
    }

    /// The provider said how much the input was that one pass over it had estimated.
    pub fn learn(&self, model: &ModelName, estimated: u64, said: u64) {
        self.factors.learn(model, estimated, said);
    }

    /// Counts exactly, on another thread if it is more than a little. `None` if that thread came to nothing.
    pub async fn count(&self, encoding: Encoding, countable: &Countable) -> Option<u64> {
        if encoding.is_ready() && countable.bytes() <= AT_ONCE {
            return Some(self.count_here(encoding, countable));
        }
        let (counts, countable) = (Arc::clone(&self.counts), countable.clone());
        self.aside.run(move |_| countable.count(encoding, &counts)).await
    }

    /// The same on this thread, however long it takes.
    pub fn count_here(&self, encoding: Encoding, countable: &Countable) -> u64 {
        countable.count(encoding, &self.counts)
    }
}

/// Bytes that are counted at once: a millisecond or two at the worst.
const AT_ONCE: usize = 16 * 1024;
