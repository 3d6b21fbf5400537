//! Running a request through the steps of a policy and its route.

use std::future::ready;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::base::ids::PolicyName;
use crate::base::stop::Stop;
use crate::chat::{Numbers, Request, Verbatim};
use crate::pipeline::attempt::execute;
use crate::pipeline::chat::{ChatExchange, Onlookers, Steer};
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::examine::{examined, observed};
use crate::pipeline::glean::Tail;
use crate::pipeline::hold::{Awaited, Examiner, Hold, Patience};
use crate::pipeline::mirror::Mirror;
use crate::pipeline::opaque::{OpaqueAnswer, OpaqueExchange, OpaqueRequest};
use crate::pipeline::passing::{Passing, Tapped, go_through};
use crate::pipeline::retry::{OnDisconnect, Rules};
use crate::pipeline::route::{Plan, Route};
use crate::pipeline::shadow::{Original, Shadows};
use crate::pipeline::step::{Answer, Burst, Flow, OpaqueFlow, Step, Tap};
use crate::pipeline::trail::{Detail, StepEntry};
use crate::pipeline::windows::windowed;
use crate::telemetry::otlp::Texts;

/// What a policy does with a request, in order: its steps, then its route.
pub struct Line {
    pub policy: PolicyName,
    pub steps: Vec<Arc<dyn Step>>,
    pub mode: Mode,
    pub route: Arc<Route>,
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
    /// Whether a request may go on when its caller has hung up: for its provider's word on what it took, or for others who
    /// wait for the same answer.
    pub fn may_outlive(&self) -> bool {
        self.rules.on_disconnect == OnDisconnect::Drain || self.steps.iter().any(|step| step.shelf().is_some())
    }

    /// Takes a chat request out through the steps and its answer back through their taps.
    ///
    /// # Errors
    /// When a step refuses or no target answers.
    pub async fn chat(
        &self,
        cx: &mut Cx,
        mut request: Box<Verbatim<Request>>,
        shadows: &dyn Shadows,
    ) -> Result<Answer, Stop> {
        let (mut back, mut awaited, mut answered) = (Vec::new(), Awaited::default(), None);
        for step in &self.steps {
            match self.begin(step, cx, &mut request).await? {
                Flow::Pass => {}
                Flow::Tap(tap) => back.push(Back::Tap(cx.trail.steps.len().saturating_sub(1), tap)),
                Flow::Hold(hold) => Box::pin(self.hold(cx, hold, &mut awaited, &mut back)).await?,
                Flow::Answer(answer) => {
                    answered = Some(answer);
                    break;
                }
            }
            cx.is_seen = back.iter().any(Back::looks_inside);
        }
        let is_stream = request.stream;
        let asking = Asking { request, shadows, is_seen: cx.is_seen };
        let answer = match answered {
            None if awaited.is_empty() => self.ask(cx, asking).await?,
            Some(answer) if awaited.is_empty() => answer,
            answered => Box::pin(self.ask_meanwhile(cx, asking, answered, &mut awaited)).await?,
        };
        match self.mode {
            Mode::Enforce => match go_back(answer, &mut back) {
                answer if back.is_empty() => Ok(answer),
                answer => Box::pin(go_back_examined(cx, answer, back, is_stream)).await,
            },
            Mode::Observe => Ok(observe(cx, answer, back, awaited)),
        }
    }

    /// Puts a request to the targets of the route.
    async fn ask(&self, cx: &mut Cx, asking: Asking<'_>) -> Result<Answer, Stop> {
        let Asking { request, shadows, is_seen } = asking;
        cx.numbers = Some(Numbers::of(&request.params));
        let is_detoured = cx.detour.is_some();
        let plan = match cx.detour.take() {
            Some(target) => Plan::to(target),
            None => self.plan(cx, Some(&request)),
        };
        if !plan.shadows.is_empty() {
            shadows.send(Original { cx, plan: &plan, request: &request, rules: &self.rules });
        }
        let (headers, outgoing) = (std::mem::take(&mut cx.headers), std::mem::take(&mut cx.outgoing));
        let texts = cx.texts.clone();
        texts.iter().for_each(|texts| texts.goes(&request));
        let onlookers = if is_seen || texts.is_some() { Onlookers::Taps } else { Onlookers::Nobody };
        let steer = Steer { from_caller: &headers, from_steps: &outgoing };
        let mut exchange = ChatExchange::new(request, &cx.model, steer, onlookers).marking(self.rules.mark_prefixes);
        // Boxed, since it is large and would be moved with every future around it.
        let mut answer = Box::pin(execute(cx, &plan, &self.rules, &mut exchange)).await?;
        (answer.head.is_detoured, answer.head.basis) = (is_detoured, cx.basis);
        Ok(match texts {
            Some(texts) => overheard(answer, texts),
            None => answer,
        })
    }

