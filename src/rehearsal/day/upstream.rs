//! Whoever answers that day: all providers and embedders of a configuration.
//!
//! An answer says what was asked, by a number that all texts of one topic have, so that answers to these agree; and it
//! has a mark that no other answer has. Embedders find all texts alike.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytestring::ByteString;
use futures_core::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::traffic::Asked;
use crate::base::ids::TargetName;
use crate::dialect::Dialect;
use crate::provider::{Stage, TransportError};
use crate::rehearsal::document::{ReplyDoc, UsageDoc};
use crate::rehearsal::play::{PIPE, Received, read_request};
use crate::rehearsal::reply::{self, Pieces};

/// The providers.
#[derive(Default)]
pub struct Upstream {
    dialects: OnceLock<HashMap<TargetName, &'static dyn Dialect>>,
    /// The number of what a text is about.
    numbers: HashMap<String, u32>,
    asked: AtomicU64,
    embedded: AtomicU64,
}

impl Upstream {
    pub fn knowing(traffic: &[Asked]) -> Self {
        let mut topics: HashMap<&str, u32> = HashMap::new();
        let mut numbers = HashMap::new();
        for asked in traffic {
            let next = u32::try_from(topics.len()).unwrap_or(u32::MAX);
            let number = *topics.entry(&asked.topic).or_insert(next);
            numbers.entry(asked.text.clone()).or_insert(number);
        }
        Self { numbers, ..Self::default() }
    }

    /// Tells it what each target speaks.
    pub fn cast(&self, dialects: HashMap<TargetName, &'static dyn Dialect>) {
        let _ = self.dialects.set(dialects);
    }

    /// How many chats it was asked for, and how many texts it has embedded.
    pub fn counts(&self) -> (u64, u64) {
        (self.asked.load(Ordering::Relaxed), self.embedded.load(Ordering::Relaxed))
    }

    fn answer(&self, target: &TargetName, asked: &Received) -> Pieces {
        let path = asked.head.split_whitespace().nth(1).unwrap_or_default();
        if path.ends_with("/embeddings") {
            return self.vectors(&asked.body);
        }
        let Some(dialect) = self.dialects.get().and_then(|dialects| dialects.get(target)) else {
            return Pieces::whole("{}".into());
        };
        let text = String::from_utf8_lossy(&asked.body);
        let said = dialect.read_request(&ByteString::from(&*text)).ok().map(|request| reply::last_said(&request));
        let said = said.unwrap_or_default();
        // What a step has changed is a question that is known by its letters alone.
        let number = self.numbers.get(said.trim_end()).or_else(|| self.numbers.get(&said)).copied();
        let number = number.unwrap_or_else(|| crc32fast::hash(said.as_bytes()) | 1 << 31);
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        let text = format!(
            "This is answer number {number} of the day: it says in some two dozen words what anybody who asks for just this \
             may want to know, and nothing else. {}",
            mark(nth)
        );
        let usage = Some(UsageDoc { input: tokens(&asked.body), output: tokens(text.as_bytes()) });
        reply::render(
            &ReplyDoc { text: Some(text), usage, ..ReplyDoc::default() },
            target.as_str(),
            *dialect,
            &asked.body,
        )
    }

    fn vectors(&self, asked: &[u8]) -> Pieces {
        let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
        let texts = asked.get("input").and_then(Value::as_array).map_or(1, Vec::len);
        self.embedded.fetch_add(texts as u64, Ordering::Relaxed);
        let data: Value = (0..texts).map(|index| json!({"index": index, "embedding": [0.6, 0.8]})).collect();
        let tokens = tokens(asked.get("input").map(Value::to_string).unwrap_or_default().as_bytes());
        let body = json!({"object": "list", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
        Pieces::whole(body.to_string().into())
    }
}

impl Stage for Arc<Upstream> {
    fn plays(&self, _: &TargetName) -> bool {
        true
    }

    fn connect(&self, target: &TargetName) -> BoxFuture<'static, Result<DuplexStream, TransportError>> {
        let (upstream, target, (here, there)) = (Self::clone(self), target.clone(), duplex(PIPE));
        Box::pin(async move {
            // The gateway may hang up, which it may.
            tokio::spawn(async move { drop(serve(&upstream, &target, there).await) });
            Ok(here)
        })
    }
}

async fn serve(upstream: &Upstream, target: &TargetName, mut stream: DuplexStream) -> io::Result<()> {
    let asked = read_request(&mut stream).await?;
    let Pieces { content_type, pieces } = upstream.answer(target, &asked);
    let length: usize = pieces.iter().map(bytes::Bytes::len).sum();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for piece in pieces {
        stream.write_all(&piece).await?;
    }
    Ok(())
}

/// Four bytes are a token, about.
fn tokens(text: &[u8]) -> u64 {
    text.len().div_ceil(4) as u64
}

/// A word of letters alone: numbers in answers must agree.
fn mark(mut nth: u64) -> String {
    let mut mark = MARK.to_owned();
    for _ in 0..8 {
        let _ = mark.write_char(char::from(b'a' + (nth % 26) as u8));
        nth /= 26;
    }
    mark
}

/// The mark of an answer, of which a caller has these bytes. Words are never cut, also not in a stream.
pub fn mark_in(body: &[u8]) -> Option<String> {
    let at = memchr::memmem::rfind(body, MARK.as_bytes())?;
    let mark = body.get(at..at + MARK.len() + 8)?;
    Some(String::from_utf8_lossy(mark).into_owned())
}

const MARK: &str = "mark-";
