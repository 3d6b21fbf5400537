//! Forgetting answers, what is under way included.

use crate::state::answers::Whose;
use crate::steps::Stores;

/// Forgets the answers of these callers, what is known of their questions included, and says how many answers that were.
/// What is being asked for them meanwhile is not kept, nor heard by others who ask later.
///
/// # Errors
/// Why it, or a part of it, is there still.
pub async fn forget(stores: &Stores, whose: &Whose) -> Result<u64, String> {
    stores.forgotten.note(whose);
    stores.flights.forget(whose);
    // Before the answers, which may be somewhere that cannot be reached. What is read back meanwhile is read before trust is
    // forgotten, or not at all.
    stores.repertoires.forget(whose);
    stores.trust.forget(whose);
    let forgotten = stores.answers.forget(whose).await;
    // Who has looked while they were going may have come upon them.
    stores.forgotten.note(whose);
    stores.flights.forget(whose);
    forgotten
}
