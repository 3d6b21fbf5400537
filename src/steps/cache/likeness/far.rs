//! Asks a provider where texts lie, several at a time.
//!
//! Texts wait in a queue of a certain length for the next batch; there is no more than a few of these under way. A target that
//! keeps failing is left alone for a while.
//! What a batch has cost is a line of its own in the ledger, on the policy and on nobody's budget, and counted in the metrics
//! as no team's: it is for many. One that fails has cost nothing if the target says that it failed, and what its texts are guessed at if it does not
//! answer in time, breaks off in its answer or says what is none.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt as _, Limited};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::embedder::Without;
use super::vector::Vector;
use crate::base::clock::Clock;
use crate::base::ids::{ModelName, PolicyName, RequestId};
use crate::base::money::Nanos;
use crate::base::stop::{FaultClass, Stop};
use crate::chat::Usage;
use crate::pipeline::attempt::execute;
use crate::pipeline::breaker::{self, Admission, Breaker};
use crate::pipeline::charge::quote;
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::{OpaqueBody, OpaqueExchange, OpaqueRequest};
use crate::pipeline::retry::{Rules, Timeouts};
use crate::pipeline::route::Plan;
use crate::pipeline::target::Target;
use crate::pricing::{Terms, Unknown};
use crate::state::{CostLine, Counts, HoldId, Ledger, Mark, Settlement};
use crate::steps::cache::Book;
use crate::tokens::Tokens;

/// A way to a model elsewhere.
pub struct Far {
    source: Arc<Source>,
    /// Opened with the first text, since there is nobody to wait before.
    queue: OnceLock<mpsc::Sender<Wanted>>,
}

/// Whom to ask, and who pays.
pub struct Source {
    pub policy: PolicyName,
    pub target: Arc<Target>,
    pub model: ModelName,
    /// How long a batch may take.
    pub limit: Duration,
    pub ledger: Option<Arc<dyn Ledger>>,
    pub counts: Arc<Book>,
    pub tokens: Arc<Tokens>,
    pub clock: Clock,
    /// Beside the target's own, which lets a request through where there is no other target: a text can do without.
    pub breaker: Breaker,
}

struct Wanted {
    text: String,
    reply: oneshot::Sender<Option<Vector>>,
}

impl Far {
    pub fn new(source: Source) -> Self {
        Self { source: Arc::new(source), queue: OnceLock::new() }
    }

    /// Puts a text in the queue; `None` is heard later if its batch failed.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn embed(&self, text: &str) -> Result<oneshot::Receiver<Option<Vector>>, Without> {
        let (reply, heard) = oneshot::channel();
        let queue = self.queue.get_or_init(|| {
            let (queue, wanted) = mpsc::channel(QUEUE);
            tokio::spawn(work(Arc::clone(&self.source), wanted));
            queue
        });
        queue.try_send(Wanted { text: text.to_owned(), reply }).map_err(|_| Without::Busy)?;
        Ok(heard)
    }
}

/// Puts texts together to batches for as long as there is an embedder.
async fn work(source: Arc<Source>, mut wanted: mpsc::Receiver<Wanted>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(first) = wanted.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (mut batch, until) = (vec![first], Instant::now() + GATHER);
        while batch.len() < BATCH
            && let Ok(Some(next)) = timeout_at(until, wanted.recv()).await
        {
            batch.push(next);
        }
        // Whoever has given up meanwhile need not be paid for.
        batch.retain(|wanted| !wanted.reply.is_closed());
        if !batch.is_empty() {
            let source = Arc::clone(&source);
            tokio::spawn(async move {
                source.serve(batch).await;
                drop(place);
            });
        }
    }
}

impl Source {
    async fn serve(&self, batch: Vec<Wanted>) {
        let texts: Vec<_> = batch.iter().map(|wanted| wanted.text.as_str()).collect();
        let vectors = match self.breaker.admit() {
            Admission::Pass | Admission::Probe => self.ask(&texts).await,
            Admission::Wait(_) => return,
        };
        match &vectors {
            Some(_) => self.breaker.succeeded(),
            None => drop(self.breaker.failed(&breaker::Settings::default())),
        }
        let mut vectors = vectors.unwrap_or_default().into_iter();
        for wanted in batch {
            let _ = wanted.reply.send(vectors.next().flatten());
        }
    }

