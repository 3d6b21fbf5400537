//! What traces and metrics say of the process that they come from.

use std::sync::OnceLock;

use opentelemetry_sdk::Resource;

use super::names::{self, pair};
use crate::base::trace::TraceId;

/// This process. What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say goes before.
///
/// Without an id of its own, the counts of two gateways would be one series that jumps between them.
pub fn here() -> Resource {
    static HERE: OnceLock<Resource> = OnceLock::new();
    HERE.get_or_init(|| {
        let told = Resource::builder().build();
        let has = |name: &'static str| told.get(&name.into()).map(|said| said.to_string());
        let mut builder = Resource::builder().with_attribute(pair(names::SERVICE_VERSION, env!("CARGO_PKG_VERSION")));
        if has(names::SERVICE_NAME).is_none_or(|name| name.starts_with("unknown_service")) {
            builder = builder.with_service_name("tidegate");
        }
        if has(names::SERVICE_INSTANCE).is_none() {
            builder = builder.with_attribute(pair(names::SERVICE_INSTANCE, instance()));
        }
        builder.build()
    })
    .clone()
}

/// A random id, in the form of a UUID of version 4.
fn instance() -> String {
    let random = u128::from_be_bytes(TraceId::fresh().to_bytes());
    let hex = format!("{:032x}", random & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_name_and_keeps_its_id() {
        let said = |name: &'static str| here().get(&name.into()).unwrap().to_string();
        assert_eq!(said("service.instance.id"), said("service.instance.id"));
        let id = said("service.instance.id");
        assert_eq!((id.len(), id.as_bytes()[14], id.matches('-').count()), (36, b'4', 4), "{id}");
        assert!("89ab".contains(char::from(id.as_bytes()[19])), "{id}");
        assert!(!said("service.name").starts_with("unknown"));
    }
}
