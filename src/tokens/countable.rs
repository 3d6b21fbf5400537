//! What there is to count in a request: its texts, and tokens that go with them unsaid.
//!
//! For chats OpenAI has published that each message takes 3 tokens besides its role and text, a name 1, and the
//! beginning of the answer 3 (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>). How tools and
//! the calls of tools are put before the model is not published: their names, descriptions, schemas and arguments are
//! counted as the JSON they came in, and so is the schema of an answer, with 8 tokens for each tool and 12 for there
//! being any. So a count is exact for conversations of text, and close where there are tools or a model has
//! instructions of its own, as gpt-oss has. Images and files are taken to be 1,000 tokens each.

use crate::base::text::Text;
use crate::chat::{Content, Format, Message, Part, Request, Tool};

use super::counts::Counts;
use super::encoding::Encoding;

#[derive(Debug, Clone, Default)]
pub struct Countable {
    texts: Vec<Text>,
    /// Tokens that are no text's.
    pub fixed: u64,
}

impl Countable {
    /// All of a request.
    pub fn of(request: &Request) -> Self {
        let mut countable = Self { texts: Vec::new(), fixed: HEAD };
        for message in &request.messages {
            countable.fixed += MESSAGE + ROLE;
            if let Some(name) = &message.name {
                countable.fixed += NAME;
                countable.texts.push(name.clone());
            }
        }
        request.parts().for_each(|part| countable.add(part));
        request.tools.iter().for_each(|tool| countable.add_tool(tool));
        if !request.tools.is_empty() {
            countable.fixed += TOOLS;
        }
        if let Some(Format::JsonSchema { schema, .. }) = &request.params.format {
            countable.texts.push(Text::new(schema.0.clone()));
        }
        countable
    }

    /// What bounds a request from above: the texts that are by themselves in their message or result, and for all the
    /// rest as many tokens as it can be at the most. How texts of one message are put together is not known, and the
    /// tokens of a whole may be more than those of its parts.
    pub fn bound(request: &Request) -> Self {
        let texts: Vec<Text> = request.messages.iter().flat_map(lone_texts).cloned().collect();
        let bytes: usize = texts.iter().map(Text::len).sum();
        Self { texts, fixed: request.most_tokens().saturating_sub(bytes as u64) }
    }

    /// An upper bound of the bytes to count.
    pub fn bytes(&self) -> usize {
        self.texts.iter().map(Text::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub(super) fn count(&self, encoding: Encoding, counts: &Counts) -> u64 {
        let texts = self.texts.iter().map(|text| counts.of(encoding, &text.as_str()));
        texts.fold(self.fixed, u64::saturating_add)
    }

    fn add(&mut self, part: &Part) {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => self.texts.push(text.clone()),
            Content::ToolCall(call) => self.texts.extend([call.name.clone(), call.arguments.clone()]),
            Content::Thinking(thinking) => self.texts.push(thinking.text.clone()),
            Content::Other(other) => self.texts.push(Text::new(other.json.0.clone())),
            Content::Image(_) | Content::File(_) | Content::Audio { .. } => self.fixed += BLOB,
            // Its parts come by themselves.
            Content::ToolResult(_) => {}
        }
    }

    fn add_tool(&mut self, tool: &Tool) {
        self.fixed += TOOL;
        match tool {
            Tool::Function { name, description, parameters, .. } => {
                self.texts.push(name.clone());
                self.texts.extend(description.clone());
                self.texts.extend(parameters.as_ref().map(|schema| Text::new(schema.0.clone())));
            }
            Tool::Other { json, .. } => self.texts.push(Text::new(json.0.clone())),
        }
    }
}

/// The texts of a message that no other text goes with.
fn lone_texts(message: &Message) -> impl Iterator<Item = &Text> {
    let results = message.parts.iter().filter_map(|part| match &part.content {
        Content::ToolResult(result) => lone_text(&result.parts),
        _ => None,
    });
    lone_text(&message.parts).into_iter().chain(results)
}

fn lone_text(parts: &[Part]) -> Option<&Text> {
    let mut texts = parts.iter().filter_map(|part| match &part.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        _ => None,
    });
    texts.next().filter(|_| texts.next().is_none())
}

const HEAD: u64 = 3;
const MESSAGE: u64 = 3;
/// Every role is one token in every encoding.
const ROLE: u64 = 1;
const NAME: u64 = 1;
const TOOLS: u64 = 12;
const TOOL: u64 = 8;
const BLOB: u64 = 1_000;
