//! Every name of an attribute that a trace may have: this table is the one place to change when conventions do.
//!
//! The names of OpenTelemetry are those of its semantic conventions 1.38, where all of `gen_ai.*` is still in
//! development; those of OpenInference of its specification of autumn 2026; those of Langfuse of its third version.

use opentelemetry::{Array, KeyValue, StringValue, Value};

/// The version of this table, which traces carry as the version of their instrumentation scope.
pub const VERSION: &str = "1";
/// The name of that scope.
pub const SCOPE: &str = "tidegate";

// What is said of the process.
pub const SERVICE_NAME: &str = "service.name";
pub const SERVICE_VERSION: &str = "service.version";
pub const SERVICE_INSTANCE: &str = "service.instance.id";

// What everybody knows: OpenTelemetry's stable names, and the gateway's own.
pub const METHOD: &str = "http.request.method";
pub const PATH: &str = "url.path";
pub const STATUS: &str = "http.response.status_code";
pub const ERROR: &str = "error.type";
pub const HOST: &str = "server.address";
pub const PORT: &str = "server.port";
pub const USER: &str = "user.id";
pub const SESSION: &str = "session.id";
pub const REQUEST: &str = "tidegate.request.id";
pub const ENDPOINT: &str = "tidegate.endpoint";
pub const OUTCOME: &str = "tidegate.outcome";
pub const POLICY: &str = "tidegate.policy";
pub const REVISION: &str = "tidegate.revision";
pub const KEY: &str = "tidegate.key.id";
pub const TEAM: &str = "tidegate.team";
pub const TAGS: &str = "tidegate.tags";
pub const CACHE: &str = "tidegate.cache.status";
pub const SAVED: &str = "tidegate.cache.saved_usd";
pub const PREFIX_SAVED: &str = "tidegate.prompt_cache.saved_usd";
pub const CHARGED: &str = "tidegate.cache.charged_usd";
pub const ATTEMPTS: &str = "tidegate.attempts";
pub const OVERHEAD: &str = "tidegate.overhead_ms";
pub const SHADOW_OF: &str = "tidegate.shadow_of";
pub const RENEWAL_OF: &str = "tidegate.renewal_of";
pub const STEP: &str = "tidegate.step";
pub const VERDICT: &str = "tidegate.verdict";
/// Followed by the name of the note.
pub const NOTE: &str = "tidegate.note.";
/// Followed by the name of the member.
pub const BAGGAGE: &str = "baggage.";
pub const TARGET: &str = "tidegate.target";
pub const ATTEMPT_NUMBER: &str = "tidegate.attempt.number";
pub const ATTEMPT_OUTCOME: &str = "tidegate.attempt.outcome";
pub const ATTEMPT_REASON: &str = "tidegate.attempt.reason";
pub const ESTIMATED: &str = "tidegate.usage.estimated";
pub const COST: &str = "tidegate.cost_usd";
pub const CHUNKS: &str = "tidegate.stream.chunks";
pub const PER_CHUNK: &str = "tidegate.stream.seconds_per_chunk";
pub const CUT: &str = "tidegate.stream.cut";
/// The event of a target that was not asked.
pub const PASSED_OVER: &str = "tidegate.passed_over";
/// The event of the first token of a stream.
pub const FIRST_TOKEN: &str = "tidegate.first_token";

/// OpenTelemetry's conventions for generative AI.
pub mod genai {
    pub const OPERATION: &str = "gen_ai.operation.name";
    pub const PROVIDER: &str = "gen_ai.provider.name";
    pub const CONVERSATION: &str = "gen_ai.conversation.id";
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
    pub const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
    pub const TEMPERATURE: &str = "gen_ai.request.temperature";
    pub const TOP_P: &str = "gen_ai.request.top_p";
    pub const TOP_K: &str = "gen_ai.request.top_k";
    pub const SEED: &str = "gen_ai.request.seed";
    pub const CHOICES: &str = "gen_ai.request.choice.count";
    pub const PRESENCE_PENALTY: &str = "gen_ai.request.presence_penalty";
    pub const FREQUENCY_PENALTY: &str = "gen_ai.request.frequency_penalty";
    pub const RESPONSE_ID: &str = "gen_ai.response.id";
    pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
    pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    /// In seconds.
    pub const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    pub const INPUT: &str = "gen_ai.usage.input_tokens";
    pub const OUTPUT: &str = "gen_ai.usage.output_tokens";
    pub const CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
    pub const CACHE_WRITE: &str = "gen_ai.usage.cache_creation.input_tokens";
    pub const REASONING: &str = "gen_ai.usage.reasoning.output_tokens";

    /// JSON: a list of messages.
    pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
    pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";

    /// What the conventions call a provider of this kind; kinds that they do not know keep their name.
    pub fn provider(kind: &str) -> &str {
        match kind {
            "azure_openai" => "azure.ai.openai",
            "bedrock" => "aws.bedrock",
            "gemini" => "gcp.gemini",
            "vertex" => "gcp.vertex_ai",
            "mistral" => "mistral_ai",
            "xai" => "x_ai",
            kind => kind,
        }
    }
}