    /// The same while words on the request are still to be heard.
    async fn ask_meanwhile(
        &self,
        cx: &mut Cx,
        asking: Asking<'_>,
        answered: Option<Answer>,
        awaited: &mut Awaited,
    ) -> Result<Answer, Stop> {
        let (begun, waited) = (Instant::now(), cx.trail.waited());
        let outcome = match answered {
            Some(answer) => awaited.listen_while(self.mode, ready(Ok(answer))).await,
            None => awaited.listen_while(self.mode, Box::pin(self.ask(cx, asking))).await,
        };
        awaited.note(self.mode, &mut cx.trail);
        // What attempts did not take was waited for guards.
        let known = cx.trail.waited().saturating_sub(waited);
        cx.trail.pauses += begun.elapsed().saturating_sub(known);
        outcome
    }

    /// Waits for the word on a request that nothing may go before; puts down the others. In `observe` mode nothing
    /// waits.
    async fn hold(&self, cx: &mut Cx, hold: Hold, awaited: &mut Awaited, back: &mut Vec<Back>) -> Result<(), Stop> {
        let entry = cx.trail.steps.len().saturating_sub(1);
        match hold.request {
            None => {}
            Some((Patience::First, inquiry)) if self.mode == Mode::Enforce => {
                let begun = Instant::now();
                let ruling = inquiry.await;
                cx.trail.pauses += begun.elapsed();
                let stop = ruling.stop.clone();
                cx.trail.rule(entry, ruling);
                if let Some(stop) = stop {
                    return Err(stop);
                }
            }
            Some((_, inquiry)) => awaited.add(entry, inquiry),
        }
        back.extend(hold.answer.map(|examiner| Back::Examiner(entry, examiner)));
        Ok(())
    }

    /// Takes an opaque request out through the steps and its answer back through their taps.
    ///
    /// # Errors
    /// When a step refuses or no target answers.
    pub async fn opaque(&self, cx: &mut Cx, mut request: OpaqueRequest) -> Result<OpaqueAnswer, Stop> {
        let mut back = Vec::new();
        for step in &self.steps {
            let begun = Instant::now();
            let kept = if self.mode == Mode::Observe { request.body.copy() } else { None };
            let flow = step.begin_opaque(cx, &mut request).await;
            note(cx, &**step, flow.as_ref().map(|_| "pass"), begun);
            let flow = match self.mode {
                Mode::Enforce => flow?,
                Mode::Observe => {
                    request.body = kept.unwrap_or(request.body);
                    flow.unwrap_or(OpaqueFlow::Pass)
                }
            };
            if let OpaqueFlow::Tap(tap) = flow {
                let late = (self.mode == Mode::Observe).then(|| cx.trail.late(cx.trail.steps.len().saturating_sub(1)));
                back.push(Tapped { tap, late });
            }
        }
        let plan = self.plan(cx, None);
        let texts = cx.texts.clone();
        texts.iter().for_each(|texts| texts.goes_unread(cx.endpoint.name(), request.body.document()));
        let mut exchange = OpaqueExchange::new(request, cx.endpoint);
        let mut answer = execute(cx, &plan, &self.rules, &mut exchange).await?;
        if let (Some(texts), Passing::Plain(body)) = (texts, answer.response.body_mut()) {
            body.overheard(texts);
        }
        if back.is_empty() {
            return Ok(answer);
        }
        back.reverse();
        let mut tail = Tail::default();
        let gone_through = Box::pin(go_through(answer, back, self.mode, &mut tail)).await;
        if gone_through.is_err()
            && let Some(usage) = tail.usage()
        {
            // What is refused has been paid for all the same.
            cx.waste(usage);
        }
        gone_through
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
            cx.cached = None;
            cx.tags.clear();
            cx.outgoing.clear();
        }
        note(cx, &**step, flow.as_ref().map(Flow::verdict), begun);
        match (self.mode, flow) {
            (Mode::Enforce, flow) => flow,
            // A guard is heard, whatever it says.
            (Mode::Observe, Ok(Flow::Hold(hold))) => Ok(Flow::Hold(hold)),
            (Mode::Observe, Ok(Flow::Tap(tap))) if tap.learns() => Ok(Flow::Tap(tap)),
            (Mode::Observe, _) => Ok(Flow::Pass),
        }
    }
}

