//! The admin port: health, metrics, policies. Never on the data port.

use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use crate::base::json::{Number, Writer};
use crate::gateway::Gateway;
use crate::gateway::reload::{Reloader, Status};
use crate::policy::Snapshot;
use crate::server::body::Outgoing;
use crate::server::drain::Drain;
use crate::server::outbound::json;

/// Answers one request of an operator or a probe.
pub async fn handle(
    gateway: &Gateway,
    reloader: &Reloader,
    drain: &Drain,
    request: &Request<Incoming>,
) -> Response<Outgoing> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(405, "the admin port is read-only\n".into());
    }
    match request.uri().path() {
        // Alive for as long as it can answer; ready until it drains.
        "/livez" => text(200, "ok\n".into()),
        "/readyz" | "/healthz" if drain.has_begun() => text(503, "draining\n".into()),
        "/readyz" | "/healthz" => text(200, "ok\n".into()),
        "/metrics" => metrics(gateway),
        "/budgets" => budgets(gateway).await,
        "/policies" => json(200, policies(&gateway.pin(), &reloader.status())),
        "/" => text(200, "tidegate admin: /livez /readyz /healthz /metrics /policies /budgets\n".into()),
        path => text(404, format!("`{path}` is not here; try /livez /readyz /healthz /metrics /policies /budgets\n")),
    }
}

fn metrics(gateway: &Gateway) -> Response<Outgoing> {
    let (world, snapshot) = (gateway.world(), gateway.pin());
    let states = snapshot.targets.iter().map(|target| (target.name.as_str(), target.health.breaker.state()));
    world.metrics.targets_are(states);
    world.metrics.dropped(world.access.dropped(), world.shadows.dropped());
    let mut response = text(200, world.metrics.text());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

/// Every account of a budget, as it stands in the window it is in.
async fn budgets(gateway: &Gateway) -> Response<Outgoing> {
    let (snapshot, now) = (gateway.pin(), gateway.world().clock.now());
    let Some(ledger) = &gateway.world().stores.ledger else { return json(200, b"{\"accounts\":[]}".to_vec()) };
    let accounts = match ledger.accounts().await {
        Ok(accounts) => accounts,
        Err(unavailable) => return text(503, format!("{unavailable}\n")),
    };
    let mut writer = Writer::with_capacity(1024);
    let mut standings = Vec::new();
    for standing in accounts {
        let name = standing.account.as_str().split('/').next().unwrap_or_default();
        let Some(budget) = snapshot.budgets.get(name) else { continue };
        if let Ok(sums) = ledger.standing(&standing.account, budget.since(now)).await {
            standings.push((standing.account, budget, sums));
        }
    }
    writer.object(|w| {
        w.key("accounts").array(|w| {
            for (account, budget, (spent, held)) in &standings {
                w.object(|w| {
                    w.key("account").str(account.as_str());
                    w.key("usd").number(&Number::from(budget.cap));
                    w.key("spent_usd").number(&Number::from(*spent));
                    w.key("held_usd").number(&Number::from(*held));
                    if let Some(renews) = budget.renews(now) {
                        w.key("renews_at").str(&renews.to_string());
                    }
                });
            }
        });
    });
    json(200, writer.into_bytes())
}

/// The policies in charge, their targets, and what the last reload said.
fn policies(snapshot: &Snapshot, status: &Status) -> Vec<u8> {
    let mut writer = Writer::with_capacity(2048);
    writer.object(|w| {
        w.key("revision").str(&snapshot.revision);
        w.key("loaded_at").str(&snapshot.loaded_at.to_string());
        w.key("policies").array(|w| {
            for policy in &snapshot.policies {
                w.object(|w| {
                    w.key("policy").str(policy.line.policy.as_str());
                    w.key("steps").array(|w| policy.line.steps.iter().for_each(|step| w.str(step.name())));
                });
            }
        });
        w.key("targets").array(|w| {
            for target in &snapshot.targets {
                w.object(|w| {
                    w.key("target").str(target.name.as_str());
                    w.key("provider").str(target.provider.name().as_str());
                    w.key("breaker").str(target.health.breaker.state());
                    w.key("in_flight").u64(u64::from(target.health.in_flight()));
                });
            }
        });
        w.key("last_reload").object(|w| {
            w.key("at").str(&status.at.to_string());
            w.key("ok").bool(status.problems.is_empty());
            w.key("problems").array(|w| status.problems.iter().for_each(|problem| w.str(problem)));
        });
    });
    writer.into_bytes()
}

fn text(status: u16, body: String) -> Response<Outgoing> {
    let mut response = json(status, body.into_bytes());
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
