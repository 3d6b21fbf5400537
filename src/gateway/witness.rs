//! Who is told of each request when it is over, with everything that was decided about it.
//!
//! A gateway without a witness notes what it decides, and not why: reasons cost more than decisions.

use crate::chat::Usage;
use crate::pipeline::trail::Trail;
use crate::telemetry::Line;

/// Whoever wants to know.
pub trait Witness: Send + Sync {
    /// Called once for each request, at its end, on the thread that served it.
    fn saw(&self, decision: Decision);
}

/// What became of a request, and why.
#[derive(Debug)]
pub struct Decision {
    /// Its line in the access log.
    pub line: Line,
    pub trail: Trail,
    pub usage: Usage,
}
