//! Which requests an exporter is told of.

use crate::base::money::Nanos;
use crate::base::trace::TraceId;
use crate::telemetry::Line;

/// A share of all, and all of some.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// From 0 to 1. Which requests these are depends on the trace alone: everybody who samples a trace at the same
    /// rate by the specification has the same ones.
    pub rate: f64,
    pub all_errors: bool,
    pub all_refusals: bool,
    /// All that cost as much or more.
    pub all_above: Option<Nanos>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { rate: 1.0, all_errors: true, all_refusals: true, all_above: None }
    }
}

impl Sampling {
    /// Whether a request that is over is one of them.
    pub fn keeps(&self, line: &Line, trace: TraceId) -> bool {
        (self.all_errors && line.is_failed())
            || (self.all_refusals && line.is_refused())
            || self.all_above.is_some_and(|least| line.cost.is_some_and(|cost| cost >= least))
            || self.has(trace.to_bytes())
    }

    /// By the last 7 bytes of the trace's id, which are random by W3C Trace Context.
    fn has(&self, trace: [u8; 16]) -> bool {
        let random = trace.iter().skip(9).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        // Both are exact: 56 bits times a number from 0 to 1.
        self.rate >= 1.0 || (random as f64) < self.rate * RANDOM_END
    }
}

/// 2⁵⁶.
const RANDOM_END: f64 = 72_057_594_037_927_936.0;

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Sampling = Sampling { rate: 0.0, all_errors: false, all_refusals: false, all_above: None };

    #[test]
    fn a_rate_keeps_about_that_share_and_the_same_traces_each_time() {
        let half = Sampling { rate: 0.5, ..NONE };
        let traces: Vec<_> = (0..2_000).map(|_| crate::base::trace::TraceId::fresh().to_bytes()).collect();
        let kept = traces.iter().filter(|trace| half.has(**trace)).count();
        assert!((850..1_150).contains(&kept), "{kept} of 2000");
        let less = Sampling { rate: 0.2, ..NONE };
        assert!(traces.iter().all(|trace| !less.has(*trace) || half.has(*trace)), "a lower rate keeps others");
        assert!(traces.iter().all(|trace| !NONE.has(*trace) && Sampling { rate: 1.0, ..NONE }.has(*trace)));
    }

    #[test]
    fn errors_refusals_and_what_costs_much_are_kept_whatever_the_rate() {
        let keeps = |sampling: Sampling, outcome| {
            sampling.keeps(&Line { outcome, cost: Some(Nanos(5)), ..Line::default() }, TraceId::fresh())
        };
        assert!(!keeps(NONE, "failed") && !keeps(NONE, "ok"));
        assert!(keeps(Sampling { all_errors: true, ..NONE }, "cut"));
        assert!(keeps(Sampling { all_refusals: true, ..NONE }, "refused"));
        assert!(keeps(Sampling { all_above: Some(Nanos(5)), ..NONE }, "ok"));
        assert!(!keeps(Sampling { all_above: Some(Nanos(6)), ..NONE }, "ok"));
    }
}
