//! Where texts stand in the bodies of endpoints that are forwarded without being understood.
//!
//! A shape is data: for each place of a document that is not simply gone through as the JSON it is, what it is. What is
//! not named is gone through as well, so that a field nobody knows yet hides nothing. The fields are those of OpenAI's
//! API reference (`/v1/completions`, `/v1/embeddings`, `/v1/responses`, `/v1/moderations`, `/v1/images`,
//! `/v1/audio/speech`) and of Cohere's and Jina's `/v1/rerank`.

use super::super::config::Where;
use super::super::lanes::Said;
use crate::base::json::Kind;
use crate::pipeline::facts::Endpoint;

/// What is known of an endpoint's bodies.
pub struct Shape {
    /// Whether all its requests are JSON documents of this shape: a policy may count on it when it loads.
    pub is_certain: bool,
    pub request: &'static Places,
    /// `None` if its answers may be anything.
    pub answer: Option<&'static Places>,
    /// How its streams tell of a text piece by piece.
    pub pieces: Option<&'static Pieces>,
}

impl Shape {
    /// Whether there is anything in its answers that somebody could look at.
    pub fn speaks(&self) -> bool {
        self.answer.is_none_or(|places| !places.contains(&("", Is::Kept)))
    }
}

/// What stands where, by the place's path.
pub type Places = [(&'static str, Is)];

/// What stands in a place: `input[].content` is the `content` of each item of `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// A name or an id that others must find again, a number, or what a provider has sealed.
    Kept,
    /// A text of a request.
    Text(Where),
    /// A text of whoever the `role` or the `type` beside it says.
    Turn,
    /// The same, or the numbers of tokens, which nobody can read.
    Words(Where),
    /// A text that is JSON itself.
    Arguments(Where),
    /// Any value, gone through as the JSON it is.
    Json(Where),
    /// Something of a request that nobody can look into.
    Unseen(&'static str),
    /// A text of an answer.
    Said(Said),
    /// The tokens of an answer spelled out beside its text.
    Spelled,
}

impl Is {
    /// Whether a value of this kind is a text there, and not any value, gone through as JSON.
    pub fn is_text(self, kind: Kind) -> bool {
        kind == Kind::String && !matches!(self, Self::Json(_) | Self::Said(Said::Document))
    }
}

/// How a stream tells of texts piece by piece.
pub struct Pieces {
    /// The member that holds a piece.
    pub piece: &'static str,
    /// The same, as a place.
    pub path: &'static str,
    /// Where the objects are that have it: in this list, or in the event itself.
    pub list: Option<&'static str>,
    /// What tells the texts apart, of the members beside it.
    pub keys: &'static [&'static str],
    /// A member that says, once it is there and not null, that the text ends with this piece.
    pub ends: Option<&'static str>,
    /// Types of events that end all texts.
    pub over: &'static [&'static str],
    /// By the beginning of the event's type, what kind of text it is; the last is for all others.
    pub kinds: &'static [(&'static str, Said)],
}

/// `None` for an endpoint of which nothing is known.
pub fn of(endpoint: Endpoint) -> Option<&'static Shape> {
    match endpoint {
        Endpoint::Completions => Some(&COMPLETIONS),
        Endpoint::Responses => Some(&RESPONSES),
        Endpoint::Embeddings => Some(&EMBEDDINGS),
        Endpoint::Moderations => Some(&MODERATIONS),
        Endpoint::Rerank => Some(&RERANK),
        Endpoint::Images => Some(&IMAGES),
        Endpoint::Audio => Some(&AUDIO),
        // The body of a count is that of a chat, which its dialect reads.
        Endpoint::Chat | Endpoint::CountTokens => None,
        Endpoint::Files | Endpoint::Batches | Endpoint::Other => None,
    }
}

/// Whose [`Is::Turn`] is, by the `type` of what it stands in, and else by its `role`.
const SPEAKERS: &[(&str, Where)] = &[
    ("function_call", Where::ToolCalls),
    ("custom_tool_call", Where::ToolCalls),
    ("mcp_call", Where::ToolCalls),
    ("local_shell_call", Where::ToolCalls),
    ("shell_call", Where::ToolCalls),
    ("apply_patch_call", Where::ToolCalls),
    ("computer_call", Where::ToolCalls),
    ("web_search_call", Where::ToolCalls),
    ("file_search_call", Where::ToolCalls),
    ("code_interpreter_call", Where::ToolCalls),
    ("function_call_output", Where::ToolResults),
    ("custom_tool_call_output", Where::ToolResults),
    ("local_shell_call_output", Where::ToolResults),
    ("shell_call_output", Where::ToolResults),
    ("apply_patch_call_output", Where::ToolResults),
    ("computer_call_output", Where::ToolResults),
    ("mcp_list_tools", Where::Tools),
    ("reasoning", Where::Assistant),
    ("compaction", Where::Assistant),
    ("system", Where::System),
    ("developer", Where::System),
    ("assistant", Where::Assistant),
    ("user", Where::User),
];

