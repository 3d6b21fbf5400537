//! What is kept of answers, and forgetting it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use http::Response;
use percent_encoding::percent_decode_str;

use super::text;
use crate::base::ids::PolicyName;
use crate::base::json::Writer;
use crate::gateway::Gateway;
use crate::server::body::Outgoing;
use crate::server::outbound::json;
use crate::state::answers::{Stock, Whose};
use crate::steps::cache::{self, Ground, Standing, everyones, whose};

/// The answers that are kept for each policy, and what came of looking for them since the start.
pub async fn stats(gateway: &Gateway) -> Response<Outgoing> {
    let (world, snapshot) = (gateway.world(), gateway.pin());
    let caches = snapshot.policies.iter().filter(|policy| policy.line.steps.iter().any(|step| step.name() == "cache"));
    let known: Vec<_> = caches.map(|policy| policy.line.policy.clone()).chain([everyones()]).collect();
    let stock = match world.stores.answers.stock(&known).await {
        Ok(stock) => stock,
        Err(why) => return text(503, format!("what is kept cannot be counted: {why}\n")),
    };
    // Of policies that are gone something may be left.
    let all: BTreeSet<&PolicyName> = known.iter().chain(stock.iter().map(|stock| &stock.policy)).collect();
    let mut writer = Writer::with_capacity(1024);
    writer.object(|w| {
        w.key("policies").array(|w| {
            for policy in all {
                let is_empty = stock.iter().all(|stock| stock.policy != *policy || stock.answers == 0);
                if is_empty && *policy == everyones() {
                    continue;
                }
                let (results, saved, charged) = world.metrics.cache_of(policy);
                let kept = stock.iter().find(|stock| stock.policy == *policy);
                w.object(|w| {
                    w.key("policy").str(policy.as_str());
                    w.key("answers").u64(kept.map_or(0, |stock| stock.answers));
                    if let Some(bytes) = kept.map_or(Some(0), |Stock { bytes, .. }| *bytes) {
                        w.key("bytes").u64(bytes);
                    }
                    w.key("questions").u64(world.stores.repertoires.count(policy));
                    if let Some(questions) = kept.and_then(|stock| stock.by_likeness) {
                        w.key("questions_kept").u64(questions);
                    }
                    w.key("since_start").object(|w| {
                        for (result, count) in results {
                            w.key(result).u64(count);
                        }
                    });
                    let is_current = world.stores.repertoires.are_current(policy);
                    w.key("similar").array(|w| similar(w, &world.stores.trust.all_of(policy), is_current));
                    w.key("saved_usd").str(&format!("{saved:.6}"));
                    w.key("charged_usd").str(&format!("{charged:.6}"));
                });
            }
        });
    });
    json(200, writer.into_bytes())
}

/// How answers to similar questions have fared, by those who share them; the best known alone. Where it is not known how
/// they have fared at other gateways lately, none is given.
fn similar(writer: &mut Writer, known: &[(Ground, Standing)], is_current: bool) {
    for (ground, standing) in known.iter().take(SHOWN) {
        writer.object(|w| {
            w.key("scope").str(&ground.shown());
            w.key("by").str(&standing.by);
            w.key("tried").u64(standing.record.tried);
            w.key("wrong").u64(standing.record.wrong);
            w.key("wrong_below").str(&standing.shown_below());
            w.key("gives").bool(is_current && standing.serves());
        });
    }
}

/// Forgets the answers of whoever the query names.
pub async fn forget(gateway: &Gateway, query: &str, peer: SocketAddr) -> Response<Outgoing> {
    if !peer.ip().to_canonical().is_loopback() {
        return text(403, "answers are forgotten from the gateway's own machine only\n".into());
    }
    let named = query.split('&').find_map(|pair| pair.strip_prefix("scope="));
    let whose = match named.ok_or_else(|| "say whose, as in `?scope=policy=support`".to_owned()).and_then(read) {
        Ok(whose) => whose,
        Err(wrong) => return text(400, format!("{wrong}\n")),
    };
    match cache::forget(&gateway.world().stores, &whose).await {
        Ok(count) => {
            let mut writer = Writer::new();
            writer.object(|w| w.key("forgotten").u64(count));
            json(200, writer.into_bytes())
        }
        Err(why) => text(503, format!("not all of it is forgotten: {why}\n")),
    }
}

/// What stands in a query.
fn read(written: &str) -> Result<Whose, String> {
    let said = percent_decode_str(written).decode_utf8().map_err(|_| "what it names is not UTF-8".to_owned())?;
    whose(&said)
}

const SHOWN: usize = 20;