    /// One vector for each text; `None` if the target gives no sensible answer.
    async fn ask(&self, texts: &[&str]) -> Option<Vec<Option<Vector>>> {
        let body = json!({ "model": self.model.as_str(), "input": texts, "encoding_format": "float" });
        let body = OpaqueBody::json(Bytes::from(body.to_string())).ok()?;
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = OpaqueRequest { method: Method::POST, path: "/embeddings".to_owned(), headers, body };
        // The circumstances of a request that no caller has made.
        let mut cx = Cx::new(Endpoint::Embeddings, self.clock, Arc::clone(&self.tokens));
        cx.model.clone_from(&self.model);
        let timeouts = Timeouts { total: self.limit, whole: self.limit, headers: self.limit, ..Timeouts::default() };
        let rules = Rules { timeouts, ..Rules::default() };
        let mut exchange = OpaqueExchange::new(request, Endpoint::Embeddings);
        let plan = Plan::to(Arc::clone(&self.target));
        // Four bytes are a token, about.
        let guessed = || texts.iter().map(|text| text.len() as u64).sum::<u64>() / 4;
        let answered = match execute(&mut cx, &plan, &rules, &mut exchange).await {
            Ok(reply) => reply,
            Err(stop) => {
                if was_at_work(&stop) {
                    self.book(guessed(), &[Mark::Estimated, Mark::Failed]);
                }
                return None;
            }
        };
        let body = answered.response.into_body().map_err(|stop| stop.code().to_owned());
        let body = Limited::new(body, LARGEST);
        let bytes = timeout(self.limit, body.collect()).await.ok().and_then(Result::ok).map(|body| body.to_bytes());
        let Some(reply) = bytes.and_then(|bytes| serde_json::from_slice::<Reply>(&bytes).ok()) else {
            self.book(guessed(), &[Mark::Estimated, Mark::Failed]);
            return None;
        };
        match reply.usage.as_ref().and_then(|said| said.prompt_tokens) {
            Some(said) => self.book(said, &[]),
            None => self.book(guessed(), &[Mark::Estimated]),
        }
        Some(reply.vectors(texts.len()))
    }

    /// Notes what a batch has cost.
    fn book(&self, tokens: u64, marks: &[Mark]) {
        let usage = Usage { text_in: Some(tokens), ..Usage::default() };
        let at = self.clock.now();
        let quote = quote(&self.target, &self.model, Unknown::Zero, at);
        let cost = quote.as_ref().map(|quote| quote.rates.cost(&usage, Terms::default()));
        self.counts.spend(&self.target.name, cost.unwrap_or_default());
        let Some(ledger) = &self.ledger else { return };
        let request = RequestId::fresh(u64::try_from(at.as_millisecond()).unwrap_or(0));
        let line = CostLine {
            request,
            attempt: 0,
            at,
            key: None,
            team: None,
            user: None,
            policy: Some(self.policy.clone()),
            model: self.model.as_str().into(),
            target: Some(self.target.name.clone()),
            provider: Some(self.target.provider.name().clone()),
            priced: quote.and_then(|quote| quote.row),
            usage: Counts::from(&usage),
            cost: cost.unwrap_or(Nanos::ZERO),
            marks: marks.iter().copied().chain(cost.is_none().then_some(Mark::Unpriced)).collect(),
        };
        ledger.settle(Settlement { hold: HoldId { request, attempt: 0 }, at, lines: vec![line] });
    }
}

/// Whether a batch that came to nothing has likely cost something: nobody has said that it was not worked on.
fn was_at_work(stop: &Stop) -> bool {
    matches!(stop, Stop::Failed(failed) if failed.fault.class() == FaultClass::Timeout)
}

/// What a provider of embeddings says.
#[derive(serde::Deserialize)]
struct Reply {
    data: Vec<Item>,
    usage: Option<Said>,
}

#[derive(serde::Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Said {
    prompt_tokens: Option<u64>,
}

impl Reply {
    /// In the order of the texts, whatever order they come in.
    fn vectors(self, count: usize) -> Vec<Option<Vector>> {
        let mut vectors = vec![None; count];
        for Item { index, embedding } in self.data {
            if let Some(place) = vectors.get_mut(index) {
                *place = Vector::of(&embedding);
            }
        }
        vectors
    }
}

/// Texts that may wait.
const QUEUE: usize = 256;
/// The most in one batch.
const BATCH: usize = 32;
/// Batches under way.
const AT_ONCE: usize = 4;
/// How long a batch waits for more.
const GATHER: Duration = Duration::from_millis(2);
/// Bytes of a reply.
const LARGEST: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_in_another_order_or_with_something_missing_is_put_right() {
        let reply =
            r#"{"data":[{"index":2,"embedding":[1,0]},{"index":0,"embedding":[0,1]},{"index":9,"embedding":[1,1]}]}"#;
        let vectors = serde_json::from_str::<Reply>(reply).unwrap().vectors(3);
        assert_eq!(vectors, [Vector::of(&[0.0, 1.0]), None, Vector::of(&[1.0, 0.0])]);
    }
}
