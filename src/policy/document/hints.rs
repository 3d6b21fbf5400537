//! What people write who know other gateways, and what it is called here.
//!
//! Such words are as unknown as any other; they only get a better answer than a list of all fields.

use super::route::WAYS;

/// The field that is likely meant by a word that `of` has no field for.
pub(in crate::policy) fn called_here(of: &str, word: &str) -> Option<&'static str> {
    let known = CALLED.iter().find(|(owner, words, _)| *owner == of && words.contains(&word));
    known.map(|(_, _, ours)| *ours)
}

/// Where a word belongs that is a field, but not of `of`.
pub(in crate::policy) fn belongs_elsewhere(of: &str, word: &str) -> Option<&'static str> {
    let is_of_route = WAYS.contains(&word) || OPTIONS.contains(&word);
    match of {
        "GatewayDoc" if POLICY.contains(&word) || is_of_route => Some("belongs to a policy"),
        "PolicyDoc" if is_of_route => Some("belongs to `route`; indent it further"),
        "TargetDoc" | "ModelDoc" if is_of_route => Some("belongs to the `route` of a policy"),
        "RouteMap" if POLICY.contains(&word) => Some("belongs to the policy; indent it less"),
        "RouteMap" if TIMEOUTS.contains(&word) => Some("belongs to `timeouts`"),
        "RouteMap" if CANARY.contains(&word) => Some("belongs to `canary`"),
        _ => None,
    }
}

/// How a field is written that something cannot do without.
pub(in crate::policy) fn example(field: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _)| *known == field).map(|(_, example)| *example)
}

const CALLED: &[(&str, &[&str], &str)] = &[
    ("GatewayDoc", &["model_list"], "targets"),
    ("GatewayDoc", &["router_settings", "routes", "rules"], "policies"),
    ("GatewayDoc", &["auth", "general_settings"], "callers"),
    ("GatewayDoc", &["logging"], "log"),
    ("GatewayDoc", &["guards", "guardrails"], "screens"),
    ("ScreenDoc", &["api_key", "apikey", "token", "secret"], "key"),
    ("ScreenDoc", &["api_base", "base_url", "endpoint", "host"], "url"),
    ("ScreenDoc", &["type", "provider"], "kind"),
    ("ProviderDoc", &["api_key", "apikey", "token", "secret"], "key"),
    ("ProviderDoc", &["api_base", "base_url", "endpoint", "host"], "url"),
    ("ProviderDoc", &["type", "provider"], "kind"),
    ("TargetDoc", &["concurrency", "max_parallel_requests"], "max_concurrent"),
    ("PolicyDoc", &["name"], "policy"),
    ("PolicyDoc", &["match", "selector"], "for"),
    ("PolicyDoc", &["if", "condition"], "when"),
    ("PolicyDoc", &["guardrails", "plugins"], "steps"),
    ("RouteMap", &["failover"], "fallback"),
    ("RouteMap", &["load_balance", "loadbalance"], "weighted"),
    ("RouteMap", &["max_retries", "num_retries", "retries"], "attempts_per_target"),
    ("TimeoutsDoc", &["first_byte", "ttft"], "first_token"),
    ("TimeoutsDoc", &["idle"], "between_tokens"),
    ("TimeoutsDoc", &["read", "response"], "headers"),
    ("TimeoutsDoc", &["request"], "whole"),
    ("DenyDoc", &["reason", "text"], "message"),
    ("ExpectDoc", &["target", "targets"], "attempts"),
    ("ExpectDoc", &["body", "content", "text"], "answer"),
    ("ReplyDoc", &["answer", "content"], "text"),
    ("ReplyDoc", &["latency"], "delay"),
];

const POLICY: &[&str] = &["for", "mode", "route", "steps", "when"];
const OPTIONS: &[&str] =
    &["attempts_per_target", "losses", "mark_prefixes", "on_disconnect", "retry_on", "shadow", "sticky", "timeouts"];
const TIMEOUTS: &[&str] = &["between_tokens", "connect", "first_token", "headers", "total", "whole"];
const CANARY: &[&str] = &["abort_if", "candidate", "percent", "stable"];

const EXAMPLES: &[(&str, &str)] = &[
    ("candidate", "candidate: openai/gpt-4.1"),
    ("expect", "expect: { status: 200 }"),
    ("gateway", "gateway: tidegate.yaml"),
    ("kind", "kind: openai"),
    ("percent", "percent: 5%"),
    ("policy", "policy: default"),
    ("provider", "provider: openai"),
    ("request", "request: { model: gpt-4.1, messages: [{ role: user, content: hello }] }"),
    ("stable", "stable: openai/gpt-4.1"),
    ("targets", "targets: [openai/gpt-4.1]"),
    ("to", "to: openai/gpt-4.1"),
    ("version", "version: 1"),
];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::policy::document::GatewayDoc;

    fn is_field(schema: &Value, owner: &str, field: &str) -> bool {
        let of = if owner == "GatewayDoc" { schema } else { &schema["$defs"][owner] };
        of["properties"].get(field).is_some()
    }

    #[test]
    fn what_is_offered_in_place_of_another_word_is_a_field_and_the_word_is_none() {
        let schema = schemars::schema_for!(GatewayDoc).to_value();
        let ours = CALLED.iter().filter(|(owner, ..)| !["ExpectDoc", "ReplyDoc"].contains(owner));
        for (owner, words, field) in ours {
            assert!(is_field(&schema, owner, field), "{owner} has no {field}");
            assert!(!words.iter().any(|word| is_field(&schema, owner, word)), "{owner} has one of {words:?}");
        }
    }

    #[test]
    fn what_belongs_elsewhere_is_a_field_there() {
        let schema = schemars::schema_for!(GatewayDoc).to_value();
        let places = [("PolicyDoc", POLICY), ("RouteMap", OPTIONS), ("TimeoutsDoc", TIMEOUTS), ("CanaryDoc", CANARY)];
        for (owner, fields) in places {
            assert!(fields.iter().all(|field| is_field(&schema, owner, field)), "{owner}");
        }
    }
}