pub mod langfuse {
    pub const TRACE_NAME: &str = "langfuse.trace.name";
    pub const TRACE_TAGS: &str = "langfuse.trace.tags";
    /// The real root of the trace is somebody else's; this span is to be shown as one.
    pub const AS_ROOT: &str = "langfuse.internal.as_root";
    pub const TYPE: &str = "langfuse.observation.type";
    pub const LEVEL: &str = "langfuse.observation.level";
    pub const MESSAGE: &str = "langfuse.observation.status_message";
    pub const MODEL: &str = "langfuse.observation.model.name";
    /// JSON: what the model is to answer by.
    pub const PARAMETERS: &str = "langfuse.observation.model.parameters";
    /// JSON: disjoint counts, and their sum as `total`.
    pub const USAGE: &str = "langfuse.observation.usage_details";
    /// JSON: US dollars by the same keys.
    pub const COST: &str = "langfuse.observation.cost_details";
    pub const TRACE_INPUT: &str = "langfuse.trace.input";
    pub const TRACE_OUTPUT: &str = "langfuse.trace.output";
    pub const INPUT: &str = "langfuse.observation.input";
    pub const OUTPUT: &str = "langfuse.observation.output";
    /// JSON: a time.
    pub const COMPLETION_START: &str = "langfuse.observation.completion_start_time";
}

pub mod openinference {
    pub const KIND: &str = "openinference.span.kind";
    pub const TAGS: &str = "tag.tags";
    pub const INPUT: &str = "input.value";
    pub const INPUT_KIND: &str = "input.mime_type";
    pub const OUTPUT: &str = "output.value";
    pub const OUTPUT_KIND: &str = "output.mime_type";
    pub const MODEL: &str = "llm.model_name";
    pub const EMBEDDING_MODEL: &str = "embedding.model_name";
    /// Who runs the model.
    pub const PROVIDER: &str = "llm.provider";
    /// Whose model it is, or whose interface.
    pub const SYSTEM: &str = "llm.system";
    pub const FINISH: &str = "llm.finish_reason";
    /// JSON: what the model is to answer by.
    pub const PARAMETERS: &str = "llm.invocation_parameters";
    pub const PROMPT: &str = "llm.token_count.prompt";
    pub const COMPLETION: &str = "llm.token_count.completion";
    pub const TOTAL: &str = "llm.token_count.total";
    pub const CACHE_READ: &str = "llm.token_count.prompt_details.cache_read";
    pub const CACHE_WRITE: &str = "llm.token_count.prompt_details.cache_write";
    pub const AUDIO_IN: &str = "llm.token_count.prompt_details.audio";
    pub const REASONING: &str = "llm.token_count.completion_details.reasoning";
    pub const AUDIO_OUT: &str = "llm.token_count.completion_details.audio";
    /// Lists of messages, each followed by its number and what is said of it.
    pub const INPUT_MESSAGES: &str = "llm.input_messages";
    pub const OUTPUT_MESSAGES: &str = "llm.output_messages";
    pub const ROLE: &str = "message.role";
    pub const CONTENT: &str = "message.content";
    pub const MESSAGE_FINISH: &str = "message.finish_reason";
    /// The call that a message of a tool answers.
    pub const CALL_ANSWERED: &str = "message.tool_call_id";
    /// Lists within a message, each followed by a number and what is said of it.
    pub const CONTENTS: &str = "message.contents";
    pub const CONTENT_TYPE: &str = "message_content.type";
    pub const CONTENT_TEXT: &str = "message_content.text";
    pub const CALLS: &str = "message.tool_calls";
    pub const CALL_ID: &str = "tool_call.id";
    pub const CALL_NAME: &str = "tool_call.function.name";
    pub const CALL_ARGUMENTS: &str = "tool_call.function.arguments";
    /// In US dollars.
    pub const COST_PROMPT: &str = "llm.cost.prompt";
    pub const COST_COMPLETION: &str = "llm.cost.completion";
    pub const COST_TOTAL: &str = "llm.cost.total";

    /// What the specification calls a provider of this kind; kinds that it does not know keep their name.
    pub fn provider(kind: &str) -> &str {
        match kind {
            "azure_openai" => "azure",
            "bedrock" => "aws",
            "gemini" | "vertex" => "google",
            "mistral" => "mistralai",
            kind => kind,
        }
    }

    /// What it calls the system that a provider of this kind runs, where it has a word for it.
    pub fn system(kind: &str) -> Option<&str> {
        match kind {
            "azure_openai" | "openai" => Some("openai"),
            "anthropic" | "cohere" => Some(kind),
            "mistral" => Some("mistralai"),
            "vertex" => Some("vertexai"),
            _ => None,
        }
    }
}

/// An attribute.
pub fn pair(name: &'static str, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(name, value)
}

/// An attribute whose name is only known when it is said.
pub fn beneath(names: &'static str, name: &str, value: &str) -> KeyValue {
    KeyValue::new(format!("{names}{name}"), value.to_owned())
}

/// A list of texts.
pub fn list(texts: impl IntoIterator<Item = impl Into<StringValue>>) -> Value {
    Value::Array(Array::String(texts.into_iter().map(Into::into).collect()))
}
