//! Answers that were given although their time is over, and are to be made anew.
//!
//! Whoever gives one takes the errand of renewing it; whoever keeps the accounts sees to it that it is done, by putting
//! the request once more, and says what came of it. Nobody else takes the same errand meanwhile.

use std::sync::Arc;

/// The errand of renewing one answer. It is over when its last copy is dropped.
pub type Renewal = Arc<dyn Renews>;

/// Whoever wants to know what came of a renewal.
pub trait Renews: Send + Sync {
    /// There is a new answer. Without this word, it has come to nothing.
    fn succeeded(&self);
}
