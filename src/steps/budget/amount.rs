//! How much to set aside for a request: what it will likely cost, and the most that it can.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::ids::ModelName;
use crate::base::json::Number;
use crate::base::money::Nanos;
use crate::base::stop::Refusal;
use crate::chat::{Request, Usage, Verbatim};
use crate::pipeline::charge::{Basis, quote};
use crate::pipeline::target::Target;
use crate::pricing::{Rates, Service, Terms, Unknown};

/// The rates of every target that a request may come to, and the classes of service it may be charged by.
pub struct Prices {
    rates: Vec<Arc<Rates>>,
    service: Service,
}

impl Prices {
    /// # Errors
    /// When one of them is not known, and that is not to be put up with.
    pub fn of(targets: &[Arc<Target>], request: &Request, basis: Basis, now: Timestamp) -> Result<Self, Refusal> {
        let model = ModelName::new(request.model.as_str());
        let mut rates = Vec::with_capacity(targets.len());
        for target in targets {
            let asked = target.model_for(&model);
            match quote(target, asked, basis.unknown, now) {
                Some(quote) => rates.push(quote.rates),
                None if basis.unknown == Unknown::Zero => {}
                None => {
                    let message =
                        format!("nobody knows what the model `{}` costs at `{}`", asked.as_str(), target.name);
                    return Err(Refusal::new(403, "unknown_price", message));
                }
            }
        }
        Ok(Self { rates, service: basis.service })
    }

    /// The most that the request can cost anywhere, with so many tokens of input and output.
    pub fn worst(&self, request: &Request, input: u64, output: u64) -> Nanos {
        self.dearest(|rates, terms| match request.has_media() {
            true => rates.worst_of_media(input, output, terms),
            false => rates.worst(input, output, terms),
        })
    }

    /// What a request will likely cost, at the dearest target.
    pub fn likely(&self, input: u64, output: u64) -> Nanos {
        let usage = Usage::of(input, output);
        self.dearest(|rates, terms| rates.cost(&usage, terms))
    }

    /// Who asks for a class of service may be served, and charged, by the standard one.
    fn dearest(&self, cost: impl Fn(&Rates, Terms) -> Nanos) -> Nanos {
        let standard = Terms::default();
        let both = |rates: &Arc<Rates>| match self.service {
            Service::Standard => cost(rates, standard),
            service => cost(rates, standard).max(cost(rates, Terms { service })),
        };
        self.rates.iter().map(both).max().unwrap_or(Nanos::ZERO)
    }
}

/// Sees to it that no more output is asked for than is set aside, and says how much that is.
pub fn bound_output(request: &mut Verbatim<Request>, most: u64) -> u64 {
    let asked = request.params.max_tokens.as_ref().and_then(Number::as_u64);
    let output = asked.map_or(most, |asked| asked.min(most));
    if asked != Some(output) {
        request.edit().params.max_tokens = Some(Number::from(output));
    }
    let answers = request.params.n.as_ref().and_then(Number::as_u64).unwrap_or(1).max(1);
    output.saturating_mul(answers)
}
