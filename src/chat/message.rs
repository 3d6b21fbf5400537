//! Messages and their parts.

use std::borrow::Cow;

use crate::base::json::Json;
use crate::base::text::Text;
use crate::chat::Extra;

/// One turn, or the instructions before the turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
    /// A name for the speaker, where the dialect has one.
    pub name: Option<Text>,
    pub extra: Extra,
}

impl Message {
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, name: None, extra: Extra::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    /// Carries the results of tool calls.
    Tool,
}

impl Role {
    /// True for instructions rather than conversation.
    pub fn instructs(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub content: Content,
    /// A prompt-cache marker set on this part, as its dialect wrote it: `{"type":"ephemeral"}`.
    pub cache: Option<Json>,
    pub extra: Extra,
}

impl Part {
    pub fn new(content: Content) -> Self {
        Self { content, cache: None, extra: Extra::default() }
    }

    pub fn text(text: impl Into<Text>) -> Self {
        Self::new(Content::Text(text.into()))
    }

    /// The bytes of text in it; a tool result's parts are counted on their own.
    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Text(text) | Content::Refusal(text) => text.len(),
            Content::ToolCall(call) => call.name.len() + call.arguments.len(),
            Content::Thinking(thinking) => thinking.text.len(),
            Content::Other(other) => other.json.0.len(),
            Content::ToolResult(_) | Content::Image(_) | Content::File(_) | Content::Audio { .. } => 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Text(Text),
    Image(Image),
    /// A document: a PDF, a text file.
    File(File),
    /// Sound, base64, with its format (`wav`, `mp3`).
    Audio {
        data: Text,
        format: Text,
    },
    ToolCall(ToolCall),
    ToolResult(ToolResult),
    Thinking(Thinking),
    /// The model's own words of refusal, where the dialect keeps them apart.
    Refusal(Text),
    /// A part this vocabulary has no word for. It can leave only in the dialect it came in.
    Other(Other),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    /// The type the dialect gives it: `server_tool_use`.
    pub kind: String,
    pub json: Json,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub source: Source,
    /// How closely to look: `low`, `high`, `auto`.
    pub detail: Option<Text>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub source: Source,
    pub name: Option<Text>,
}

/// Where the bytes of an image or a file are.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A URL; a `data:` URL stays one until a dialect needs its parts ([`Source::inline`]).
    Url(Text),
    /// Base64.
    Data { media_type: Text, data: Text },
    /// A file uploaded to the provider before.
    Uploaded(Text),
    /// Plain text in place of a file.
    Plain(Text),
}

impl Source {
    /// The media type and base64 data, whichever way they were written.
    pub fn inline(&self) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
        match self {
            Self::Data { media_type, data } => Some((media_type.as_str(), data.as_str())),
            Self::Url(url) => match url.as_str() {
                Cow::Borrowed(url) => {
                    split_data_url(url).map(|(kind, data)| (Cow::Borrowed(kind), Cow::Borrowed(data)))
                }
                Cow::Owned(url) => {
                    split_data_url(&url).map(|(kind, data)| (Cow::Owned(kind.to_owned()), Cow::Owned(data.to_owned())))
                }
            },
            Self::Uploaded(_) | Self::Plain(_) => None,
        }
    }
}

/// `data:image/png;base64,AAAA` to `image/png` and `AAAA`.
fn split_data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    Some((head.split(';').next().unwrap_or(head), data))
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: Text,
    pub name: Text,
    /// The arguments, as the text of a JSON document.
    pub arguments: Text,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    pub call_id: Text,
    pub parts: Vec<Part>,
    pub is_error: Option<bool>,
}

/// What a model thought before it answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thinking {
    pub text: Text,
    /// The provider's proof that the text is its own; needed to send it back.
    pub signature: Option<Text>,
    /// Thinking the provider keeps secret, sealed; the text is empty then.
    pub sealed: Option<Text>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_is_split_into_type_and_data() {
        let inline =
            |url: &str| Source::Url(url.into()).inline().map(|(kind, data)| (kind.into_owned(), data.into_owned()));
        assert_eq!(inline("data:image/png;base64,AAAA"), Some(("image/png".into(), "AAAA".into())));
        assert_eq!(inline("data:text/plain;charset=utf-8;base64,QQ=="), Some(("text/plain".into(), "QQ==".into())));
        assert_eq!(inline("https://example.org/a.png"), None);
        assert_eq!(inline("data:image/png,raw"), None);
    }
}
