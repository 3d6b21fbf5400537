//! Asks a guard outside what it thinks of a request or of an answer: a moderation endpoint, Presidio's analyzer, or a
//! webhook of one's own.
//!
//! Of a request the guard is shown all that a model reads, unless the policy wants only the last word of the user; of
//! an answer all that it says. Nothing of an answer goes on before the guard has seen the whole of it: a stream that is
//! screened is gathered first, and reaches its caller at once; or, by a `window`, part by part as it is judged. A guard
//! that is dead, slow or lying has not spoken, and `when_unavailable` says what that means.
//!
//! What is no text (images, files, recordings) no guard here is shown.

mod guard;
mod passage;
mod report;
mod rules;

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::time::Instant;
use tracing::warn;

use crate::base::ids::{PolicyName, RequestId};
use crate::base::stop::{Refusal, Stop};
use crate::base::units::{Period, Size};
use crate::chat::{Request, Verbatim};
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::hold::{Examiner, Hold, Inquiry, Patience, Ruling, Window};
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::step::{Deed, Side};
use crate::pipeline::{Burst, Flow, OpaqueFlow, Step};
use crate::steps::Site;
use crate::steps::limit::WhenUnavailable;

pub use guard::{Guard, Spec, hop_name};
use passage::{Passages, said};
pub use report::Kind;
use report::{About, Report, Shape};
use rules::Rules;

/// The settings of a `screen` step.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The guard, by its name under `screens`.
    pub by: String,
    /// What is screened: requests, answers, or both; requests if not said. An answer that is screened leaves in one
    /// piece when the guard has seen all of it, streams too.
    #[serde(default, rename = "where")]
    pub places: Option<Vec<Place>>,
    /// Kinds of what the guard flags that are refused; `*` stands for any characters. All that it flags if neither this
    /// nor `scores` is said. A webhook decides by itself.
    #[serde(default)]
    pub refuse: Option<Vec<String>>,
    /// Scores from which on kinds are refused, flagged or not: `{ "hate*": 0.4 }`.
    #[serde(default)]
    pub scores: BTreeMap<String, f64>,
    /// How long to wait for the guard; as `screens` says if not said here.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What becomes of requests and answers that the guard does not answer about.
    #[serde(default)]
    pub when_unavailable: WhenUnavailable,
    /// `waiting`: the target is asked while the guard is, and its answer held back. A refused request has then been sent,
    /// and may be charged for.
    #[serde(default, rename = "while")]
    pub meanwhile: Option<While>,
    /// `last_user`: of a request, only what the user has said last.
    #[serde(default)]
    pub only: Option<Only>,
    /// How much of a streamed answer is screened at a time. What has been judged leaves at once; an answer that is
    /// refused later than in its first window ends with an error. What stretches over more than a window and its
    /// overlap is never seen as a whole. Without it nothing of a stream leaves before all of it has been judged.
    #[serde(default)]
    pub window: Option<WindowConfig>,
    /// What becomes of requests and answers that hold images, files or recordings, which the guard is not shown.
    #[serde(default)]
    pub unscannable: Unscannable,
}

/// A part of a stream's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// How much is gathered before it is screened: `4KiB`, which is about a thousand tokens.
    pub size: Size,
    /// How much of what was screened before is shown again with it: at least as long as what must not slip through;
    /// an eighth of the size if not said.
    #[serde(default)]
    pub overlap: Option<Size>,
}

impl WindowConfig {
    fn read(self) -> Result<Window, String> {
        let (size, overlap) = (self.size.0, self.overlap.map_or(self.size.0 / 8, |overlap| overlap.0));
        if !(1..=MOST_WINDOW).contains(&size) {
            return Err(format!("a `window` has between 1B and {}MiB", MOST_WINDOW >> 20));
        }
        if overlap >= size {
            return Err("the `overlap` of a `window` must be smaller than its `size`".into());
        }
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(Window { size: bytes(size), overlap: bytes(overlap) })
    }
}

/// Where texts are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Request,
    Answer,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

/// What goes on while the guard is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum While {
    Waiting,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    LastUser,
}

/// What becomes of what cannot be screened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unscannable {
    #[default]
    Refuse,
    Pass,
}

/// The step, ready to ask.
pub struct Screen {
    desk: Arc<Desk>,
    screens_requests: bool,
    screens_answers: bool,
    patience: Patience,
    only: Option<Only>,
    window: Option<Window>,
}

