//! Guards outside, played: each finds what the test says it does, whatever it is shown.
//!
//! It answers in its own words, which are read like those of the real one, so that a policy's own rules decide what
//! becomes of what is found.

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::document::GuardDoc;
use super::play::{PIPE, read_request};
use crate::steps::screen::Kind;

/// A guard, and what it says.
#[derive(Debug, Clone)]
pub struct PlayedGuard {
    pub kind: Kind,
    pub says: GuardDoc,
}

impl PlayedGuard {
    /// A connection to it.
    pub fn connect(&self) -> DuplexStream {
        let (here, mut there) = duplex(PIPE);
        let guard = self.clone();
        tokio::spawn(async move {
            let Ok(asked) = read_request(&mut there).await else { return };
            let (status, answer) = guard.answer(&asked.body);
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} Played\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            // The gateway may have hung up, which it may.
            let _ = there.write_all(head.as_bytes()).await;
        });
        here
    }

    fn answer(&self, asked: &[u8]) -> (u16, Value) {
        let kinds = match &self.says {
            GuardDoc::Unavailable => return (503, Value::Null),
            GuardDoc::Allow => &[][..],
            GuardDoc::Finds(kinds) => kinds,
        };
        (200, self.found(kinds, asked))
    }

    fn found(&self, kinds: &[String], asked: &[u8]) -> Value {
        match self.kind {
            Kind::OpenAiModeration { .. } => {
                let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
                let count = asked.get("input").and_then(Value::as_array).map_or(0, Vec::len);
                let results = (0..count).map(|text| if text == 0 { moderated(kinds) } else { moderated(&[]) });
                json!({ "results": results.collect::<Value>() })
            }
            Kind::Presidio { .. } => {
                let entity = |kind: &String| json!({ "entity_type": kind, "start": 0, "end": 1, "score": 1.0 });
                kinds.iter().map(entity).collect()
            }
            Kind::Webhook => match kinds {
                [] => json!({ "action": "allow" }),
                [rule, ..] => {
                    let findings: Value = kinds.iter().map(|kind| json!({ "kind": kind, "text": 0 })).collect();
                    json!({ "action": "refuse", "rule": rule, "findings": findings })
                }
            },
        }
    }
}

fn moderated(kinds: &[String]) -> Value {
    let categories = |value: Value| kinds.iter().map(|kind| (kind.clone(), value.clone())).collect::<Value>();
    if kinds.is_empty() {
        return json!({ "flagged": false, "categories": { "violence": false }, "category_scores": { "violence": 0.0 } });
    }
    json!({ "flagged": true, "categories": categories(true.into()), "category_scores": categories(1.0.into()) })
}
