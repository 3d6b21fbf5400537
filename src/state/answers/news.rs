//! What gateways that share a store hear from each other of a policy's questions.

use futures_core::future::BoxFuture;

use super::{Ground, Recalled, Standing, Whose};

/// The questions of one policy, by one embedder, as those who share them see them. Each of these goes its own way through the
/// news, from the first to the last.
pub trait News: Send {
    /// Tells of trials, each ground's with what is to be added to its record, and hears what there is to hear since the last
    /// time; a part of it, if that is much.
    ///
    /// # Errors
    /// Why nothing can be told or heard now. What was to be told may have been all the same: tell it again, the same and
    /// nothing else, and it counts once.
    fn exchange<'a>(&'a mut self, trials: &'a [(Ground, Standing)]) -> BoxFuture<'a, Result<Heard, String>>;
}

/// News, in the order in which they are to be taken in.
#[derive(Debug, Default)]
pub struct Heard {
    /// What was known of these is forgotten.
    pub forgotten: Vec<Whose>,
    /// Questions that came, and standings as all trials that were told have left them.
    pub new: Recalled,
    /// There are no other standings than these.
    pub are_all: bool,
    /// There is more to hear.
    pub has_more: bool,
}
