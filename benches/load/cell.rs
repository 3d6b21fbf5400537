//! One cell of the comparison: a kind of traffic, measured for each subject in turns.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::client::{Load, Measured};
use crate::mock::{Manner, Mock};
use crate::proc::{self, Family, Machine};
use crate::subject::Subject;

/// What is sent, how often at once, and how it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub traffic: Traffic,
    /// Bytes of the request's body.
    pub size: usize,
    pub text: Text,
    pub connections: usize,
}

/// What requests say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Text {
    /// Prose in which there is nothing to find
    #[default]
    Clean,
    /// The same with an address, a telephone number or a card in every third of a kibibyte
    Personal,
}

impl Text {
    fn prose(self) -> &'static str {
        match self {
            Self::Clean => PROSE,
            Self::Personal => PERSONAL,
        }
    }
}

const PROSE: &str = "What the tide brings in, the gate lets pass or holds back, by the rules of the house. ";
const PERSONAL: &str = "What the tide brings in, the gate lets pass or holds back, by the rules of the house. Write to \
    jo.doe@example.org of what it was, and of what came of it, and when, and to whom it was given in the end, if to anybody. \
    What is left lies on the quay for a week and a day, as it has always done; whoever misses something may ring \
    +49 30 901820 in the mornings, but for Sundays, and say what it looks like. What nobody misses is sold, and paid for \
    by card, such as 4111 1111 1111 1111, to the benefit of those who keep the gate, who have families, and dogs. ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Answers in one piece.
    Whole,
    /// Streams as fast as they go.
    Burst { chunks: usize },
    /// Streams with a pause before each chunk.
    Paced { chunks: usize, pause: Duration },
}

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub rounds: usize,
    pub warm_up: Duration,
    pub window: Duration,
}

/// One subject in one round.
#[derive(Debug, Clone)]
pub struct Round {
    /// Answers, or chunks of streams.
    pub units: u64,
    pub took: Duration,
    /// Of the subject; none for no proxy at all.
    pub cpu: Option<Duration>,
    /// Sorted nanoseconds: of answers in one piece, or of paced chunks.
    pub delays: Vec<u64>,
    pub failed: u64,
    pub first_failure: Option<String>,
    /// The share of the machine that went to neither the subject nor the bench.
    pub foreign: f64,
}

struct Marks {
    subject: Duration,
    bench: Duration,
    machine: Machine,
}

impl Cell {
    /// Measures all subjects in turns; a list of rounds for each.
    ///
    /// # Errors
    /// When a subject is gone.
    pub async fn measure(
        &self,
        subjects: &[Subject],
        mock: &Mock,
        pace: Pace,
        epoch: Instant,
    ) -> io::Result<Vec<Vec<Round>>> {
        mock.set(match self.traffic {
            Traffic::Whole => Manner::whole(),
            Traffic::Burst { chunks } => Manner::burst(chunks),
            Traffic::Paced { chunks, pause } => Manner::Paced { chunks, pause },
        });
        let mut rounds = vec![Vec::new(); subjects.len()];
        for _ in 0..pace.rounds {
            for (subject, rounds) in subjects.iter().zip(&mut rounds) {
                rounds.push(self.round(subject, pace, epoch).await?);
            }
        }
        Ok(rounds)
    }

    async fn round(&self, subject: &Subject, pace: Pace, epoch: Instant) -> io::Result<Round> {
        let load = Load {
            to: subject.address,
            request: request(subject.address, subject.key()?.as_deref(), self.size, self.text, self.traffic),
            connections: self.connections,
            warm_up: pace.warm_up,
            window: pace.window,
            epoch,
        };
        let family = subject.family()?;
        let measured = load.drive(|| Marks::now(family.as_ref())).await?;
        Ok(self.judge(measured, family.is_some()))
    }

    fn judge(&self, measured: Measured<Marks>, has_process: bool) -> Round {
        let Measured { tally, opened, closed, took } = measured;
        let subject = closed.subject.saturating_sub(opened.subject);
        let bench = closed.bench.saturating_sub(opened.bench);
        let busy = closed.machine.busy.saturating_sub(opened.machine.busy);
        let total = closed.machine.total.saturating_sub(opened.machine.total);
        let mut delays = if self.traffic == Traffic::Whole { tally.latencies } else { tally.delays };
        delays.sort_unstable();
        Round {
            units: if self.traffic == Traffic::Whole { tally.answers } else { tally.events },
            took,
            cpu: has_process.then_some(subject),
            delays,
            failed: tally.failed,
            first_failure: tally.first_failure,
            foreign: busy.saturating_sub(subject + bench).as_secs_f64() / total.as_secs_f64().max(f64::EPSILON),
        }
    }
}

impl Marks {
    fn now(family: Option<&Family>) -> io::Result<Self> {
        Ok(Self {
            subject: family.map_or(Ok(Duration::ZERO), Family::cpu)?,
            bench: proc::cpu(std::process::id())?,
            machine: Machine::now()?,
        })
    }
}

/// A chat request with a body of `size` bytes, or the least there can be.
pub fn request(to: SocketAddr, key: Option<&str>, size: usize, text: Text, traffic: Traffic) -> Bytes {
    let stream = match traffic {
        Traffic::Whole => "",
        Traffic::Burst { .. } | Traffic::Paced { .. } => r#""stream":true,"stream_options":{"include_usage":true},"#,
    };
    let start = format!(r#"{{"model":"bench-model",{stream}"messages":[{{"role":"user","content":""#);
    let end = r#""}]}"#;
    let text: String = text.prose().chars().cycle().take(size.saturating_sub(start.len() + end.len())).collect();
    let body = format!("{start}{text}{end}");
    // All subjects get the same bytes, so all get a key.
    let key = key.unwrap_or("sk-nobody-looks-at-this-key-but-it-is-as-long-as-one");
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {key}\r\n\
         user-agent: bench\r\naccept: application/json\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into()
}
