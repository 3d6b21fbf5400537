//! Questions of a plugin to a model, put to a target the way a caller's are, with the target's own breaker and credentials.
//!
//! No policy and so no step has to do with them: a plugin never comes upon its own question. What they may take in tokens is
//! the policy's to say; what a question has cost goes on the bill of the request it was asked for.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::StreamExt as _;
use http::HeaderMap;
use serde_json::Value;
use tokio::time::timeout;

use crate::base::clock::Clock;
use crate::base::ids::ModelName;
use crate::base::json::Json;
use crate::base::units::Rate;
use crate::chat::{Completion, Content, Event, Format, Request, Verbatim};
use crate::pipeline::attempt::execute;
use crate::pipeline::charge::{Asked, Beside};
use crate::pipeline::chat::{ChatExchange, Onlookers, Steer};
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::retry::{Rules, Timeouts};
use crate::pipeline::route::Plan;
use crate::pipeline::target::Target;
use crate::state::{Full, Windows};
use crate::steps::plugin::edits::read_message;
use crate::steps::plugin::view;
use crate::steps::rewrite::set_param;
use crate::tokens::Tokens;
use crate::wasm::Model;
use crate::wasm::model::{Answer, Ask, Error};

/// The models one plugin may ask.
pub struct Models {
    pub targets: Vec<Arc<Target>>,
    pub windows: Arc<dyn Windows>,
    pub tokens: Arc<Tokens>,
    pub clock: Clock,
    /// What it may take, and whose window it is.
    pub rate: Rate,
    pub key: String,
}

/// The models, asked on behalf of one request.
pub struct Asker {
    pub models: Arc<Models>,
    pub beside: Beside,
}

impl Model for Asker {
    fn complete(&self, ask: Ask, limit: Duration) -> BoxFuture<'_, Result<Answer, Error>> {
        Box::pin(async move {
            match timeout(limit, self.exchange(ask, limit)).await {
                Ok(done) => done,
                Err(_) => Err(Error::Timeout),
            }
        })
    }
}

impl Asker {
    async fn exchange(&self, ask: Ask, limit: Duration) -> Result<Answer, Error> {
        let models = &*self.models;
        let target = models.targets.iter().find(|target| target.name.as_str() == ask.model);
        let target = target.ok_or_else(|| Error::Denied("the policy does not grant this model".into()))?;
        let request = request(ask, target)?;
        let estimate = models.tokens.estimate(&ModelName::new(request.model.as_str()), &request);
        models.windows.take(&models.key, models.rate, estimate).await.map_err(|full| match full {
            Full::Wait(..) | Full::Never(_) => Error::Budget,
            Full::Unavailable(why) => Error::Failed(why),
        })?;
        let completion = self.ask(request, target, limit).await?;
        let usage = completion.usage.clone().unwrap_or_default();
        let more = i64::try_from(usage.total()).unwrap_or(i64::MAX) - i64::try_from(estimate).unwrap_or(i64::MAX);
        models.windows.correct(&models.key, models.rate, more);
        let choice = completion.choices.into_iter().next();
        let parts = choice.as_ref().map(|choice| choice.parts.as_slice()).unwrap_or_default();
        let text = parts.iter().filter_map(|part| match &part.content {
            Content::Text(text) => Some(text.as_str().into_owned()),
            _ => None,
        });
        let finish = choice.as_ref().and_then(|choice| choice.finish.as_ref());
        Ok(Answer {
            text: text.collect(),
            finish_reason: finish.map_or("other", |finish| finish.reason.name()).to_owned(),
            usage: completion.usage.as_ref().map(view::usage),
        })
    }

    async fn ask(&self, request: Request, target: &Arc<Target>, limit: Duration) -> Result<Completion, Error> {
        let model = ModelName::new(request.model.as_str());
        // The circumstances of a question that no caller has asked.
        let cx = Cx::new(Endpoint::Chat, self.models.clock, Arc::clone(&self.models.tokens));
        let mut cx = Cx { dialect: Some(request.dialect), model: model.clone(), ..cx };
        let timeouts = Timeouts { total: limit, whole: limit, ..Timeouts::default() };
        let rules = Rules { timeouts, ..Rules::default() };
        let headers = HeaderMap::new();
        let steer = Steer { from_caller: &headers, from_steps: &headers };
        let mut exchange = ChatExchange::new(Box::new(Verbatim::new(request)), &model, steer, Onlookers::Taps);
        let answered = execute(&mut cx, &Plan::to(Arc::clone(target)), &rules, &mut exchange).await;
        let mut answer = match answered {
            Ok(answer) => answer,
            Err(stop) => {
                cx.charges.into_iter().for_each(|charge| self.beside.add(charge.asked, charge.usage));
                return Err(Error::Failed(format!("the model cannot be asked: {}", stop.code())));
            }
        };
        let asked = Asked { target: Arc::clone(target), model: target.model_for(&model).clone() };
        while let Some(burst) = answer.frames.next().await {
            let burst = burst.map_err(|stop| Error::Failed(format!("the answer broke off: {}", stop.code())))?;
            for event in burst.into_iter().flat_map(Verbatim::into_value) {
                if let Event::Whole(completion) = event {
                    self.beside.add(asked, completion.usage.clone().unwrap_or_default());
                    return Ok(*completion);
                }
            }
        }
        Err(Error::Failed("there was no answer".into()))
    }
}

/// The question as a request in the target's own dialect.
fn request(ask: Ask, target: &Target) -> Result<Request, Error> {
    let denied = |what: String| Error::Denied(what);
    // A target that is fixed to a model asks for that; `provider/model` names it.
    let model = target.model.as_ref().map_or(ask.model.as_str(), ModelName::as_str);
    let mut request = Request::new(target.dialect.id(), model);
    request.messages = ask.messages.into_iter().map(read_message).collect::<Result<_, _>>().map_err(denied)?;
    let params: Value =
        serde_json::from_str(&ask.params_json).map_err(|_| denied("parameters that are not JSON".into()))?;
    for (name, value) in params.as_object().ok_or_else(|| denied("parameters that are no object".into()))? {
        match (name.as_str(), value) {
            ("response_format", Value::String(word)) if word == "json_object" => {
                request.params.format = Some(Format::JsonObject);
            }
            ("response_format", value) => {
                request.params.format =
                    Some(schema(value).ok_or_else(|| denied("a response_format that is none".into()))?)
            }
            _ => set_param(&mut request.params, name, value).map_err(denied)?,
        }
    }
    Ok(request)
}

fn schema(value: &Value) -> Option<Format> {
    let described = value.get("json_schema")?;
    Some(Format::JsonSchema {
        name: Some(described.get("name").and_then(Value::as_str).unwrap_or("answer").into()),
        description: None,
        schema: Json(described.get("schema")?.to_string().into()),
        strict: described.get("strict").and_then(Value::as_bool),
    })
}
