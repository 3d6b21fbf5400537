//! The end of an account: what a request cost goes into the ledger, the metrics and the access log, once.
//!
//! Where the provider did not say what the request took, and its encoding is known, its tokens are counted first. That
//! may take its time on another thread, so such an account closes a little later than its answer. Should the process
//! stop before that is done, the account closes with the estimate: nothing is ever lost for being counted.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::base::money::Nanos;
use crate::gateway::bill::{Bill, Cost};
use crate::gateway::settle;
use crate::gateway::told::{Told, Traced};
use crate::gateway::witness::Decision;
use crate::gateway::world::World;
use crate::pipeline::charge::Held;
use crate::pipeline::cx::Cached;
use crate::pipeline::trail::Trail;
use crate::telemetry::metrics::PromptCache;
use crate::telemetry::{Line, metrics};

/// All there is to say of a request that is over. Dropping it says it.
pub struct Closing {
    pub world: Arc<World>,
    pub line: Line,
    pub bill: Bill,
    /// Attempts that came to nothing, and cost something.
    pub failed: Vec<settle::Failed>,
    pub held: Option<Held>,
    /// What came of looking for its answer among those that are kept.
    pub cached: Option<Cached>,
    pub trail: Trail,
    /// What its trace says beside; `None` if nobody wants to know.
    pub traced: Option<Box<Traced>>,
}

impl Closing {
    /// Closes the account: at once, or when its tokens are counted.
    pub fn begin(mut self) {
        let Some((encoding, countable)) = self.bill.left_to_count() else { return };
        let world = Arc::clone(&self.world);
        // A witness knows of a request when its caller does.
        if world.witness().is_some() {
            self.bill.counted(world.stores.tokens.count_here(encoding, &countable));
        } else if let Ok(runtime) = Handle::try_current() {
            let tokens = Arc::clone(&world.stores.tokens);
            let counting = async move {
                if let Some(input) = tokens.count(encoding, &countable).await {
                    self.bill.counted(input);
                }
            };
            world.closings().spawn_on(counting, &runtime);
        }
    }

    fn close(&mut self) {
        self.trail.settle();
        let cost = self.bill.cost();
        self.sum_up(cost.as_ref());
        self.count();
        self.count_costs(cost.as_ref());
        self.book(cost.as_ref());
        self.world.access.write(&self.line);
        self.tell();
    }

    /// Puts into the line what the request took and cost, attempts that came to nothing included.
    fn sum_up(&mut self, cost: Option<&Cost>) {
        let line = &mut self.line;
        line.input_tokens = self.bill.usage.input_said();
        line.output_tokens = self.bill.usage.output_said();
        // What is kept here tells what its provider did when it was made.
        if let Some((read, saved)) = self.bill.read_from_cache().filter(|_| self.bill.payee.is_some()) {
            (line.cached_tokens, line.cached_saved) = (Some(read), saved);
        }
        if let Some(price) = self.cached.as_ref().and_then(|cached| cached.worth.as_ref())
            && line.outcome == "ok"
        {
            line.saved = self.bill.worth(price);
        }
        line.cost = cost.map(|cost| cost.nanos).or(line.charged);
        line.is_cost_estimated = cost.is_some_and(|cost| cost.is_estimate);
        for wasted in self.failed.iter().filter_map(|failed| failed.bill.cost()) {
            line.cost = Some(line.cost.unwrap_or_default().plus(wasted.nanos));
            line.is_cost_estimated |= wasted.is_estimate;
        }
    }

