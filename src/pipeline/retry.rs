//! When to try again, how long to wait, and how long to wait for what.

use std::time::Duration;

use crate::base::stop::FaultClass;

/// The rules a policy's route sets for its attempts.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The classes of fault after which another attempt is made.
    pub retry_on: Vec<FaultClass>,
    /// Attempts at one target before the next is tried; at least 1.
    pub attempts_per_target: u32,
    pub timeouts: Timeouts,
    /// What to do when a target's dialect cannot express the request.
    pub losses: OnLoss,
    pub on_disconnect: OnDisconnect,
    /// Bytes of tools and instructions from which on a provider's own cache is asked to keep them; `None` if it is not.
    pub mark_prefixes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLoss {
    /// Send what can be said, and note the rest on the trail.
    #[default]
    Allow,
    /// Pass the target over.
    Refuse,
}

/// What becomes of an answer whose caller has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// The upstream is let go.
    #[default]
    Cancel,
    /// It is read to its end.
    Drain,
}

impl Default for Rules {
    fn default() -> Self {
        use FaultClass::{Connect, Credential, CutBeforeFirstToken, RateLimited, ServerError, Timeout};
        Self {
            retry_on: vec![Connect, Timeout, RateLimited, ServerError, CutBeforeFirstToken, Credential],
            attempts_per_target: 1,
            timeouts: Timeouts::default(),
            losses: OnLoss::Allow,
            on_disconnect: OnDisconnect::default(),
            mark_prefixes: None,
        }
    }
}

impl Rules {
    /// Whether a fault of this class may be answered by another attempt at all.
    pub fn allow_another(&self, class: FaultClass) -> bool {
        class == FaultClass::PassedOver || self.retry_on.contains(&class)
    }
}

/// Whether asking the same target again may help.
pub fn may_pass(class: FaultClass) -> bool {
    use FaultClass::{Connect, Credential, CutBeforeFirstToken, RateLimited, ServerError, Timeout};
    // A refused credential is benched, so the next attempt goes out with another one.
    matches!(class, Connect | Timeout | RateLimited | ServerError | CutBeforeFirstToken | Credential)
}

/// The timeout ladder. Each rung is a fault class of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, name look-up and TLS included.
    pub connect: Duration,
    /// From sending a streamed request to the head of its answer.
    pub headers: Duration,
    /// From the head of a streamed answer to its first token. Pings are not tokens.
    pub first_token: Duration,
    /// Between two tokens of a stream, or two reads of a whole answer's body.
    pub between_tokens: Duration,
    /// For a whole (not streamed) answer, from sending to its last byte, in one attempt. Its first token
    /// comes with its last, so the rungs for streams do not bound it.
    pub whole: Duration,
    /// For everything, waits and further attempts included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            headers: Duration::from_secs(60),
            first_token: Duration::from_secs(120),
            between_tokens: Duration::from_secs(60),
            whole: Duration::from_secs(300),
            total: Duration::from_secs(600),
        }
    }
}

/// The longest wait before the same target is asked again while another one is left to try.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before attempt `next` (counted from 1) at the same target; `None` if another target, or
/// giving up, is better.
///
/// Full jitter over an exponential ceiling (100 ms doubling to 5 s), at least what the target asked for.
pub fn wait(next: u32, asked: Option<Duration>, others_left: bool, left: Duration) -> Option<Duration> {
    let ceiling =
        Duration::from_millis(100).saturating_mul(1 << next.saturating_sub(1).min(6)).min(Duration::from_secs(5));
    let jittered = ceiling.mul_f64(fastrand::f64());
    let wait = asked.unwrap_or(Duration::ZERO).max(jittered);
    let patience = if others_left { PATIENCE } else { left };
    (wait <= patience && wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_wait_is_at_least_what_the_target_asked_for() {
        let asked = Duration::from_secs(1);
        assert!(wait(1, Some(asked), true, MINUTE).unwrap() >= asked);
    }

    #[test]
    fn a_target_that_asks_for_hours_is_not_waited_for() {
        assert_eq!(wait(1, Some(Duration::from_secs(7200)), false, MINUTE), None);
        assert_eq!(wait(1, Some(Duration::from_secs(10)), true, MINUTE), None);
        assert!(wait(1, Some(Duration::from_secs(10)), false, MINUTE).is_some());
    }

    #[test]
    fn the_ceiling_of_the_back_off_is_five_seconds() {
        for _ in 0..200 {
            assert!(wait(30, None, false, MINUTE).unwrap() <= Duration::from_secs(5));
        }
    }
}