/// The same in answers.
const VOICES: &[(&str, Said)] = &[
    ("output_text", Said::Text),
    ("reasoning_text", Said::Thinking),
    ("summary_text", Said::Thinking),
    ("response.output_text.done", Said::Text),
    ("response.reasoning_text.done", Said::Thinking),
    ("response.reasoning_summary_text.done", Said::Thinking),
];

/// What [`Is::Turn`] is beside such a `type` or `role` of a request.
pub fn speaker(tag: &str) -> Option<Is> {
    SPEAKERS.iter().find(|(known, _)| *known == tag).map(|(_, place)| Is::Text(*place))
}

/// The same of an answer.
pub fn voice(tag: &str) -> Option<Is> {
    VOICES.iter().find(|(known, _)| *known == tag).map(|(_, said)| Is::Said(*said))
}

/// Members of a stream's events that hold what whole answers have elsewhere.
pub const ALIASES: [(&str, &str); 2] = [("response", ""), ("item", "output[]")];

/// Answers in which no model says anything.
const NOTHING_SAID: &Places = &[("", Is::Kept)];

static COMPLETIONS: Shape = Shape {
    is_certain: true,
    request: &[
        ("model", Is::Kept),
        ("prompt", Is::Words(Where::User)),
        ("prompt[]", Is::Words(Where::User)),
        ("prompt[][]", Is::Words(Where::User)),
        ("suffix", Is::Text(Where::User)),
        ("logit_bias", Is::Kept),
    ],
    answer: Some(&[
        ("id", Is::Kept),
        ("object", Is::Kept),
        ("created", Is::Kept),
        ("model", Is::Kept),
        ("system_fingerprint", Is::Kept),
        ("usage", Is::Kept),
        ("choices[].text", Is::Said(Said::Text)),
        ("choices[].index", Is::Kept),
        ("choices[].finish_reason", Is::Kept),
        ("choices[].logprobs", Is::Spelled),
    ]),
    pieces: Some(&Pieces {
        piece: "text",
        path: "choices[].text",
        list: Some("choices"),
        keys: &["index"],
        ends: Some("finish_reason"),
        over: &[],
        kinds: &[("", Said::Text)],
    }),
};

