//! The sandbox of one case: the plugin is configured, called once, and thrown away.

use std::sync::Arc;

use jiff::Timestamp;

use super::document::PieceDoc;
use super::moment::{self, Moment, Sent};
use super::outcome::{Came, Said, Verdict};
use super::played::{Counters, Keys, Played};
use crate::base::clock::Clock;
use crate::chat::{Completion, Edits, Request, Verbatim};
use crate::rehearsal::mistakes;
use crate::steps::plugin::edits::{self, Leave, Plan};
use crate::steps::plugin::view::{self, Origin, Sight};
use crate::steps::plugin::{Grant, schema};
use crate::wasm::types::{Context, Delta, Denial, Outcome, Piece, StreamVerdict};
use crate::wasm::{
    Abilities, Call, Called, Component, Instance, Isolation, Limits, Plugin, Report, Setup, Trouble, types,
};

/// A component and what it is called with.
pub struct Stage<'a> {
    pub component: &'a Component,
    pub limits: &'a Limits,
    pub moment: &'a Moment,
}

impl Stage<'_> {
    /// Configures a fresh instance and calls its hook. A stream comes in pieces of `cut` bytes, or all at once.
    pub fn play(&self, cut: Option<usize>) -> Came {
        let played = Played::new(&self.moment.given);
        let mut report = Report::default();
        let said = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(self.call(&played, cut, &mut report)),
            Err(_) => Err(Trouble::Unavailable("there is no runtime for it")),
        };
        Came { said, report, done: played.done() }
    }

    async fn call(&self, played: &Arc<Played>, cut: Option<usize>, report: &mut Report) -> Result<Said, Trouble> {
        let plugin = self.plugin(played)?;
        let Some(body) = &self.moment.request else { return Ok(Said::default()) };
        let request = moment::request(body).map_err(Trouble::Nonsense)?;
        let call = self.begin(played);
        let mut taken = plugin.take(&call).await?;
        let wall_ms = u32::try_from(self.limits.wall.as_millis()).unwrap_or(u32::MAX);
        let turn = Turn {
            stage: self,
            instance: taken.instance()?,
            context: moment::context(self.moment, wall_ms),
            played,
            report,
        };
        match &self.moment.sent {
            Sent::Request => turn.request(request, call).await,
            Sent::Answer(pieces) => turn.answer(&request, pieces, call).await,
            Sent::Stream(pieces) => turn.stream(&request, pieces, cut).await,
        }
    }

    fn plugin(&self, played: &Arc<Played>) -> Result<Plugin, Trouble> {
        let setup = Setup {
            limits: self.limits.clone(),
            abilities: self.abilities(played),
            config: self.moment.config.to_string(),
            isolation: Isolation::Request,
        };
        let about = self.component.about(&setup)?;
        let missing = about.needs.iter().find(|need| !self.moment.grants.iter().any(|grant| grant.name() == *need));
        if let Some(need) = missing {
            return Err(Trouble::Nonsense(format!("it needs `{need}`, which the case does not grant")));
        }
        let is_asked = self.moment.request.is_some() && matches!(self.moment.sent, Sent::Request);
        if is_asked && !about.hooks.contains(&Called::OnRequest) {
            return Err(Trouble::Nonsense("it is called for answers alone, and there is only a request".into()));
        }
        schema::check(&self.moment.config, about.config_schema_json.as_deref()).map_err(Trouble::Nonsense)?;
        Plugin::new(self.component.clone(), setup)
    }

    fn begin(&self, played: &Arc<Played>) -> Call {
        let call = Call::within(self.limits.wall);
        match self.moment.grants.iter().any(|grant| matches!(grant, Grant::Model(_))) {
            true => call.asking(Arc::clone(played) as _),
            false => call,
        }
    }

    fn abilities(&self, played: &Arc<Played>) -> Abilities {
        let mut abilities = Abilities::none(Arc::clone(played) as _);
        let (mut signs, mut reveals) = (Vec::new(), Vec::new());
        for grant in &self.moment.grants {
            match grant {
                Grant::Clock => abilities.clock = Some(Clock::starting_at(self.now())),
                Grant::Random => abilities.random = true,
                Grant::Metrics(names) => {
                    let counters = Counters { granted: names.clone(), played: Arc::clone(played) };
                    abilities.metrics = Some(Arc::new(counters));
                }
                Grant::Kv => abilities.kv = Some(Arc::clone(played) as _),
                Grant::Http(_) => abilities.http = Some(Arc::clone(played) as _),
                Grant::Secrets(names) => signs.extend(names.iter().cloned()),
                Grant::Reveal(names) => reveals.extend(names.iter().cloned()),
                _ => {}
            }
        }
        if !signs.is_empty() || !reveals.is_empty() {
            abilities.secrets = Some(Arc::new(Keys { signs, reveals, played: Arc::clone(played) }));
        }
        abilities
    }

    fn now(&self) -> Timestamp {
        mistakes::clock(self.moment.given.clock.as_ref(), &mut Vec::new()).unwrap_or_default()
    }

    fn sight(&self, grant: &Grant) -> Sight {
        if self.moment.grants.contains(grant) { Sight::Text } else { Sight::Outline }
    }

    fn leave(&self) -> Leave {
        let has = |grant: &Grant| self.moment.grants.contains(grant);
        let names = self.moment.grants.iter().filter_map(|grant| match grant {
            Grant::SetHeaders(names) => Some(names),
            _ => None,
        });
        Leave {
            text: has(&Grant::RequestText),
            model: has(&Grant::RequestModel),
            params: has(&Grant::RequestParams),
            headers: names.flatten().filter_map(|name| name.parse().ok()).collect(),
        }
    }
}