/// The same answer, whose texts are kept as they come.
pub fn overheard(answer: Answer, texts: Arc<Texts>) -> Answer {
    let hear = move |burst: &Result<Burst, Stop>| burst.iter().for_each(|frames| texts.hears(frames));
    Answer { head: answer.head, frames: answer.frames.inspect(hear).boxed() }
}

/// A request that is to be asked, and whether anybody looks into its answer.
struct Asking<'a> {
    request: Box<Verbatim<Request>>,
    shadows: &'a dyn Shadows,
    is_seen: bool,
}

/// What an answer passes on its way back.
enum Back {
    // Each with the number of its step's entry on the trail.
    Tap(usize, Box<dyn Tap>),
    Examiner(usize, Arc<dyn Examiner>),
}

impl Back {
    fn looks_inside(&self) -> bool {
        match self {
            Self::Tap(_, tap) => tap.looks_inside(),
            Self::Examiner(..) => true,
        }
    }
}

/// Takes an answer back, past the last step first, until somebody wants to examine it.
fn go_back(mut answer: Answer, back: &mut Vec<Back>) -> Answer {
    while let Some(last) = back.pop() {
        match last {
            Back::Tap(_, tap) => answer = tap.wrap(answer),
            examiner => {
                back.push(examiner);
                break;
            }
        }
    }
    answer
}

/// The same past those who do.
async fn go_back_examined(cx: &mut Cx, mut answer: Answer, back: Vec<Back>, is_stream: bool) -> Result<Answer, Stop> {
    for back in back.into_iter().rev() {
        answer = match back {
            Back::Tap(_, tap) => tap.wrap(answer),
            Back::Examiner(entry, examiner) => match examiner.window().filter(|_| is_stream) {
                Some(window) => windowed(cx, entry, examiner, window, answer).await?,
                None => examined(cx, entry, &*examiner, answer).await?,
            },
        };
    }
    Ok(answer)
}

/// Lets an answer pass before those who only observe it.
fn observe(cx: &mut Cx, answer: Answer, back: Vec<Back>, awaited: Awaited) -> Answer {
    let mut late = |entry: usize| cx.trail.late(entry);
    let inquiries: Vec<_> = awaited.left().into_iter().map(|(entry, inquiry)| (late(entry), inquiry)).collect();
    let (mut examiners, mut mirrors) = (Vec::new(), Vec::new());
    for back in back {
        match back {
            Back::Examiner(entry, examiner) => examiners.push((late(entry), examiner)),
            Back::Tap(entry, tap) => mirrors.push(Mirror::new(answer.head.clone(), tap, late(entry))),
        }
    }
    let is_alone = inquiries.is_empty() && examiners.is_empty() && mirrors.is_empty();
    if is_alone { answer } else { observed(answer, inquiries, examiners, mirrors) }
}

fn note(cx: &mut Cx, step: &dyn Step, verdict: Result<&'static str, &Stop>, begun: Instant) {
    let mut remarks = std::mem::take(&mut cx.remarks);
    let verdict = match verdict {
        Ok(verdict) => remarks.verdict().unwrap_or(verdict),
        Err(stop) => {
            remarks.note("code", stop.code().to_owned());
            "refuse"
        }
    };
    cx.trail.steps.push(StepEntry {
        step: step.name(),
        is_guard: step.is_guard(),
        begun,
        verdict: verdict.into(),
        took: begun.elapsed(),
        remarks,
        late: None,
    });
}