static RESPONSES: Shape = Shape {
    is_certain: true,
    request: &[
        ("model", Is::Kept),
        ("previous_response_id", Is::Kept),
        ("conversation", Is::Kept),
        ("include", Is::Kept),
        ("prompt.id", Is::Kept),
        ("prompt.variables", Is::Json(Where::User)),
        ("instructions", Is::Text(Where::System)),
        ("tools", Is::Json(Where::Tools)),
        ("input", Is::Text(Where::User)),
        ("input[]", Is::Turn),
        ("input[].type", Is::Kept),
        ("input[].role", Is::Kept),
        ("input[].id", Is::Kept),
        ("input[].call_id", Is::Kept),
        ("input[].approval_request_id", Is::Kept),
        ("input[].status", Is::Kept),
        ("input[].name", Is::Kept),
        ("input[].namespace", Is::Kept),
        ("input[].encrypted_content", Is::Kept),
        ("input[].content", Is::Turn),
        ("input[].content[].type", Is::Kept),
        ("input[].content[].text", Is::Turn),
        ("input[].content[].refusal", Is::Turn),
        ("input[].content[].detail", Is::Kept),
        ("input[].content[].image_url", Is::Unseen("image")),
        ("input[].content[].file_id", Is::Unseen("file")),
        ("input[].content[].file_data", Is::Unseen("file")),
        ("input[].content[].file_url", Is::Unseen("file")),
        ("input[].content[].input_audio", Is::Unseen("audio")),
        ("input[].arguments", Is::Arguments(Where::ToolCalls)),
        ("input[].input", Is::Text(Where::ToolCalls)),
        ("input[].code", Is::Text(Where::ToolCalls)),
        ("input[].output", Is::Text(Where::ToolResults)),
        ("input[].output[].type", Is::Kept),
        ("input[].output[].text", Is::Text(Where::ToolResults)),
        ("input[].output[].image_url", Is::Unseen("image")),
        ("input[].output[].file_id", Is::Unseen("file")),
        ("input[].output[].file_data", Is::Unseen("file")),
        ("input[].output[].file_url", Is::Unseen("file")),
        ("input[].output.type", Is::Kept),
        ("input[].output.image_url", Is::Unseen("image")),
        ("input[].output.file_id", Is::Unseen("image")),
        ("input[].results", Is::Json(Where::ToolResults)),
        ("input[].outputs", Is::Json(Where::ToolResults)),
        ("input[].result", Is::Unseen("image")),
        ("input[].summary[].type", Is::Kept),
        ("input[].summary[].text", Is::Text(Where::Assistant)),
    ],
    answer: Some(&[
        ("id", Is::Kept),
        ("object", Is::Kept),
        ("created_at", Is::Kept),
        ("completed_at", Is::Kept),
        ("status", Is::Kept),
        ("model", Is::Kept),
        ("previous_response_id", Is::Kept),
        ("usage", Is::Kept),
        ("output[].id", Is::Kept),
        ("output[].type", Is::Kept),
        ("output[].status", Is::Kept),
        ("output[].role", Is::Kept),
        ("output[].name", Is::Kept),
        ("output[].namespace", Is::Kept),
        ("output[].call_id", Is::Kept),
        ("output[].encrypted_content", Is::Kept),
        ("output[].arguments", Is::Said(Said::Arguments)),
        ("output[].input", Is::Said(Said::Input)),
        ("output[].code", Is::Said(Said::Input)),
        ("output[].action", Is::Said(Said::Arguments)),
        ("output[].queries", Is::Said(Said::Arguments)),
        ("output[].result", Is::Kept),
        ("output[].summary[].type", Is::Kept),
        ("output[].summary[].text", Is::Said(Said::Thinking)),
        ("output[].content[].type", Is::Kept),
        ("output[].content[].text", Is::Turn),
        ("output[].content[].refusal", Is::Said(Said::Refusal)),
        ("output[].content[].logprobs", Is::Spelled),
        // What the events of a stream have, about an answer or a part of one.
        ("type", Is::Kept),
        ("sequence_number", Is::Kept),
        ("obfuscation", Is::Kept),
        ("item_id", Is::Kept),
        ("output_index", Is::Kept),
        ("content_index", Is::Kept),
        ("summary_index", Is::Kept),
        ("logprobs", Is::Spelled),
        ("name", Is::Kept),
        ("text", Is::Turn),
        ("refusal", Is::Said(Said::Refusal)),
        ("arguments", Is::Said(Said::Arguments)),
        ("input", Is::Said(Said::Input)),
        ("code", Is::Said(Said::Input)),
        ("partial_image_b64", Is::Kept),
        ("part.type", Is::Kept),
        ("part.text", Is::Turn),
        ("part.refusal", Is::Said(Said::Refusal)),
        ("part.logprobs", Is::Spelled),
    ]),
    pieces: Some(&Pieces {
        piece: "delta",
        path: "delta",
        list: None,
        keys: &["type", "item_id", "output_index", "content_index", "summary_index"],
        ends: None,
        over: &["response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"],
        kinds: &[
            ("response.output_text.", Said::Text),
            ("response.refusal.", Said::Refusal),
            ("response.reasoning", Said::Thinking),
            ("response.function_call_arguments.", Said::Arguments),
            ("response.mcp_call_arguments.", Said::Arguments),
            ("response.custom_tool_call_input.", Said::Input),
            ("response.code_interpreter_call_code.", Said::Input),
            ("", Said::Text),
        ],
    }),
};

static EMBEDDINGS: Shape = Shape {
    is_certain: true,
    request: &[
        ("model", Is::Kept),
        ("input", Is::Words(Where::User)),
        ("input[]", Is::Words(Where::User)),
        ("input[][]", Is::Words(Where::User)),
    ],
    answer: Some(NOTHING_SAID),
    pieces: None,
};

static MODERATIONS: Shape = Shape {
    is_certain: true,
    request: &[
        ("model", Is::Kept),
        ("input", Is::Text(Where::User)),
        ("input[]", Is::Text(Where::User)),
        ("input[].type", Is::Kept),
        ("input[].text", Is::Text(Where::User)),
        ("input[].image_url", Is::Unseen("image")),
    ],
    answer: Some(NOTHING_SAID),
    pieces: None,
};

static RERANK: Shape = Shape {
    is_certain: true,
    request: &[
        ("model", Is::Kept),
        ("query", Is::Text(Where::User)),
        ("documents", Is::Json(Where::User)),
        ("documents[]", Is::Text(Where::User)),
    ],
    answer: Some(&[
        ("id", Is::Kept),
        ("model", Is::Kept),
        ("meta", Is::Kept),
        ("usage", Is::Kept),
        ("results[].index", Is::Kept),
        ("results[].relevance_score", Is::Kept),
    ]),
    pieces: None,
};

/// What is to be said aloud is JSON; what is to be written down is a recording.
static AUDIO: Shape = Shape {
    is_certain: false,
    request: &[
        ("model", Is::Kept),
        ("voice", Is::Kept),
        ("response_format", Is::Kept),
        ("stream_format", Is::Kept),
        ("input", Is::Text(Where::User)),
        ("instructions", Is::Text(Where::System)),
    ],
    answer: None,
    pieces: None,
};

/// Those to be edited come beside their prompts, and not as JSON.
static IMAGES: Shape = Shape {
    is_certain: false,
    request: &[
        ("model", Is::Kept),
        ("prompt", Is::Text(Where::User)),
        ("image", Is::Unseen("image")),
        ("images", Is::Unseen("image")),
        ("mask", Is::Unseen("image")),
    ],
    answer: None,
    pieces: None,
};