impl Screen {
    /// # Errors
    /// When there is no such guard, or its settings contradict each other.
    pub fn new(config: &Config, site: &Site<'_>) -> Result<Self, String> {
        let guard = site.screens.get(&config.by).cloned().ok_or_else(|| no_screen(&config.by, site.screens))?;
        let places = config.places.as_deref().unwrap_or(&[Place::Request]);
        let screens_requests = places.contains(&Place::Request);
        contradictions(config, guard.kind(), places)?;
        let desk = Desk {
            rules: Rules::new(config.refuse.as_deref(), &config.scores)?,
            timeout: config.timeout.map_or(guard.timeout(), |timeout| timeout.0),
            guard,
            when_unavailable: config.when_unavailable,
            unscannable: config.unscannable,
            policy: site.policy.clone(),
        };
        Ok(Self {
            desk: Arc::new(desk),
            screens_requests,
            screens_answers: places.contains(&Place::Answer),
            patience: if config.meanwhile.is_some() { Patience::Meanwhile } else { Patience::First },
            only: config.only,
            window: config.window.map(WindowConfig::read).transpose()?,
        })
    }
}

fn no_screen(name: &str, known: &BTreeMap<String, Arc<Guard>>) -> String {
    let near = known.keys().find(|known| strsim::damerau_levenshtein(known, name) <= 2);
    let known = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match near {
        Some(near) => format!("there is no screen `{name}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no screen `{name}`; the file has none"),
        None => format!("there is no screen `{name}`; known are: {known}"),
    }
}

fn contradictions(config: &Config, kind: &Kind, places: &[Place]) -> Result<(), String> {
    if places.is_empty() {
        return Err("it screens nothing; give `where` one of: request, answer".into());
    }
    if !places.contains(&Place::Request) {
        if config.meanwhile.is_some() {
            return Err("`while: waiting` is about requests, and `where` leaves them out".into());
        }
        if config.only.is_some() {
            return Err("`only` is about requests, and `where` leaves them out".into());
        }
    }
    if config.window.is_some() && !places.contains(&Place::Answer) {
        return Err("`window` is about answers, and `where` leaves them out".into());
    }
    if kind.decides() && (config.refuse.is_some() || !config.scores.is_empty()) {
        return Err(format!("the webhook `{}` decides by itself; leave `refuse` and `scores` out", config.by));
    }
    if config.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
        return Err("a `timeout` of nothing leaves the guard no time to answer".into());
    }
    Ok(())
}

impl Step for Screen {
    fn name(&self) -> &'static str {
        "screen"
    }

    /// A count of tokens is no use of a model, and guards need not see what is counted.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::Chat | Endpoint::CountTokens)
    }

    fn holds_back(&self) -> Option<usize> {
        // One is judged while the next is gathered.
        self.window.map(|window| 2 * window.size)
    }

    fn is_guard(&self) -> bool {
        true
    }

    fn deeds(&self) -> Vec<Deed> {
        let sides = [(Side::Request, self.screens_requests), (Side::Answer, self.screens_answers)];
        let sides = sides.into_iter().filter(|(_, is_on)| *is_on);
        sides.flat_map(|(side, _)| [Deed::Shows(side), Deed::Guards(side)]).collect()
    }

    fn begin_opaque<'a>(&'a self, _: &'a mut Cx, _: &'a mut OpaqueRequest) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        Box::pin(ready(Ok(OpaqueFlow::Pass)))
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        let inquiry = self.screens_requests.then(|| {
            let shown = match self.only {
                None => Passages::of(request),
                Some(Only::LastUser) => Passages::of_last_user(request),
            };
            (self.patience, self.desk.inquire(cx.id, Place::Request, &shown))
        });
        let examiner = Answers { desk: Arc::clone(&self.desk), id: cx.id, window: self.window };
        let answer = self.screens_answers.then(|| Arc::new(examiner) as Arc<dyn Examiner>);
        Box::pin(ready(Ok(Flow::Hold(Hold { request: inquiry, answer }))))
    }
}

/// Has the answer to one request examined.
struct Answers {
    desk: Arc<Desk>,
    id: RequestId,
    window: Option<Window>,
}

