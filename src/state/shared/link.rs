//! The connection to the store, and what is known of it: there, lost a moment ago, or away.
//!
//! Whoever asks while a lost connection is being made anew waits for that, as long as it may wait for an answer.
//! Once that has failed nobody waits any more: the [settler](super::settler) tries on its own and says when the store
//! is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::script::{self, Call};
use super::settings::{Settings, connection};
use crate::base::duration;

pub(super) struct Link {
    client: Client,
    /// Host and port, without credentials.
    pub place: String,
    /// What all keys begin with.
    pub root: String,
    pub timeout: Duration,
    state: watch::Sender<State>,
    sessions: AtomicU64,
    /// Somebody wants to know now whether the store is back.
    hurry: Notify,
}

#[derive(Clone)]
enum State {
    Up(Session),
    /// The connection is lost, or was never made, and is being made.
    Trying,
    /// It could not be made; why.
    Down(Arc<str>),
}

/// A connection that has worked so far.
#[derive(Clone)]
pub(super) struct Session {
    connection: MultiplexedConnection,
    number: u64,
    /// Whoever waits for an answer on it need not.
    is_over: CancellationToken,
}

/// No answer.
#[derive(Debug)]
pub(super) struct Lost {
    /// Whether the question may have been heard all the same.
    pub was_sent: bool,
    pub why: String,
}

/// Whether a question that got no answer may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Yes,
    No,
}

impl Link {
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let info = connection(&settings.url)?;
        let place = info.addr().to_string();
        let client = Client::open(info).map_err(|_| "the URL of the store cannot be used".to_owned())?;
        Ok(Self {
            client,
            place,
            root: format!("{{{}}}:", settings.prefix),
            timeout: settings.timeout,
            state: watch::Sender::new(State::Trying),
            sessions: AtomicU64::new(0),
            hurry: Notify::new(),
        })
    }

    /// Runs a script and waits for its answer, for no longer than a request may.
    pub async fn run(&self, call: &Call, again: Again) -> Result<Value, Lost> {
        let end = Instant::now() + self.timeout;
        let mut was_sent = false;
        loop {
            let session = self.session(end).await.map_err(|why| Lost { was_sent, why })?;
            was_sent = true;
            let why = tokio::select! {
                biased;
                answer = timeout_at(end, session.run(call, &self.root)) => match answer {
                    Ok(Ok(value)) => return Ok(value),
                    Ok(Err(error)) if is_refusal(&error) => return Err(Lost { was_sent, why: error.to_string() }),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => silence(self.timeout),
                },
                () = session.is_over.cancelled() => "the connection was lost".to_owned(),
            };
            self.lose(&session);
            if again == Again::No || Instant::now() >= end {
                return Err(Lost { was_sent, why });
            }
        }
    }

    /// The connection, if there is one now.
    pub fn current(&self) -> Option<Session> {
        match &*self.state.borrow() {
            State::Up(session) => Some(session.clone()),
            State::Trying | State::Down(_) => None,
        }
    }

    /// Why nobody should wait for the store, if so.
    pub fn is_down(&self) -> Option<Arc<str>> {
        match &*self.state.borrow() {
            State::Down(why) => Some(Arc::clone(why)),
            State::Up(_) | State::Trying => None,
        }
    }

    /// The connection, once there is one.
    async fn session(&self, end: Instant) -> Result<Session, String> {
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let mut states = self.state.subscribe();
        let settled = timeout_at(end, states.wait_for(|state| !matches!(state, State::Trying))).await;
        match settled {
            Ok(Ok(state)) => match &*state {
                State::Up(session) => Ok(session.clone()),
                State::Down(why) => Err(why.to_string()),
                State::Trying => Err("no connection".to_owned()),
            },
            Ok(Err(_)) => Err("the store was closed".to_owned()),
            Err(_) => Err(format!("the shared store could not be reached within {}", duration::show(self.timeout))),
        }
    }

    /// Has a store that is away tried at once, and waits until it is known how that went.
    pub async fn retried(&self) {
        let mut states = self.state.subscribe();
        if self.is_down().is_some() {
            self.hurry.notify_one();
            // The sender is ours.
            let _ = states.changed().await;
        }
    }

    /// Waits for so long, or until somebody is in a hurry.
    pub async fn pause(&self, pause: Duration) {
        // Whoever wakes us is as good as the time that is over.
        let _ = timeout(pause, self.hurry.notified()).await;
    }

    /// Waits until it is known whether the store can be reached.
    pub async fn tried(&self) {
        let _ = self.state.subscribe().wait_for(|state| !matches!(state, State::Trying)).await;
    }

    /// Waits until the store cannot be reached, and says why.
    pub async fn downfall(&self) -> String {
        match self.state.subscribe().wait_for(|state| matches!(state, State::Down(_))).await.as_deref() {
            Ok(State::Down(why)) => why.to_string(),
            _ => "the store was closed".to_owned(),
        }
    }

    /// A session has failed somebody. It is not used again: what was asked on it may never be answered.
    pub fn lose(&self, session: &Session) {
        session.is_over.cancel();
        self.state.send_if_modified(|state| {
            let is_current = matches!(state, State::Up(current) if current.number == session.number);
            if is_current {
                *state = State::Trying;
            }
            is_current
        });
    }

    /// Makes a connection with all scripts known to the server. Nobody else uses it until it is [`up`](Self::up).
    pub async fn connect(&self) -> Result<Session, String> {
        let patience = Some(self.patience());
        let config = AsyncConnectionConfig::new().set_connection_timeout(patience).set_response_timeout(patience);
        let made = timeout(self.patience(), async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            script::load(&mut connection).await?;
            RedisResult::Ok(connection)
        });
        match made.await {
            Ok(Ok(connection)) => {
                let number = self.sessions.fetch_add(1, Ordering::Relaxed);
                Ok(Session { connection, number, is_over: CancellationToken::new() })
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(silence(self.patience())),
        }
    }

    pub fn up(&self, session: Session) {
        let was = self.state.send_replace(State::Up(session));
        if matches!(was, State::Down(_)) {
            info!(store = %self.place, "the shared store is back");
        }
    }

    pub fn down(&self, why: &str) {
        let was = self.state.send_replace(State::Down(why.into()));
        if !matches!(was, State::Down(_)) {
            error!(store = %self.place, why, "the shared store is lost");
        }
    }

    /// How long work that no request waits for may take.
    pub fn patience(&self) -> Duration {
        (self.timeout * 4).max(Duration::from_millis(500))
    }
}

