//! Markers for Anthropic's own cache, on what stays the same from one request to the next: tools and instructions.
//!
//! They are set only where a caller has set none: whoever marks prefixes knows where they end, and how long each is to
//! last, which Anthropic wants in a certain order. There are at most two of them: behind the tools, and behind the
//! instructions that follow these. A prefix that is shorter than Anthropic caches does no harm, but is not worth it.

use super::mark::INLINE;
use super::{ID, tool};
use crate::base::json::Json;
use crate::base::text::Text;
use crate::chat::{Content, Message, Part, Request, Tool, Verbatim};

/// Marks what has at least so many bytes, and says how many markers that took.
pub(super) fn mark(request: &mut Verbatim<Request>, least: u64) -> usize {
    if has_markers(request) {
        return 0;
    }
    let tools = tools_size(request);
    let ends = Ends {
        tool: last_tool(&request.tools).filter(|_| tools >= least),
        instruction: last_instruction(request).filter(|_| tools + instructions_size(request) >= least),
    };
    if ends.count() == 0 {
        return 0;
    }
    let edited = request.edit();
    if let Some(Tool::Function { cache, .. }) = ends.tool.and_then(|at| edited.tools.get_mut(at)) {
        *cache = Some(marker());
    }
    let part = ends.instruction.and_then(|(message, part)| edited.messages.get_mut(message)?.parts.get_mut(part));
    if let Some(part) = part {
        part.cache = Some(marker());
    }
    ends.count()
}

/// Where the prefixes end.
struct Ends {
    tool: Option<usize>,
    /// A message and its part.
    instruction: Option<(usize, usize)>,
}

impl Ends {
    fn count(&self) -> usize {
        usize::from(self.tool.is_some()) + usize::from(self.instruction.is_some())
    }
}