impl Examiner for Answers {
    fn examine(&self, answer: &[Burst]) -> Inquiry {
        self.desk.inquire(self.id, Place::Answer, &said(answer))
    }

    fn window(&self) -> Option<Window> {
        self.window
    }
}

/// Whom a step asks, and what it makes of the answer.
struct Desk {
    guard: Arc<Guard>,
    rules: Rules,
    timeout: Duration,
    when_unavailable: WhenUnavailable,
    unscannable: Unscannable,
    policy: PolicyName,
}

impl Desk {
    fn inquire(self: &Arc<Self>, id: RequestId, place: Place, shown: &Passages) -> Inquiry {
        if shown.has_more && self.unscannable == Unscannable::Refuse {
            return Box::pin(ready(self.cannot_see(place)));
        }
        if shown.texts.is_empty() {
            return Box::pin(ready(self.ruling("pass")));
        }
        let about = About { request_id: id.as_str(), policy: self.policy.as_str(), place: place.name() };
        let body = self.guard.kind().write(&shown.texts, &about);
        let (desk, texts) = (Arc::clone(self), Shape::of(&shown.texts));
        Box::pin(async move {
            let begun = Instant::now();
            let heard = desk.guard.ask(body.into(), &texts, desk.timeout).await;
            let ruling = match heard {
                Ok(report) => desk.judge(place, &texts, report),
                Err(reason) => desk.unheard(id, reason),
            };
            Ruling { took: begun.elapsed(), ..ruling }
        })
    }

    fn ruling(&self, verdict: &'static str) -> Ruling {
        let guard = Arc::clone(self.guard.name());
        let notes = vec![("by".into(), guard.to_string())];
        Ruling { guard, verdict, notes, ..Ruling::default() }
    }

    fn cannot_see(&self, place: Place) -> Ruling {
        let (guard, place) = (self.guard.name(), place.name());
        let message = format!("the {place} holds what `{guard}` cannot screen: an image, a file or a recording");
        let stop = Some(Refusal::new(403, "guard_cannot_act", message).into());
        Ruling { rule: "unscannable".into(), stop, ..self.ruling(REFUSE) }
    }

    fn unheard(&self, id: RequestId, reason: String) -> Ruling {
        let guard = self.guard.name();
        warn!(request = %id, %guard, %reason, "a guard could not be asked");
        let mut ruling = self.ruling("unavailable");
        ruling.notes.push(("reason".into(), reason));
        if self.when_unavailable == WhenUnavailable::Refuse {
            let message = format!("the guard `{guard}` cannot be asked at the moment");
            ruling.stop = Some(Refusal::new(503, "guard_unavailable", message).into());
        }
        ruling
    }

    fn judge(&self, place: Place, texts: &Shape, report: Report) -> Ruling {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut refused = report.refused;
        for finding in &report.findings {
            let is_reason = !self.guard.kind().decides() && self.rules.refuse(finding);
            if is_reason && refused.is_none() {
                refused = Some(report::Refused { rule: finding.kind.clone(), message: None });
            }
            if is_reason || finding.is_flagged {
                let role = finding.text.and_then(|text| texts.role(text)).filter(|_| place == Place::Request);
                let key = format!("{}.{}", role.unwrap_or(place.name()), finding.kind);
                let count = counts.entry(key).or_default();
                *count = count.saturating_add(finding.count);
            }
        }
        let mut ruling = self.ruling(if refused.is_some() { REFUSE } else { "pass" });
        let found = counts.into_iter().take(MOST_NOTES).map(|(key, count)| (key.into(), count.to_string()));
        ruling.notes.extend(found);
        if let Some(report::Refused { rule, message }) = refused {
            ruling.notes.push(("rule".into(), rule.clone()));
            ruling.stop = Some(self.refusal(place, &rule, message.as_deref()).into());
            ruling.rule = rule;
        }
        ruling
    }

    fn refusal(&self, place: Place, rule: &str, message: Option<&str>) -> Refusal {
        let more = message.map(|message| format!(": {message}")).unwrap_or_default();
        let said = format!("`{}` refused the {} for `{rule}`{more}", self.guard.name(), place.name());
        Refusal::new(403, "guard_refused", said)
    }
}

const REFUSE: &str = "refuse";
const MOST_WINDOW: u64 = 16 << 20;
/// Kinds that are noted of one request.
const MOST_NOTES: usize = 32;