    fn count(&self) {
        let line = &self.line;
        for act in &self.trail.acts {
            self.world.metrics.guard_acted(act.guard.clone(), act.action, &act.kind);
        }
        let trace = self.traced.as_ref().map(|traced| traced.context);
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
            is_unpriced: self.bill.is_unpriced(),
            is_copy: line.is_beside(),
            cache: line.cache,
            cache_tier: line.cache_tier,
            saved: line.saved,
            charged: line.charged,
            prompt_cache: PromptCache {
                read: line.cached_tokens.unwrap_or(0),
                written: self.bill.payee.as_ref().map_or(0, |_| self.bill.usage.cache_write()),
                saved: line.cached_saved,
            },
            trace: trace.filter(|of| self.world.traces.tells_of(line, of.trace)),
        });
        if let Some((estimated, said)) = self.bill.lesson() {
            self.world.stores.tokens.learn(&line.model, estimated, said);
        }
    }

    /// Counts each bill under the target that is paid, as the ledger has it.
    fn count_costs(&self, cost: Option<&Cost>) {
        let (line, metrics) = (&self.line, &self.world.metrics);
        let team = line.team.as_deref();
        let of = |bill: &Bill, cost: Option<Nanos>| {
            if let (Some(payee), Some(cost)) = (&bill.payee, cost) {
                metrics.spent(&payee.target, team, cost);
            }
        };
        for failed in &self.failed {
            of(&failed.bill, failed.bill.cost().map(|cost| cost.nanos));
        }
        of(&self.bill, cost.map(|cost| cost.nanos));
        // A kept answer has no payee: what is charged for it goes under the target that made it.
        let maker = self.cached.as_ref().and_then(|cached| cached.maker.as_ref());
        if let (None, Some(charged), Some(maker)) = (cost, line.charged, maker) {
            metrics.spent(maker, team, charged);
        }
    }

    fn book(&self, cost: Option<&Cost>) {
        let (line, stores) = (&self.line, &self.world.stores);
        let Some(ledger) = &stores.ledger else { return };
        if let Some(tokens) = line.output_tokens {
            stores.outputs.note(&line.model, tokens);
        }
        let (bill, held) = (&self.bill, self.held.as_ref());
        let at = self.world.clock.now();
        settle::Over { line, at, failed: &self.failed, bill, cost, held }.settle(&**ledger);
    }

    /// Hands over what is known of the request to whoever wants to know. Nothing of it is left.
    fn tell(&mut self) {
        // A witness asks after what callers were answered.
        if let Some(witness) = self.world.witness().filter(|_| !self.line.is_beside()) {
            let (line, trail) = (std::mem::take(&mut self.line), std::mem::take(&mut self.trail));
            witness.saw(Decision { line, trail, usage: self.bill.usage.clone() });
        } else if let Some(traced) = self.traced.take() {
            // What waits to be told must not keep the answer that it was read from.
            self.bill.usage = std::mem::take(&mut self.bill.usage).detached();
            for failed in &mut self.failed {
                failed.bill.usage = std::mem::take(&mut failed.bill.usage).detached();
            }
            let told = Told {
                traced,
                line: std::mem::take(&mut self.line),
                trail: std::mem::take(&mut self.trail),
                bill: std::mem::take(&mut self.bill),
                failed: std::mem::take(&mut self.failed),
            };
            self.world.traces.hand_over(told.spans(), || told.story());
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use super::*;
    use crate::base::clock::Clock;
    use crate::base::ids::{DialectId, ModelName, ProviderName, TargetName};
    use crate::gateway::bill::Payee;
    use crate::pipeline::charge::Question;
    use crate::pipeline::tariff::Tariff;
    use crate::pricing::{Rates, Service};
    use crate::provider::Pools;
    use crate::telemetry::AccessLog;
    use crate::tokens::Factor;

    /// The end of a request of 27 tokens by the estimate and 17 by a count, at a dollar for a million.
    fn closing(world: &Arc<World>) -> Closing {
        let (model, target) = (ModelName::new("gpt-4o"), TargetName::new("t"));
        let rates = Rates::simple(Nanos(1_000_000_000), Nanos(0));
        let quote = Tariff::fixed(Some(rates)).quote(&model, world.clock.now());
        let payee = Payee { target: target.clone(), provider: ProviderName::new("p"), quote };
        let text = "a".repeat(80);
        let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let question = Question { body: body.into(), dialect: DialectId::OPENAI_CHAT, estimated: 27, is_text: true };
        let bill = Bill::of(payee, &question, Factor::default(), Service::Standard).keeping(question, &model);
        let line = Line { target: Some(target), endpoint: "chat", ..Line::default() };
        Closing {
            world: Arc::clone(world),
            line,
            bill,
            failed: Vec::new(),
            held: None,
            cached: None,
            trail: Trail::default(),
            traced: None,
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the access log says the request cost, when `close` has done with its account.
    fn cost(close: impl FnOnce(Closing)) -> serde_json::Value {
        let lines = Lines::default();
        let world = World::new(Clock::system(), Arc::new(Pools::new()), AccessLog::to(lines.clone()));
        let world = Arc::new(world);
        close(closing(&world));
        world.access.flush();
        let written = lines.0.lock().unwrap();
        let line: serde_json::Value = serde_json::from_slice(&written).unwrap();
        line["cost_usd"].clone()
    }

    #[test]
    fn an_account_closes_when_its_tokens_are_counted() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let counted = cost(|closing| {
            let world = Arc::clone(&closing.world);
            runtime.block_on(async {
                closing.begin();
                world.closed().await;
            });
        });
        assert_eq!(counted, 0.000_017);
    }

    #[test]
    fn an_account_that_nobody_has_the_time_to_count_closes_with_the_estimate() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let estimated = cost(|closing| {
            runtime.block_on(async { closing.begin() });
            drop(runtime);
        });
        assert_eq!((estimated, cost(Closing::begin)), (0.000_027.into(), 0.000_027.into()));
    }
}
