//! The steps of a policy, made and held against each other.

use std::sync::Arc;

use super::{IN_STEP, Material};
use crate::pipeline::Step;
use crate::pipeline::facts::Endpoint;
use crate::policy::codes;
use crate::policy::config::PolicyConfig;
use crate::policy::problem::Problem;
use crate::policy::source::Span;

/// A policy's steps, and what they can act on together.
pub struct Made {
    pub steps: Vec<Arc<dyn Step>>,
    /// Where each is written.
    pub spans: Vec<Span>,
    pub endpoints: Vec<Endpoint>,
}

/// Makes a policy's steps and finds out what they can act on together. Steps that cannot act on an endpoint
/// that the policy names are a problem; endpoints it does not name are left out where one cannot.
pub fn make(policy: &PolicyConfig, material: &Material<'_>, problems: &mut Vec<Problem>) -> Option<Made> {
    let before = problems.len();
    let mut steps = Vec::new();
    for (number, config) in policy.steps.iter().enumerate() {
        if let Some(far) = config.value.fetches().filter(|_| material.library.is_offline)
            && !material.library.is_at_hand(far)
        {
            let message = format!("`{far}` is not checked, since it was never fetched here");
            let problem = Problem::warning(codes::CANNOT_OPEN, message).at(config.span, "in this step");
            problems.push(problem.help("it is fetched when the gateway starts"));
            continue;
        }
        match material.step(policy, number, &config.value) {
            Ok(step) => steps.push((step, config.span)),
            Err(reason) => problems.push(Problem::error(codes::WRONG_VALUE, reason).at(config.span, IN_STEP)),
        }
    }
    for (name, message, help) in ONCE {
        if let Some((_, span)) = steps.iter().filter(|(step, _)| step.name() == *name).nth(1) {
            let problem = Problem::error(codes::CONTRADICTION, *message).at(*span, "a second one");
            problems.push(problem.help(*help));
        }
    }
    for endpoint in policy.selector.named_endpoints() {
        for (step, span) in steps.iter().filter(|(step, _)| !step.acts_on(*endpoint)) {
            let message =
                format!("the step `{}` cannot act on `{}`, which this policy is for", step.name(), endpoint.name());
            let help = step.remedy();
            problems.push(Problem::error(codes::CANNOT_ACT, message).at(*span, "this step").help(help));
        }
    }
    let acts = |endpoint: &Endpoint| steps.iter().all(|(step, _)| step.acts_on(*endpoint));
    let endpoints = Endpoint::ALL.into_iter().filter(acts).collect();
    let (steps, spans) = steps.into_iter().unzip();
    (problems.len() == before).then_some(Made { steps, spans, endpoints })
}

/// Steps of which a policy has one.
const ONCE: &[(&str, &str, &str)] = &[
    (
        "budget",
        "a policy asks all its budgets at once, in one `budget` step",
        "name several budgets in the first: `budget: [team, user]`",
    ),
    // A second one would wait for the answer that the first is to hear from it.
    (
        "cache",
        "a policy keeps its answers once, in one `cache` step",
        "say in the first who shares answers, and by one embedder which questions are `similar`",
    ),
];
