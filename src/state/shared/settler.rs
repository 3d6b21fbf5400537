//! The task that keeps the store and this gateway together: it connects, says that the gateway is alive, and tells
//! the store what is in the queue.
//!
//! A store that is back is told all that has happened meanwhile before anybody else asks it anything.

use std::sync::Arc;
use std::time::Duration;

use redis::{Value, from_redis_value};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, error, warn};

use super::hub::Hub;
use super::link::Session;
use super::queue::{Job, Kind};
use super::script::{Call, Script};

pub(super) struct Settler {
    pub hub: Arc<Hub>,
}

impl Settler {
    pub async fn run(self) {
        let mut pause = FIRST_PAUSE;
        while !self.hub.queue.is_closed() {
            if let Some(session) = self.hub.link.current() {
                pause = FIRST_PAUSE;
                self.serve(&session).await;
                self.hub.link.lose(&session);
                continue;
            }
            match self.return_to().await {
                Ok(session) => self.hub.link.up(session),
                Err(why) => {
                    self.hub.link.down(&why);
                    // So that gateways do not come back all at the same moment.
                    self.hub.link.pause(pause.mul_f64(0.5 + fastrand::f64())).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        if let Some(session) = self.hub.link.current() {
            // What cannot be told now is never told; its holds are booked as spent when this gateway is not heard of.
            let _ = self.tell(&session).await;
        }
    }

    async fn return_to(&self) -> Result<Session, String> {
        let session = self.hub.link.connect().await?;
        self.beat(&session).await?;
        self.tell(&session).await?;
        Ok(session)
    }

    /// Tells the store what there is to tell, until it is lost or the queue is closed.
    async fn serve(&self, session: &Session) {
        let mut beats = interval(self.hub.gone_after / 3);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.reset();
        loop {
            let is_told = tokio::select! {
                biased;
                () = session.is_lost() => return,
                _ = beats.tick() => self.beat(session).await,
                () = self.hub.queue.rung() => self.tell(session).await,
            };
            if let Err(why) = is_told {
                debug!(why, "the connection to the shared store has failed");
                return;
            }
            if self.hub.queue.is_closed() {
                return;
            }
        }
    }

    async fn beat(&self, session: &Session) -> Result<(), String> {
        let end = Instant::now() + self.hub.link.patience();
        loop {
            let belief = self.hub.gone_after.as_millis().to_string();
            let beat = Call::new(Script::Beat, [self.hub.me.clone(), belief, MOST_BOOKED.to_string()]);
            let mut calls = vec![beat];
            calls.extend(self.hub.renewals());
            let answers = session.run_all(calls.iter(), &self.hub.link).await?;
            let answer = answers.into_iter().next().ok_or("no answer")?.map_err(|error| error.to_string())?;
            let (alive, booked): (u32, u64) = from_redis_value(answer).map_err(|error| error.to_string())?;
            self.hub.are_alive(alive);
            if booked > 0 {
                warn!(holds = booked, "what a gateway has held that is gone is booked as spent");
            }
            if booked < MOST_BOOKED || Instant::now() >= end {
                return Ok(());
            }
        }
    }

    /// Tells all that is in the queue, in order. What could not be told stays in it.
    async fn tell(&self, session: &Session) -> Result<(), String> {
        loop {
            let jobs = self.hub.queue.take();
            if jobs.is_empty() {
                return Ok(());
            }
            match session.run_all(jobs.iter().map(|job| &job.call), &self.hub.link).await {
                Ok(answers) => {
                    jobs.iter().zip(answers).for_each(|(job, answer)| self.heard(job, answer));
                    self.hub.queue.finish(jobs.len());
                }
                Err(why) => {
                    self.hub.queue.put_back(jobs);
                    return Err(why);
                }
            }
        }
    }

    fn heard(&self, job: &Job, answer: redis::RedisResult<Value>) {
        match (job.call.script, answer) {
            (_, Err(error)) => {
                error!(%error, job = ?job.call, "the shared store has refused what it was told; it is given up")
            }
            (Script::Lapse, Ok(Value::Int(lapsed))) if lapsed > 0 => {
                warn!(holds = lapsed, "requests that never came to an end are booked with all that was set aside");
                if lapsed >= MOST_BOOKED as i64 {
                    let again = Call::new(Script::Lapse, job.call.arguments.iter().cloned());
                    self.hub.queue.push(again, Kind::Chore);
                }
            }
            (Script::Settle, Ok(Value::BulkString(word))) if word == b"unknown" => {
                let [hold, cost, ..] = job.call.arguments.as_slice() else { return };
                if cost != "0" {
                    error!(
                        hold,
                        cost, "the shared store does not know a hold that was settled; its cost is not booked"
                    );
                }
            }
            _ => {}
        }
    }
}

/// So many holds are booked as spent at a time.
pub(super) const MOST_BOOKED: u64 = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
