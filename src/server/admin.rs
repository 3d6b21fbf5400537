//! The admin port: health, metrics, policies, decisions, kept answers, and a page to look at them. Never on the data port.
//!
//! It is there to be read; the one thing that it does is to forget answers, and only for who is on the same machine.

mod cache;
mod decisions;
mod page;

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use crate::base::json::Writer;
use crate::gateway::Gateway;
use crate::gateway::reload::{Reloader, Status};
use crate::policy::Snapshot;
use crate::server::body::Outgoing;
use crate::server::drain::Drain;
use crate::server::outbound::json;
use crate::telemetry;

/// Answers one request of an operator or a probe.
pub async fn handle(
    gateway: &Gateway,
    reloader: &Reloader,
    drain: &Drain,
    request: &Request<Incoming>,
    peer: SocketAddr,
) -> Response<Outgoing> {
    if peer.ip().is_loopback() && !is_of_here(request.headers().get(HOST)) {
        return text(421, "this port is asked as `localhost` or by its address, not by another name\n".into());
    }
    if request.method() == Method::DELETE && request.uri().path() == "/cache" {
        return cache::forget(gateway, request.uri().query().unwrap_or_default(), peer).await;
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(405, "the admin port is read-only\n".into());
    }
    match request.uri().path() {
        // Alive for as long as it can answer; ready until it drains.
        "/livez" => text(200, "ok\n".into()),
        "/readyz" | "/healthz" if drain.has_begun() => text(503, "draining\n".into()),
        "/readyz" | "/healthz" => text(200, "ok\n".into()),
        "/metrics" => metrics(gateway, request.headers()).await,
        "/budgets" => budgets(gateway).await,
        "/cache" => cache::stats(gateway).await,
        "/policies" => json(200, policies(&gateway.pin(), &reloader.status())),
        "/decisions" => decisions::list(gateway, request.uri().query().unwrap_or_default()).await,
        "/" if page::is_wanted(request.headers()) => page::response(),
        "/" => text(200, format!("tidegate admin: {PATHS}; a browser gets a page\n")),
        path => match path.strip_prefix("/decisions/") {
            Some(id) => decisions::one(gateway, id).await,
            None => text(404, format!("`{path}` is not here; try {PATHS}\n")),
        },
    }
}

/// Whether a request names this machine. A page elsewhere may give its own name the address of this machine, and have a
/// browser here ask for it; the name then tells.
fn is_of_here(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host else { return true };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = authority.host();
    name.eq_ignore_ascii_case("localhost") || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

const PATHS: &str = "/livez /readyz /healthz /metrics /policies /budgets /cache /decisions";

async fn metrics(gateway: &Gateway, headers: &HeaderMap) -> Response<Outgoing> {
    let shown = gateway.metrics().await;
    let accepted = headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_open = accepted.into_iter().any(|value| value.contains("application/openmetrics-text"));
    let (body, kind) = match is_open {
        true => (shown, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        false => (telemetry::metrics::classic(&shown), "text/plain; version=0.0.4; charset=utf-8"),
    };
    let mut response = text(200, body);
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Every account of a budget, as it stands in the window it is in.
async fn budgets(gateway: &Gateway) -> Response<Outgoing> {
    let standings = match gateway.standings().await {
        Ok(standings) => standings,
        Err(unavailable) => return text(503, format!("{unavailable}\n")),
    };
    let mut writer = Writer::with_capacity(1024);
    writer.object(|w| {
        w.key("accounts").array(|w| {
            for standing in &standings {
                w.object(|w| {
                    w.key("account").str(standing.account.as_str());
                    w.key("usd").dollars(standing.budget.cap);
                    w.key("spent_usd").dollars(standing.spent);
                    w.key("held_usd").dollars(standing.held);
                    if let Some(renews) = standing.renews {
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