/// An instance and what it is called with.
struct Turn<'a> {
    stage: &'a Stage<'a>,
    instance: &'a mut Instance,
    context: Context,
    played: &'a Arc<Played>,
    report: &'a mut Report,
}

impl Turn<'_> {
    async fn request(self, request: Request, call: Call) -> Result<Said, Trouble> {
        let (shown, attached) = view::request(&request, self.stage.sight(&Grant::RequestText));
        let outcome = self.instance.on_request(call.with(Arc::new(attached)), &self.context, &shown).await;
        *self.report = self.instance.report();
        let (mut said, edits) = said(outcome?);
        let plan = Plan::of(edits, &request, &self.stage.leave()).map_err(Trouble::Nonsense)?;
        said.headers = plan
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut request = Verbatim::new(request);
        plan.apply(&mut request);
        let (after, _) = view::request(&request, Sight::Text);
        said.texts = after.messages.iter().flat_map(|message| moment::texts_of(&message.parts)).collect();
        said.params = serde_json::from_str(&after.params_json).unwrap_or_default();
        said.model = after.model;
        Ok(said)
    }

    async fn answer(self, request: &Request, pieces: &[PieceDoc], call: Call) -> Result<Said, Trouble> {
        let (shown, attached) = view::request(request, self.stage.sight(&Grant::RequestText));
        let mut completion = moment::completion(pieces);
        let sight = self.stage.sight(&Grant::AnswerText);
        let origin = Origin { provider: Some("played"), streaming: false };
        let (mut answer, attached) = view::completion(&completion, &origin, sight, attached);
        answer.usage = moment::usage(pieces);
        let call = call.with(Arc::new(attached));
        let outcome = self.instance.on_response(call, &self.context, &shown, &answer).await;
        *self.report = self.instance.report();
        let (mut said, edits) = said(outcome?);
        let wordings = edits::reword_answer(edits, &completion, sight == Sight::Text).map_err(Trouble::Nonsense)?;
        edits::apply_to_answer(wordings, &mut completion, &mut Edits::default());
        said.texts = texts(&completion);
        Ok(said)
    }

    async fn stream(self, request: &Request, pieces: &[PieceDoc], cut: Option<usize>) -> Result<Said, Trouble> {
        let Self { stage, instance, context, played, report } = self;
        let (shown, _) = view::request(request, stage.sight(&Grant::RequestText));
        let session = instance.open(stage.begin(played), &context, &shown).await;
        add(report, instance.report());
        let session = session?;
        let (mut said, mut held) = (Said::default(), Vec::new());
        let mut stopped = None;
        for batch in moment::batches(pieces, cut, &stage.moment.grants) {
            let outcome = instance.push(stage.begin(played), &session, &batch).await;
            add(report, instance.report());
            held.extend(batch);
            let outcome = outcome?;
            said.findings.extend(outcome.findings);
            stopped = decide(outcome.verdict, &mut held, &mut said.read)?;
            if stopped.is_some() {
                break;
            }
        }
        if stopped.is_none() {
            let outcome = instance.finish(stage.begin(played), &session, moment::usage(pieces)).await;
            add(report, instance.report());
            let outcome = outcome?;
            said.findings.extend(outcome.findings);
            if matches!(outcome.verdict, StreamVerdict::Hold) {
                return Err(Trouble::Nonsense("it holds an answer that is over".into()));
            }
            stopped = decide(outcome.verdict, &mut held, &mut said.read)?;
        }
        instance.close(stage.begin(played), session).await?;
        said.verdict = stopped.map_or(Verdict::Pass, Verdict::Deny);
        Ok(said)
    }
}

