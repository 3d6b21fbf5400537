//! The names of all metrics, and what they are.

use prometheus_client::registry::Unit;

use super::Metrics;

impl Metrics {
    /// Says what there is, and what it is called.
    pub(super) fn register(&mut self) {
        let r = &mut self.registry;
        r.register("tidegate_requests", "Requests by the policy that decided on them", self.requests.clone());
        r.register("tidegate_attempts", "Attempts at targets by their outcome", self.attempts.clone());
        let help = "Time the gateway itself took, until the first byte of the answer";
        r.register_with_unit("tidegate_overhead", help, Unit::Seconds, self.overhead.clone());
        let help = "Time from the request to the end of its answer";
        r.register_with_unit("gen_ai_client_operation_duration", help, Unit::Seconds, self.duration.clone());
        let help = "Time from the request to the first token of its answer";
        r.register_with_unit(
            "gen_ai_client_operation_time_to_first_chunk",
            help,
            Unit::Seconds,
            self.first_token.clone(),
        );
        r.register("gen_ai_client_token_usage", "Tokens used by a request", self.tokens.clone());
        let help = "What requests cost, and what is embedded for them, in US dollars";
        r.register("tidegate_cost_usd", help, self.cost.clone());
        let help = "Tokens of input that providers have read from their own caches, or written to them";
        r.register("tidegate_prompt_cache_tokens", help, self.prompt_cache.clone());
        let help = "What input would have cost more that was read from providers' own caches, in US dollars";
        r.register("tidegate_prompt_cache_saved_usd", help, self.prompt_cache_saved.clone());
        let help = "What is left of a budget in US dollars; scope `least` is its account that has the least";
        r.register("tidegate_budget_remaining_usd", help, self.budget_remaining.clone());
        let help = "How often accounts of a budget have come to where it warns, since the start";
        r.register("tidegate_budget_warnings", help, self.budget_warnings.clone());
        let help = "Requests under way that have money set aside";
        r.register("tidegate_reservations_open", help, self.reservations_open.clone());
        let help = "Requests to models whose price nobody knows";
        r.register("tidegate_price_unknown", help, self.price_unknown.clone());
        let help = "What guards have found, by its kind and by what they did about it";
        r.register("tidegate_guard_actions", help, self.guard_actions.clone());
        let help = "The most that a guard keeps back of each text of a streamed answer";
        r.register_with_unit("tidegate_guard_hold_back", help, Unit::Bytes, self.guard_hold_back.clone());
        let help = "Calls of plugins, by hook and by what they came to";
        r.register("tidegate_plugin_calls", help, self.plugin_calls.clone());
        let help = "Time that calls of plugins took";
        r.register_with_unit("tidegate_plugin_calls", help, Unit::Seconds, self.plugin_seconds.clone());
        let help = "Log lines of plugins that did not fit their budget";
        r.register_with_unit("tidegate_plugin_log_dropped", help, Unit::Bytes, self.plugin_log_dropped.clone());
        let help = "What plugins count themselves";
        r.register("tidegate_plugin_count", help, self.plugin_counts.clone());
        r.register("tidegate_target_state", "1 for the state a target's breaker is in", self.target_state.clone());
        r.register("tidegate_policy_revision_info", "The policy revision in charge", self.revision.clone());
        r.register(
            "tidegate_policy_reload_failed",
            "1 while the files on disk cannot be loaded",
            self.reload_failed.clone(),
        );
        r.register("tidegate_requests_in_flight", "Requests under way", self.in_flight.clone());
        r.register("tidegate_access_log_dropped", "Access log lines dropped", self.dropped_lines.clone());
        r.register("tidegate_shadows_dropped", "Shadow copies not sent", self.dropped_shadows.clone());
        r.register("tidegate_otlp_spans_dropped", "Spans that no collector has", self.dropped_spans.clone());
        let help = "Decisions that were not recorded, though they should be";
        r.register("tidegate_decisions_dropped", help, self.dropped_decisions.clone());
        let help = "Time that the ledger waited until the disk had what was spent";
        r.register_with_unit("tidegate_ledger_fsync", help, Unit::Seconds, self.ledger_fsync.clone());
        self.register_kept();
    }

    /// What there is to count of answers that are kept.
    fn register_kept(&mut self) {
        let r = &mut self.registry;
        let help = "Requests by what came of looking for their answers among those that are kept";
        r.register("tidegate_cache", help, self.cache.clone());
        let help = "What came up of kept answers: some were damaged, renewed, or could not be renewed";
        r.register("tidegate_cache_events", help, self.cache_events.clone());
        let help = "Answers that were given to others than those they were made for, by how they were found";
        r.register("tidegate_cache_given", help, self.cache_given.clone());
        let help = "What answers cost when they were made that were given again or to others as well, in US dollars";
        r.register("tidegate_cache_saved_usd", help, self.cache_saved.clone());
        let help = "What was charged for answers that were given again, in US dollars";
        r.register("tidegate_cache_charged_usd", help, self.cache_charged.clone());
    }
}
