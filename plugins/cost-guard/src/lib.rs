//! Refuses requests of those who have spent what they may in a window of time.
//!
//! What was spent is in the gateway's store, so it outlasts instances and restarts, and is shared by replicas. A request
//! is let through as long as anything is left, and charged for when its answer is over: this is a soft limit, and
//! requests at the same time can exceed it. Where it must never be exceeded, use the gateway's own `budget` step.

use std::collections::BTreeMap;

use tidegate_plugin::prelude::*;
use tidegate_plugin::{clock, kv, log};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What may be spent in a window, in US dollars.
    usd: f64,
    /// How long a window is.
    hours: u32,
    #[serde(default)]
    per: Per,
    /// What models cost, by their names, or by the beginning of them with a `*` behind it.
    prices: BTreeMap<String, Price>,
    /// What an answer whose usage nobody reports is taken to have cost, in US dollars; 0.01 if not said.
    #[serde(default = "cent")]
    unreported_usd: f64,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Price {
    input: f64,
    output: f64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Per {
    #[default]
    User,
    Team,
    Key,
}

fn cent() -> f64 {
    0.01
}

/// Amounts are whole millionths of a dollar.
const MICROS: f64 = 1e6;

struct CostGuard(Config);

impl Plugin for CostGuard {
    type Config = Config;

    fn about() -> About {
        let about = about!("refuses requests of those who have spent what they may").config::<Config>();
        about.needs("kv").needs("clock")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        let amounts = [config.usd, config.unreported_usd];
        let prices = config.prices.values().flat_map(|price| [price.input, price.output]);
        if amounts.into_iter().chain(prices).any(|amount| amount < 0.0) {
            return Err(Failure::Config("an amount is less than nothing".into()));
        }
        if config.hours == 0 {
            return Err(Failure::Config("a window of no `hours` never ends".into()));
        }
        Ok(Self(config))
    }
}

impl OnRequest for CostGuard {
    fn on_request(&self, cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        if self.price_of(&request.model).is_none() {
            let message = format!("`{}` has no price here", request.model);
            return Ok(Outcome::deny(403, "model_unpriced", message));
        }
        let window = self.window();
        let spent = kv::add(&self.account(cx, &window), 0, Some(self.length_ms()))?;
        if (spent as f64) < self.0.usd * MICROS {
            return Ok(Outcome::pass());
        }
        let mut denied = Outcome::deny(429, "cost_limit", "what you may spend has been spent");
        if let Verdict::Deny(denial) = &mut denied.verdict {
            denial.retry_after_ms = Some(u32::try_from(window.left_ms).unwrap_or(u32::MAX));
        }
        Ok(denied.finding(Finding::new("cost_limit", Severity::Info)))
    }
}

impl OnStream for CostGuard {
    type Session = Charge;

    fn open(&self, cx: &Context, request: &ChatRequest) -> Result<Charge, Failure> {
        let price = self.price_of(&request.model).unwrap_or(Price { input: 0.0, output: 0.0 });
        let account = self.account(cx, &self.window());
        Ok(Charge { account, price, unreported_usd: self.0.unreported_usd, keep_ms: self.length_ms() })
    }
}

/// The window that the time is in.
struct Window {
    number: u64,
    left_ms: u64,
}

impl CostGuard {
    fn length_ms(&self) -> u64 {
        u64::from(self.0.hours) * 3_600_000
    }

    fn window(&self) -> Window {
        let (now, length) = (clock::unix_ms(), self.length_ms());
        Window { number: now / length, left_ms: length - now % length }
    }

    /// Whoever is not known shares an account with all others that are not.
    fn account(&self, cx: &Context, window: &Window) -> String {
        let who = match self.0.per {
            Per::User => &cx.user,
            Per::Team => &cx.team,
            Per::Key => &cx.key,
        };
        let who: String = who.as_deref().unwrap_or("unknown").chars().take(50).collect();
        format!("{}/{who}", window.number)
    }

    /// The price with the longest name that covers the model.
    fn price_of(&self, model: &str) -> Option<Price> {
        let covers = |name: &str| name == model || name.strip_suffix('*').is_some_and(|begin| model.starts_with(begin));
        let covering = self.0.prices.iter().filter(|(name, _)| covers(name));
        covering.max_by_key(|(name, _)| name.len()).map(|(_, price)| *price)
    }
}

/// What is charged for at the end of an answer.
struct Charge {
    account: String,
    price: Price,
    unreported_usd: f64,
    keep_ms: u64,
}

impl Session for Charge {
    fn push(&mut self, _batch: Vec<Delta>) -> Result<StreamOutcome, Failure> {
        Ok(StreamOutcome::pass())
    }

    fn finish(&mut self, usage: Option<Usage>) -> Result<StreamOutcome, Failure> {
        let micros = match usage {
            // Dollars per million tokens are millionths of a dollar per token.
            Some(usage) => {
                usage.input_tokens as f64 * self.price.input + usage.output_tokens as f64 * self.price.output
            }
            None => {
                log::warn("an answer without usage is charged for by estimate");
                self.unreported_usd * MICROS
            }
        };
        kv::add(&self.account, micros.ceil() as i64, Some(self.keep_ms))?;
        Ok(StreamOutcome::pass())
    }
}

tidegate_plugin::export!(CostGuard: request, stream);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};

    use super::*;

    fn guard(host: &Host) -> CostGuard {
        let prices = json!({ "chat": { "input": 1.0, "output": 2.0 }, "ch*": { "input": 9.0, "output": 9.0 } });
        host.plugin(json!({ "usd": 0.001, "hours": 1, "prices": prices })).unwrap()
    }

    fn user(host: &Host, name: &str) -> Context {
        Context { user: Some(name.into()), ..host.context() }
    }

    #[test]
    fn who_has_spent_it_all_waits_for_the_next_window() {
        let host = Host::new().kv().clock(3_600_000 * 5 + 1_000);
        let (guard, cx, request) = (guard(&host), user(&host, "u1"), ask("hello"));
        assert_eq!(guard.on_request(&cx, &request), Ok(Outcome::pass()));
        let usage = Usage { input_tokens: 500, output_tokens: 250, cached_tokens: 0 };
        guard.open(&cx, &request).unwrap().finish(Some(usage)).unwrap();
        assert_eq!(host.number("5/u1"), 1_000);
        let denied = guard.on_request(&cx, &request).unwrap();
        let Verdict::Deny(denial) = denied.verdict else { panic!("let through") };
        assert_eq!((denial.status, denial.retry_after_ms), (429, Some(3_599_000)));
        assert_eq!(guard.on_request(&user(&host, "u2"), &request), Ok(Outcome::pass()));
    }

    #[test]
    fn an_answer_without_usage_is_not_for_nothing() {
        let host = Host::new().kv().clock(0);
        guard(&host).open(&user(&host, "u1"), &ask("hello")).unwrap().finish(None).unwrap();
        assert_eq!(host.number("0/u1"), 10_000);
    }

    #[test]
    fn the_longest_name_is_the_price_and_none_is_a_refusal() {
        let host = Host::new().kv().clock(0);
        let guard = guard(&host);
        assert_eq!(guard.price_of("chat").unwrap().input, 1.0);
        assert_eq!(guard.price_of("chimera").unwrap().input, 9.0);
        let request = ChatRequest { model: "other".into(), ..ask("hello") };
        assert_eq!(guard.on_request(&host.context(), &request).unwrap().denied_with(), Some("model_unpriced"));
    }
}