/// What an outcome says, and what it wants changed.
fn said(outcome: Outcome) -> (Said, Vec<types::Edit>) {
    let Outcome { verdict, edits, findings, tags } = outcome;
    let verdict = match verdict {
        types::Verdict::Pass => Verdict::Pass,
        types::Verdict::Deny(denial) => Verdict::Deny(denial),
        types::Verdict::Respond(reply) => Verdict::Respond(moment::texts_of(&reply.parts).concat()),
    };
    (Said { verdict, findings, tags, ..Said::default() }, edits)
}

fn texts(completion: &Completion) -> Vec<String> {
    let origin = Origin { provider: None, streaming: false };
    let (shown, _) = view::completion(completion, &origin, Sight::Text, view::Attached::default());
    shown.choices.iter().flat_map(|choice| moment::texts_of(&choice.parts)).collect()
}

/// Lets go of what is held, as the plugin says. The error that the answer ends with, if it does.
fn decide(verdict: StreamVerdict, held: &mut Vec<Delta>, read: &mut String) -> Result<Option<Denial>, Trouble> {
    let leaves = match verdict {
        StreamVerdict::Hold => return Ok(None),
        StreamVerdict::Stop(denial) => return Ok(Some(denial)),
        StreamVerdict::Pass => std::mem::take(held),
        StreamVerdict::Replace(with) => {
            let says = |delta: &Delta, held: &[Delta]| {
                held.iter().any(|held| (held.choice, held.part) == (delta.choice, delta.part) && text(held).is_some())
            };
            let stray = with.iter().find(|delta| text(delta).is_some() && !says(delta, held));
            if let Some(Delta { choice, part, .. }) = stray {
                let message = format!("it gives a text to part {part} of choice {choice}, which has none in the batch");
                return Err(Trouble::Nonsense(message));
            }
            held.clear();
            with
        }
    };
    read.extend(leaves.iter().filter_map(text));
    Ok(None)
}

fn text(delta: &Delta) -> Option<&str> {
    match &delta.piece {
        Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) | Piece::ToolArguments(text) => Some(text),
        Piece::ToolCall(_) | Piece::End => None,
    }
}

/// Another call of the same stream.
fn add(all: &mut Report, one: Report) {
    all.took += one.took;
    all.ticks += one.ticks;
    all.fuel = match (all.fuel, one.fuel) {
        (Some(all), Some(one)) => Some(all + one),
        (all, one) => all.or(one),
    };
    all.memory = all.memory.max(one.memory);
    all.host_calls += one.host_calls;
    all.log_dropped += one.log_dropped;
}
