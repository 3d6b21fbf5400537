//! How known fields were spelled: the bits this dialect sets in an [`Extra`](crate::chat::Extra).
//!
//! Each group belongs to one kind of value; a choice bears the marks of its message beside its own.

/// Marks of a request.
pub mod request {
    pub const MAX_TOKENS: u32 = 1;
    pub const MAX_COMPLETION_TOKENS: u32 = 1 << 1;
    /// `stop` was a string, not a list.
    pub const STOP_STRING: u32 = 1 << 2;
    /// `top_k`, which some vendors know, was there.
    pub const TOP_K: u32 = 1 << 3;
}

/// Marks of a message.
pub mod message {
    /// `content` was an array, even if one text was all it held.
    pub const CONTENT_ARRAY: u32 = 1;
    pub const NO_CONTENT: u32 = 1 << 1;
    /// `reasoning` repeated the thinking that is written elsewhere.
    pub const COPY_IN_REASONING: u32 = 1 << 2;
    /// `reasoning_content` repeated the thinking that is written elsewhere.
    pub const COPY_IN_REASONING_CONTENT: u32 = 1 << 3;
    /// The old role `function`.
    pub const FUNCTION_ROLE: u32 = 1 << 4;
    pub const NO_CALL_ID: u32 = 1 << 5;
}

/// Marks of a choice.
pub mod choice {
    pub const NO_INDEX: u32 = 1 << 16;
    pub const NO_MESSAGE: u32 = 1 << 17;
}

/// Marks of a part.
pub mod part {
    use crate::chat::Extra;

    /// A string in a content array.
    pub const BARE: u32 = 1;
    pub const NO_TYPE: u32 = 1 << 1;
    /// Thinking written in `reasoning`.
    pub const REASONING: u32 = 1 << 2;
    /// An item of `reasoning_details`.
    pub const DETAIL: u32 = Extra::TELLING;
    /// A detail whose text is in `summary`.
    pub const SUMMARY: u32 = 1 << 4;
    /// Thinking, or a refusal, among the content parts.
    pub const IN_CONTENT: u32 = 1 << 5;
    /// The old `function_call` of a message.
    pub const FUNCTION_CALL: u32 = 1 << 6;
    /// An item of `tool_calls` that is no function call.
    pub const TOOL_CALL: u32 = Extra::TELLING << 1;
    /// `image_url` was a string.
    pub const BARE_URL: u32 = 1 << 8;
    /// `file_data` was base64 without the head of a `data:` URL.
    pub const BARE_DATA: u32 = 1 << 9;
    /// A tool call's arguments were JSON itself, not its text.
    pub const JSON_ARGUMENTS: u32 = 1 << 10;
    pub const NO_ARGUMENTS: u32 = 1 << 11;
    /// Thinking among the content parts as a string, not an array.
    pub const BARE_THINKING: u32 = 1 << 12;
}

/// Marks of a tool.
pub mod tool {
    pub const NO_TYPE: u32 = 1;
}