/// One that lasts as long as any does by itself.
fn marker() -> Json {
    Json(r#"{"type":"ephemeral"}"#.into())
}

/// Whether the caller has marked anything, wherever that may be.
fn has_markers(request: &Request) -> bool {
    // One for the whole request stands beside its fields.
    request.extra.get("cache_control").is_some()
        || request.tools.iter().any(is_marked_tool)
        || request.messages.iter().flat_map(|message| &message.parts).any(is_marked)
}

fn is_marked_tool(tool: &Tool) -> bool {
    match tool {
        Tool::Function { cache, .. } => cache.is_some(),
        Tool::Other { json, .. } => json.0.contains("cache_control"),
    }
}

fn is_marked(part: &Part) -> bool {
    part.cache.is_some()
        || match &part.content {
            Content::ToolResult(result) => result.parts.iter().any(is_marked),
            Content::Other(other) => other.json.0.contains("cache_control"),
            _ => false,
        }
}

/// The last of those that can be marked; what only the provider knows stays as it is.
fn last_tool(tools: &[Tool]) -> Option<usize> {
    tools.iter().rposition(|tool| matches!(tool, Tool::Function { .. }))
}

/// The last text before the first turn. Anthropic refuses markers on empty texts.
fn last_instruction(request: &Request) -> Option<(usize, usize)> {
    instructions(request).enumerate().filter_map(|(at, message)| Some((at, last_text(message)?))).last()
}

fn last_text(message: &Message) -> Option<usize> {
    message.parts.iter().rposition(|part| text(part).is_some_and(|text| !text.as_str().trim().is_empty()))
}

fn text(part: &Part) -> Option<&Text> {
    if let Content::Text(text) = &part.content { Some(text) } else { None }
}

fn instructions(request: &Request) -> impl Iterator<Item = &Message> {
    let is_inline = |message: &Message| request.dialect == ID && message.extra.has_mark(INLINE);
    request.messages.iter().take_while(move |message| message.role.instructs() && !is_inline(message))
}

fn instructions_size(request: &Request) -> u64 {
    instructions(request).flat_map(|message| &message.parts).filter_map(text).map(|text| text.len() as u64).sum()
}

fn tools_size(request: &Request) -> u64 {
    request.tools.iter().map(tool::size).sum()
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;
    use serde_json::{Value, json};

    use super::*;
    use crate::chat::Losses;
    use crate::dialect::anthropic_messages::AnthropicMessages;
    use crate::dialect::{Dialect, Quirks};

    const LEAST: u64 = 40;

    /// The request as it leaves, and how many markers were set.
    fn sent(body: &Value) -> (Value, usize) {
        let text = ByteString::from(body.to_string());
        let request = AnthropicMessages.read_request(&text).unwrap();
        let mut request = Verbatim::read(request, ID, text.into_bytes(), Some(0));
        let count = mark(&mut request, LEAST);
        let written = match request.wire(ID) {
            Some(wire) => wire.to_vec(),
            None => AnthropicMessages.write_request(&request, &Quirks::default(), &mut Losses::default()),
        };
        (serde_json::from_slice(&written).unwrap(), count)
    }

    fn markers(value: &Value) -> usize {
        value.to_string().matches("cache_control").count()
    }

    fn long() -> String {
        "You answer questions about trains, and about nothing else.".to_owned()
    }

    fn tool(description: &str) -> Value {
        json!({"name": "f", "description": description, "input_schema": {"type": "object"}})
    }

    fn body(tools: Value, system: Value) -> Value {
        let messages = json!([{"role": "user", "content": "Which?"}]);
        json!({"model": "m", "max_tokens": 9, "system": system, "messages": messages, "tools": tools})
    }

    #[test]
    fn long_tools_and_instructions_are_marked_at_their_ends() {
        let asked = body(
            json!([tool("a"), tool(&long())]),
            json!([{"type": "text", "text": "a"}, {"type": "text", "text": long()}]),
        );
        let (sent, count) = sent(&asked);
        let marker = json!({"type": "ephemeral"});
        assert_eq!((&sent["tools"][1]["cache_control"], &sent["system"][1]["cache_control"]), (&marker, &marker));
        assert_eq!((count, markers(&sent)), (2, 2));
    }

    #[test]
    fn nothing_else_of_a_request_changes() {
        let asked = body(json!([tool(&long())]), json!(long()));
        let (mut sent, _) = sent(&asked);
        sent["tools"][0].as_object_mut().unwrap().remove("cache_control").unwrap();
        // A bare string cannot be marked; it says the same as a list of one.
        assert_eq!(
            sent["system"].take(),
            json!([{"type": "text", "text": long(), "cache_control": {"type": "ephemeral"}}])
        );
        let mut asked = asked;
        asked["system"].take();
        assert_eq!(sent, asked);
    }

    #[test]
    fn a_short_prefix_leaves_as_it_came_and_a_short_one_behind_a_long_one_is_marked() {
        assert_eq!(sent(&body(json!([tool("a")]), json!("b"))).1, 0);
        let (sent, count) = sent(&body(json!([tool(&long())]), json!("b")));
        assert_eq!((count, markers(&sent)), (2, 2));
    }

    #[test]
    fn who_marks_anything_is_left_alone() {
        let marker = json!({"type": "ephemeral", "ttl": "1h"});
        let mut requests = vec![body(json!([tool(&long())]), json!(long())); 4];
        requests[0]["tools"][0]["cache_control"] = marker.clone();
        requests[1]["system"] = json!([{"type": "text", "text": long(), "cache_control": marker}]);
        requests[2]["messages"][0]["content"] = json!([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x", "cache_control": marker}]}]);
        requests[3]["cache_control"] = marker;
        for asked in requests {
            let (sent, count) = sent(&asked);
            assert_eq!((count, sent), (0, asked));
        }
    }

    #[test]
    fn what_users_say_is_no_prefix() {
        let messages = json!([{"role": "user", "content": long()}]);
        let (_, count) = sent(&json!({"model": "m", "max_tokens": 9, "messages": messages}));
        assert_eq!(count, 0);
    }
}
