//! Running a request through the steps of a policy and its route.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::ids::PolicyName;
use crate::base::stop::Stop;
use crate::chat::{Request, Verbatim};
use crate::pipeline::attempt::execute;
use crate::pipeline::chat::{ChatExchange, Onlookers};
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::opaque::{OpaqueAnswer, OpaqueExchange, OpaqueRequest};
use crate::pipeline::retry::Rules;
use crate::pipeline::route::{Plan, Route};
use crate::pipeline::shadow::Shadows;
use crate::pipeline::step::{Answer, Flow, Step, Tap};
use crate::pipeline::trail::{Detail, StepEntry};

/// What a policy does with a request, in order: its steps, then its route.
pub struct Line {
    pub policy: PolicyName,
    pub steps: Vec<Arc<dyn Step>>,
    pub mode: Mode,
    pub route: Route,
    pub rules: Arc<Rules>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Enforce,
    /// Every step decides and reports; none acts.
    Observe,
}

impl Line {
    /// Takes a chat request out through the steps and its answer back through their taps.
    ///
    /// # Errors
    /// When a step refuses or no target answers.
    pub async fn chat(
        &self,
        cx: &mut Cx,
        mut request: Box<Verbatim<Request>>,
        shadows: &Shadows,
    ) -> Result<Answer, Stop> {
        let mut taps: Vec<Box<dyn Tap>> = Vec::new();
        let mut answered = None;
        for step in &self.steps {
            match self.begin(step, cx, &mut request).await? {
                Flow::Pass => {}
                Flow::Tap(tap) => taps.push(tap),
                Flow::Answer(answer) => {
                    answered = Some(answer);
                    break;
                }
            }
        }
        let answer = match answered {
            Some(answer) => answer,
            None => {
                let plan = match cx.detour.take() {
                    Some(target) => Plan::to(target),
                    None => self.plan(cx, Some(&request)),
                };
                shadows.send(&plan, &request, &cx.headers, &self.rules);
                let headers = std::mem::take(&mut cx.headers);
                let is_seen = taps.iter().any(|tap| tap.looks_inside());
                let onlookers = if is_seen { Onlookers::Taps } else { Onlookers::Nobody };
                let mut exchange = ChatExchange::new(request, &cx.model, &headers, onlookers);
                // Boxed, since it is large and would be moved with every future around it.
                Box::pin(execute(cx, &plan, &self.rules, &mut exchange)).await?
            }
        };
        Ok(taps.into_iter().rev().fold(answer, |answer, tap| tap.wrap(answer)))
    }

    /// Takes an opaque request out through the steps.
    ///
    /// # Errors
    /// When a step refuses or no target answers.
    pub async fn opaque(&self, cx: &mut Cx, mut request: OpaqueRequest) -> Result<OpaqueAnswer, Stop> {
        for step in &self.steps {
            let begun = Instant::now();
            let kept = if self.mode == Mode::Observe { request.body.copy() } else { None };
            let flow = step.begin_opaque(cx, &mut request).await.map(|()| Flow::Pass);
            note(cx, step.name(), &flow, begun.elapsed());
            match self.mode {
                Mode::Enforce => drop(flow?),
                Mode::Observe => request.body = kept.unwrap_or(request.body),
            }
        }
        let plan = self.plan(cx, None);
        execute(cx, &plan, &self.rules, &mut OpaqueExchange::new(request)).await
    }

    fn plan(&self, cx: &mut Cx, chat: Option<&Request>) -> Plan {
        let detail = cx.trail.detail;
        let mut plan = self.route.plan(&View { cx, chat }, detail);
        if detail == Detail::Full {
            cx.trail.planned = plan.stops();
            cx.trail.choices = std::mem::take(&mut plan.choices);
        }
        plan
    }

    /// Runs one step and notes its verdict. In `observe` mode it works on a copy, and what it decides has
    /// no consequence.
    async fn begin(&self, step: &Arc<dyn Step>, cx: &mut Cx, request: &mut Verbatim<Request>) -> Result<Flow, Stop> {
        let begun = Instant::now();
        let flow = match self.mode {
            Mode::Enforce => step.begin(cx, request).await,
            Mode::Observe => step.begin(cx, &mut Box::new(request.clone())).await,
        };
        if self.mode == Mode::Observe {
            cx.detour = None;
        }
        note(cx, step.name(), &flow, begun.elapsed());
        match self.mode {
            Mode::Enforce => flow,
            Mode::Observe => Ok(Flow::Pass),
        }
    }
}

fn note(cx: &mut Cx, step: &'static str, flow: &Result<Flow, Stop>, took: Duration) {
    let mut remarks = std::mem::take(&mut cx.remarks);
    let verdict = match flow {
        Ok(Flow::Pass | Flow::Tap(_)) => "pass",
        Ok(Flow::Answer(_)) => "answer",
        Err(stop) => {
            remarks.note("code", stop.code());
            "refuse"
        }
    };
    cx.trail.steps.push(StepEntry { step, verdict: verdict.into(), took, remarks });
}
