//! Telling a webhook of budgets that are running low.
//!
//! Each warning is posted once it has been accepted, in order, and given up after some tries: whoever listens may be
//! down, and the log has it anyway.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use tokio::time::{interval, sleep};
use tracing::warn;

use crate::base::json::Writer;
use crate::gateway::Gateway;
use crate::gateway::errand::Errand;
use crate::provider::Body;
use crate::state::Alert;

/// Passes warnings on for as long as it is polled.
pub async fn notify(gateway: Arc<Gateway>) {
    let mut tick = interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        for (at, alert) in gateway.world().stores.alerts.take() {
            tell(&gateway, at, &alert).await;
        }
    }
}

async fn tell(gateway: &Gateway, at: Timestamp, alert: &Alert) {
    let Some(url) = gateway.pin().webhook.clone() else { return };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = bytes::Bytes::from(written(at, alert));
    for tried in 1..=TRIES {
        let body = Body::Full(body.clone());
        let errand =
            Errand { name: "webhook", method: Method::POST, url: url.expose(), headers: headers.clone(), body };
        match errand.run(&gateway.world().pools).await {
            Ok(_) => return,
            Err(reason) => warn!(%reason, tried, account = %alert.balance.account, "a warning could not be posted"),
        }
        if tried < TRIES {
            sleep(Duration::from_secs(tried)).await;
        }
    }
}

fn written(at: Timestamp, alert: &Alert) -> Vec<u8> {
    let balance = &alert.balance;
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.key("event").str("budget_low");
        w.key("at").str(&at.to_string());
        w.key("budget").str(&alert.budget);
        w.key("account").str(balance.account.as_str());
        w.key("usd").dollars(balance.cap);
        w.key("spent_usd").dollars(balance.spent);
        w.key("held_usd").dollars(balance.held);
        if let Some(renews) = alert.renews {
            w.key("renews_at").str(&renews.to_string());
        }
    });
    writer.into_bytes()
}

const TRIES: u64 = 3;