/// Callers may read it, so it does not say where the store is; the log does.
fn silence(limit: Duration) -> String {
    format!("the shared store gave no answer within {}", duration::show(limit))
}

impl Session {
    /// What tells it from other connections of this gateway.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Waits until somebody has found that it does not answer.
    pub async fn is_lost(&self) {
        self.is_over.cancelled().await;
    }

    async fn run(&self, call: &Call, root: &str) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let command = call.command(root);
        let answer = command.query_async(&mut connection).await;
        match answer {
            Err(error) if is_unknown(&error) => {
                script::load(&mut connection).await?;
                command.query_async(&mut connection).await
            }
            answer => answer,
        }
    }

    /// Runs scripts in their order. What one of them fails at does not keep the others from being run.
    pub async fn run_all<'a>(
        &self,
        calls: impl Iterator<Item = &'a Call>,
        link: &Link,
    ) -> Result<Vec<RedisResult<Value>>, String> {
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        pipeline.ignore_errors();
        for call in calls {
            pipeline.add_command(call.command(&link.root));
        }
        let patience = link.patience();
        let answers = tokio::select! {
            biased;
            answers = timeout(patience, pipeline.query_async::<Vec<RedisResult<Value>>>(&mut connection)) => answers,
            () = self.is_over.cancelled() => return Err("the connection was lost".to_owned()),
        };
        let answers = answers.map_err(|_| silence(patience))?.map_err(|error| self.failed(&error))?;
        if answers.iter().flatten_errors().any(is_unknown) {
            script::load(&mut connection).await.map_err(|error| error.to_string())?;
            return Err("the store has forgotten the scripts".to_owned());
        }
        let fault = answers.iter().flatten_errors().find(|error| !is_refusal(error)).map(ToString::to_string);
        fault.map_or(Ok(answers), Err)
    }

    /// Asks for something that is no script.
    pub async fn ask(&self, command: redis::Cmd, patience: Duration) -> Result<Value, String> {
        let mut connection = self.connection.clone();
        let answer = timeout(patience, command.query_async(&mut connection)).await;
        answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| self.failed(&error))
    }

    /// Why an answer was none. Where the connection is gone nobody need wait on it any more.
    fn failed(&self, error: &RedisError) -> String {
        if error.is_connection_dropped() {
            self.is_over.cancel();
        }
        error.to_string()
    }
}

/// Whether the server has understood the question and finds it wrong. Asking again would not help, and it is no
/// reason to think that the server is away.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError))
}

fn is_unknown(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript))
}

trait Errors<'a> {
    fn flatten_errors(self) -> impl Iterator<Item = &'a RedisError>;
}

impl<'a, I: Iterator<Item = &'a RedisResult<Value>>> Errors<'a> for I {
    fn flatten_errors(self) -> impl Iterator<Item = &'a RedisError> {
        self.filter_map(|answer| answer.as_ref().err())
    }
}
