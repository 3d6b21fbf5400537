//! Where the shared store is, and what happens without it.

use std::time::Duration;

use redis::{ConnectionInfo, IntoConnectionInfo as _};

use crate::base::secret::Secret;

/// How to reach the store that several gateways share.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url: Secret,
    /// What all keys begin with. Gateways with the same prefix share everything.
    pub prefix: String,
    pub on_loss: OnLoss,
    /// How long a request waits for the store.
    pub timeout: Duration,
    /// A gateway that was not heard of for so long is thought to be dead.
    pub gone_after: Duration,
}

/// What happens while the store cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// Nothing is promised; each budget and limit says what that means for its requests.
    #[default]
    Refuse,
    /// This gateway goes on with its share of what was left when it last knew. Not for budgets that must never be
    /// exceeded: two gateways may know different things.
    LocalShare,
}

/// Whether a store can be reached by such a URL, on its face. What is wrong with it is said without repeating it.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &Secret) -> Result<(), String> {
    connection(url).map(drop)
}

pub(super) fn connection(url: &Secret) -> Result<ConnectionInfo, String> {
    let text = url.expose();
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    if !SCHEMES.contains(&scheme) {
        return Err(format!("the URL of the store must begin with one of: {}", SCHEMES.map(with_colon).join(", ")));
    }
    if text.contains("#insecure") {
        return Err("the certificate of the store is always verified; `#insecure` is not available".into());
    }
    // The library's own message may repeat parts of the URL.
    text.into_connection_info().map_err(|_| format!("the URL of the store is not understood; {FORMS}"))
}

fn with_colon(scheme: &str) -> String {
    format!("`{scheme}:`")
}

const SCHEMES: [&str; 6] = ["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix"];
const FORMS: &str = "write it like `redis://user:password@host:6379/0`, `rediss://host` or `unix:///path`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_not_understood_is_not_repeated() {
        for url in
            ["canary", "http://canary", "redis://canary:canary@", "redis://h:canary/", "rediss://canary/#insecure"]
        {
            let why = check_url(&Secret::new(url)).unwrap_err();
            assert!(!why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn the_usual_forms_are_understood() {
        for url in ["redis://h", "rediss://u:p@h:6380/1", "valkey://h", "unix:///run/redis.sock"] {
            assert_eq!(check_url(&Secret::new(url)), Ok(()), "{url}");
        }
    }
}
