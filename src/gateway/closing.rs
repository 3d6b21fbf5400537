//! The end of an account: what a request cost goes into the ledger, the metrics and the access log, once.
//!
//! Where the provider did not say what the request took, and its encoding is known, its tokens are counted first. That
//! takes time that no thread which serves may spend, so such an account closes on another. Should the process stop
//! before that is done, the account closes with the estimate: nothing is ever lost for being counted.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::gateway::bill::Bill;
use crate::gateway::settle;
use crate::gateway::witness::Decision;
use crate::gateway::world::World;
use crate::pipeline::cx::Held;
use crate::pipeline::trail::Trail;
use crate::state::Settlement;
use crate::telemetry::{Line, metrics};

/// All there is to say of a request that is over. Dropping it says it.
pub struct Closing {
    pub world: Arc<World>,
    pub line: Line,
    pub bill: Bill,
    pub held: Option<Held>,
    pub trail: Trail,
}

impl Closing {
    /// Closes the account: at once, or when its tokens are counted.
    pub fn begin(mut self) {
        if !self.bill.is_to_count() {
            return;
        }
        // A witness knows of a request when its caller does.
        if self.world.witness().is_some() {
            return self.count();
        }
        if let Ok(runtime) = Handle::try_current() {
            let world = Arc::clone(&self.world);
            world.closings().spawn_blocking_on(move || self.count(), &runtime);
        }
    }

    fn count(&mut self) {
        self.bill.count(&self.world.stores.tokens);
    }

    fn close(&mut self) {
        let line = &mut self.line;
        line.input_tokens = self.bill.usage.input_said();
        line.output_tokens = self.bill.usage.output_said();
        let cost = self.bill.cost();
        line.cost = cost.as_ref().map(|cost| cost.nanos);
        line.is_cost_estimated = cost.as_ref().is_some_and(|cost| cost.is_estimate);
        self.world.metrics.request_ended(&metrics::Counted {
            policy: line.policy.as_ref(),
            status: line.status,
            decision: line.outcome,
            target: line.target.as_ref(),
            took: line.took,
            first_token: line.first_token,
            overhead: line.overhead,
            input_tokens: line.input_tokens,
            output_tokens: line.output_tokens,
            cost: line.cost,
        });
        let stores = &self.world.stores;
        if let Some((estimated, said)) = self.bill.lesson() {
            stores.tokens.learn(&line.model, estimated, said);
        }
        if let Some(ledger) = &stores.ledger {
            if let Some(tokens) = line.output_tokens {
                stores.outputs.note(&line.model, tokens);
            }
            let settlement = settle::settlement(line, &self.bill, cost, self.held);
            settlement.into_iter().for_each(|(hold, lines)| {
                ledger.settle(Settlement { hold, at: self.world.clock.now(), lines });
            });
        }
        self.world.access.write(line);
        if let Some(witness) = self.world.witness() {
            let (line, trail) = (std::mem::take(line), std::mem::take(&mut self.trail));
            witness.saw(Decision { line, trail, usage: self.bill.usage.clone() });
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.close();
    }
}
