//! Copies of requests sent elsewhere, to see how another target would do.
//!
//! Whoever keeps the accounts sends them; a copy never delays or changes the caller's own answer.

use std::sync::Arc;

use crate::chat::{Request, Verbatim};
use crate::pipeline::cx::Cx;
use crate::pipeline::retry::Rules;
use crate::pipeline::route::Plan;

/// A request of which copies are to be sent to the shadows of its plan.
pub struct Original<'a> {
    pub cx: &'a Cx,
    pub plan: &'a Plan,
    pub request: &'a Verbatim<Request>,
    pub rules: &'a Arc<Rules>,
}

/// Whoever sends copies of requests.
pub trait Shadows: Send + Sync {
    /// Sends a copy to each shadow, and waits for none.
    fn send(&self, original: Original<'_>);
}
