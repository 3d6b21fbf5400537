//! A request for a chat completion.

use crate::base::ids::DialectId;
use crate::base::json::{Json, Number};
use crate::base::text::Text;
use crate::chat::{Content, Extra, Message, Part};

/// What a caller asks of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The dialect it was read from, and so the one its extras belong to.
    pub dialect: DialectId,
    pub model: Text,
    /// Instructions and turns, in order.
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    pub params: Params,
    pub stream: bool,
    pub extra: Extra,
}

impl Request {
    pub fn new(dialect: DialectId, model: impl Into<Text>) -> Self {
        Self {
            dialect,
            model: model.into(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            params: Params::default(),
            stream: false,
            extra: Extra::default(),
        }
    }

    /// Every part of every message, tool results' own parts included.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.messages.iter().flat_map(|message| &message.parts).flat_map(|part| {
            let inner = match &part.content {
                Content::ToolResult(result) => result.parts.as_slice(),
                _ => &[],
            };
            std::iter::once(part).chain(inner)
        })
    }

    pub fn has_images(&self) -> bool {
        self.parts().any(|part| matches!(part.content, Content::Image(_)))
    }

    /// A cheap estimate: a token for each four bytes of text and tool schema, 4 for each message, 1,000 for
    /// each image or file, 3 for the answer's head. Good to about a third either way on English text.
    pub fn estimated_tokens(&self) -> u64 {
        let texts: usize = self.parts().map(Part::bytes).sum();
        let tools: usize = self.tools.iter().map(Tool::bytes).sum();
        let blobs = self.parts().filter(|part| is_blob(&part.content)).count();
        ((texts + tools).div_ceil(4) + 4 * self.messages.len() + 1_000 * blobs + 3) as u64
    }

    /// More tokens than the request can be: each byte of text, name and schema may be one, and 16 go with each message.
    /// Images and files are taken to be 8,000 tokens each at the most.
    pub fn most_tokens(&self) -> u64 {
        let names: usize = self.messages.iter().filter_map(|message| message.name.as_ref()).map(Text::len).sum();
        let format = self.params.format.as_ref().map_or(0, Format::bytes);
        let texts: usize = self.parts().map(Part::bytes).sum::<usize>() + names + format;
        let tools: usize = self.tools.iter().map(Tool::bytes).sum();
        let blobs = self.parts().filter(|part| is_blob(&part.content)).count();
        (texts + tools + 16 * (self.messages.len() + self.tools.len() + 1) + 8_000 * blobs) as u64
    }

    /// Whether there is anything but text in it.
    pub fn has_media(&self) -> bool {
        self.parts().any(|part| is_blob(&part.content))
    }
}

fn is_blob(content: &Content) -> bool {
    matches!(content, Content::Image(_) | Content::File(_) | Content::Audio { .. })
}

/// How to answer. `None` everywhere means what the provider does by itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    pub max_tokens: Option<Number>,
    pub temperature: Option<Number>,
    pub top_p: Option<Number>,
    pub top_k: Option<Number>,
    pub stop: Vec<Text>,
    pub seed: Option<Number>,
    /// How many answers.
    pub n: Option<Number>,
    pub presence_penalty: Option<Number>,
    pub frequency_penalty: Option<Number>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<Number>,
    /// Whether several tools may be called in one answer.
    pub parallel_tools: Option<bool>,
    pub format: Option<Format>,
    pub reasoning: Option<Reasoning>,
    /// The end user, as the caller names them to the provider.
    pub user: Option<Text>,
    /// Whether the caller asked for usage at the end of a stream.
    pub wants_usage: bool,
}

/// What shape the answer's text must have.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    Text,
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: Option<Text>,
        description: Option<Text>,
        schema: Json,
        strict: Option<bool>,
    },
}

impl Format {
    fn bytes(&self) -> usize {
        match self {
            Self::Text | Self::JsonObject => 0,
            Self::JsonSchema { name, description, schema, .. } => {
                let said = [name, description].into_iter().flatten().map(Text::len).sum::<usize>();
                said + schema.0.len()
            }
        }
    }
}

/// How much to think first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reasoning {
    /// `Some(false)` switches thinking off, `Some(true)` on with a budget or an effort, `None` leaves it to the model.
    pub enabled: Option<bool>,
    /// `minimal`, `low`, `medium`, `high` …
    pub effort: Option<Text>,
    /// Tokens that thinking may take.
    pub budget: Option<Number>,
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    Function {
        name: Text,
        description: Option<Text>,
        /// JSON Schema of the arguments.
        parameters: Option<Json>,
        strict: Option<bool>,
        cache: Option<Json>,
        extra: Extra,
    },
    /// A tool that only its own dialect knows (a provider's web search, a custom tool).
    Other { kind: String, json: Json },
}

impl Tool {
    fn bytes(&self) -> usize {
        match self {
            Self::Function { name, description, parameters, .. } => {
                name.len()
                    + description.as_ref().map_or(0, Text::len)
                    + parameters.as_ref().map_or(0, |schema| schema.0.len())
            }
            Self::Other { json, .. } => json.0.len(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    /// This tool must be called.
    Named(Text),
    /// A choice only its own dialect knows.
    Other(Json),
}
