//! Tells the provider who asks, signed by the gateway, so that a model server of the house can trust it.
//!
//! Two headers go with each request:
//!
//!     x-caller: t=1767225600;request=req_1;team=support;user=u1;model=chat
//!     x-caller-signature: v1=HMAC-SHA256 of the first one's value, in hexadecimal
//!
//! The key stays in the gateway; the plugin never sees it. Whoever verifies compares the time with its own, so that a
//! header cannot be used for ever. Bodies are not signed: what a step behind this one changes would break it.

use tidegate_plugin::prelude::*;
use tidegate_plugin::{clock, secrets};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The secret to sign with, by the name it is granted under.
    secret: String,
    /// The header with the facts; that of the signature has `-signature` behind it. Both have to be granted.
    #[serde(default = "header")]
    header: String,
}

fn header() -> String {
    "x-caller".into()
}

struct RequestSigner(Config);

impl Plugin for RequestSigner {
    type Config = Config;

    fn about() -> About {
        let about = about!("tells the provider who asks, signed by the gateway").config::<Config>();
        ["request.set_headers", "secrets", "clock"].into_iter().fold(about, About::needs)
    }

    fn new(config: Config) -> Result<Self, Failure> {
        Ok(Self(config))
    }
}

impl OnRequest for RequestSigner {
    fn on_request(&self, cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        let facts = [
            ("t", (clock::unix_ms() / 1_000).to_string()),
            ("request", cx.request_id.clone()),
            ("team", cx.team.clone().unwrap_or_default()),
            ("user", cx.user.clone().unwrap_or_default()),
            ("model", request.model.clone()),
        ];
        let facts: Vec<_> = facts.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let facts = facts.join(";");
        let signature = secrets::hmac_sha256(&self.0.secret, facts.as_bytes())?;
        let signed = Outcome::pass().header(self.0.header.clone(), facts);
        Ok(signed.header(format!("{}-signature", self.0.header), format!("v1={}", hex(&signature))))
    }
}

/// A value that neither ends a fact nor a header.
fn escaped(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@/".contains(&byte);
    let written =
        value.bytes().map(|byte| if is_plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") });
    written.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

tidegate_plugin::export!(RequestSigner: request);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};
    use tidegate_plugin::{Edit, Tag};

    use super::*;

    fn signed(host: Host, user: &str) -> Result<Vec<Edit>, Failure> {
        let plugin: RequestSigner = host.plugin(json!({ "secret": "SIGNING" }))?;
        let mut cx = host.context();
        cx.user = Some(user.into());
        plugin.on_request(&cx, &ask("hello")).map(|outcome| outcome.edits)
    }

    #[test]
    fn the_signature_is_that_of_the_facts() {
        let edits = signed(Host::new().clock(1_767_225_600_123).secret("SIGNING", "key"), "u1").unwrap();
        let header = |key: &str, value: &str| Edit::SetHeader(Tag { key: key.into(), value: value.into() });
        let facts = "t=1767225600;request=req_test;team=;user=u1;model=chat";
        let signature = "v1=d1377304692a7536ebe849b64578c2072168591980a3d50ccff884143096d6be";
        assert_eq!(edits[0], header("x-caller", facts));
        assert_eq!(edits[1], header("x-caller-signature", signature));
    }

    #[test]
    fn nobody_can_write_a_fact_into_a_name() {
        let edits = signed(Host::new().clock(0).secret("SIGNING", "key"), "u1;team=admin\r\n").unwrap();
        let Edit::SetHeader(Tag { value, .. }) = &edits[0] else { panic!("no header") };
        assert!(value.contains("user=u1%3Bteam%3Dadmin%0D%0A"), "{value}");
    }

    #[test]
    fn a_secret_that_is_not_granted_is_told_to_the_operator() {
        assert!(matches!(signed(Host::new().clock(0), "u1"), Err(Failure::Config(_))));
    }
}
