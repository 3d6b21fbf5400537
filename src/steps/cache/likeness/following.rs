//! Following what gateways that share a store tell each other, for as long as a repertoire is in use.
//!
//! New questions are taken in and trials are told within a second. Nobody waits for any of it. Where nothing has been heard for
//! some seconds, nobody knows what others have found wrong meanwhile: until there is news again answers are only tried.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::repertoire::Repertoire;
use super::trust::{Ground, Standing, Trust};
use crate::state::answers::{Heard, News};

/// When anything was heard last, and a bell for who is to be told something.
#[derive(Default)]
pub struct Ear {
    heard: Mutex<Option<Instant>>,
    bell: Notify,
}

impl Ear {
    /// Whether it is known how others have fared, but for the last few seconds.
    pub fn is_current(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|at| at.elapsed() < CURRENT)
    }

    /// There is something to tell.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// All was heard that was there to hear at that time.
    fn heard(&self, at: Instant) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Whoever follows the news for a repertoire.
pub(super) struct Follower {
    pub of: Weak<Repertoire>,
    pub ear: Arc<Ear>,
    pub trust: Trust,
    pub news: Box<dyn News>,
    /// Trials that are being told, and are told again until that is known to be done.
    pub telling: Vec<(Ground, Standing)>,
}

impl Follower {
    pub async fn run(mut self) {
        let (mut pause, mut is_deaf) = (EVERY, false);
        while let Some(repertoire) = self.of.upgrade() {
            let policy = repertoire.policy.clone();
            let begun = Instant::now();
            match self.exchange(repertoire).await {
                Ok(has_more) => {
                    self.ear.heard(begun);
                    if std::mem::take(&mut is_deaf) {
                        info!(%policy, "similar questions of other gateways are heard of again");
                    }
                    pause = EVERY;
                    if !has_more {
                        sleep(LEAST).await;
                        // Whoever rings is as good as the time that is over.
                        let _ = timeout(spread(pause), self.ear.bell.notified()).await;
                    }
                }
                Err(why) => {
                    if !is_deaf && !self.ear.is_current() {
                        is_deaf = true;
                        warn!(%policy, why, "similar questions of other gateways are not heard of; answers to them are only tried");
                    }
                    sleep(spread(pause)).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    /// Tells and hears once; whether there is more to hear.
    async fn exchange(&mut self, repertoire: Arc<Repertoire>) -> Result<bool, String> {
        if self.telling.is_empty() {
            self.telling = self.trust.untold(&repertoire.policy, repertoire.embedder);
        }
        let heard = self.news.exchange(&self.telling).await?;
        self.telling.clear();
        let has_more = heard.has_more;
        if !is_silence(&heard) {
            let trust = self.trust.clone();
            // To read hundreds of questions takes longer than others shall wait for this thread.
            let taken = tokio::task::spawn_blocking(move || repertoire.take_in(heard, &trust));
            taken.await.map_err(|_| "the gateway is stopping".to_owned())?;
        }
        Ok(has_more)
    }
}

fn is_silence(heard: &Heard) -> bool {
    heard.forgotten.is_empty() && heard.new.questions.is_empty() && heard.new.standings.is_empty() && !heard.are_all
}

/// So that gateways do not ask all at the same moment.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// For so long nothing that was heard is too old to act upon.
const CURRENT: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_millis(400);
/// So long after one exchange there is none, whoever rings.
const LEAST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
