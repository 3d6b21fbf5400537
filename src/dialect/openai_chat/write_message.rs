//! Messages, written: the fields of the wire from a list of parts.

use smallvec::SmallVec;

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{Content, Extra, Losses, Part, Role, Thinking, ToolCall};
use crate::dialect::openai_chat::level::{Members, Rest, object};
use crate::dialect::openai_chat::marks::{message as marks, part as part_marks};
use crate::dialect::openai_chat::read_message::joined;
use crate::dialect::openai_chat::write_part::{self, Origin};

/// Parts, sorted by the field that holds them.
#[derive(Default)]
pub struct Fields<'p> {
    pub content: List<'p>,
    reasoning_content: List<'p>,
    reasoning: List<'p>,
    details: List<'p>,
    refusal: Option<&'p Text>,
    calls: List<'p>,
    function_call: Option<&'p Part>,
}

type List<'p> = SmallVec<[&'p Part; 4]>;

impl<'p> Fields<'p> {
    /// Sorts the parts, and leaves out what cannot be said.
    pub fn of(parts: &[&'p Part], role: Role, origin: Origin, losses: &mut Losses) -> Self {
        let mut fields = Self::default();
        for part in parts {
            let has = |mark| origin == Origin::Here && part.extra.has_mark(mark);
            let list = match &part.content {
                Content::ToolCall(_) if has(part_marks::FUNCTION_CALL) => {
                    fields.function_call = Some(part);
                    continue;
                }
                Content::Refusal(text) if !has(part_marks::IN_CONTENT) => {
                    fields.refusal = Some(text);
                    continue;
                }
                Content::ToolCall(_) => &mut fields.calls,
                Content::ToolResult(_) => continue,
                _ if !write_part::can_say(part, role, origin, losses) => continue,
                Content::Other(_) if has(part_marks::TOOL_CALL) => &mut fields.calls,
                Content::Thinking(_) | Content::Other(_) if has(part_marks::DETAIL) => &mut fields.details,
                Content::Thinking(_) if has(part_marks::REASONING) => &mut fields.reasoning,
                Content::Thinking(_) if !has(part_marks::IN_CONTENT) => &mut fields.reasoning_content,
                _ => &mut fields.content,
            };
            list.push(part);
        }
        fields
    }

    /// Writes all fields but the role and what goes with it.
    pub fn write(&self, members: &mut Members<'_>, rest: Rest<'_>, origin: Origin, losses: &mut Losses) {
        self.thinking(members, rest);
        self.write_content(members, rest, origin, losses);
        members.text("refusal", self.refusal);
        if !self.calls.is_empty() {
            members.key("tool_calls").array(|writer| {
                for part in &self.calls {
                    tool_call(writer, part, origin, losses);
                }
            });
        }
        if let Some(Part { content: Content::ToolCall(call), extra, .. }) = self.function_call {
            let rest = Rest::of(Some(extra), &[]);
            object(members.key("function_call"), rest, |members| function(members, call, rest));
        }
    }

    fn thinking(&self, members: &mut Members<'_>, rest: Rest<'_>) {
        let source = if self.details.is_empty() { &self.reasoning_content } else { &self.details };
        let mut field = |key, list: &List<'_>, copy_mark| match list.as_slice() {
            [] if rest.has_mark(copy_mark) => {
                if let Some(copy) = joined(source.iter().copied()) {
                    members.str(key, &copy);
                }
            }
            [Part { content: Content::Thinking(Thinking { text, .. }), .. }] => members.text(key, Some(text)),
            several => {
                if let Some(text) = joined(several.iter().copied()) {
                    members.str(key, &text);
                }
            }
        };
        field("reasoning_content", &self.reasoning_content, marks::COPY_IN_REASONING_CONTENT);
        field("reasoning", &self.reasoning, marks::COPY_IN_REASONING);
        if !self.details.is_empty() {
            members.key("reasoning_details").array(|writer| {
                for part in &self.details {
                    detail(writer, part);
                }
            });
        }
    }

    fn write_content(&self, members: &mut Members<'_>, rest: Rest<'_>, origin: Origin, losses: &mut Losses) {
        match self.content.as_slice() {
            [] if rest.has("content") || rest.has_mark(marks::NO_CONTENT) => {}
            [] if self.calls.is_empty() && self.function_call.is_none() => members.str("content", ""),
            [] => members.key("content").null(),
            [Part { content: Content::Text(text), cache, extra }]
                if !rest.has_mark(marks::CONTENT_ARRAY) && is_bare(cache.is_some(), extra, origin, losses) =>
            {
                members.text("content", Some(text));
            }
            parts => members.key("content").array(|writer| {
                for part in parts {
                    write_part::write(writer, part, origin, losses);
                }
            }),
        }
    }
}

/// Whether nothing but its text need be said of a text part.
fn is_bare(has_cache: bool, extra: &Extra, origin: Origin, losses: &mut Losses) -> bool {
    if has_cache && origin == Origin::Elsewhere {
        losses.left_out("cache_control");
    }
    match origin.extra(extra, losses) {
        Some(extra) => !has_cache && extra.is_empty(),
        None => true,
    }
}

fn detail(writer: &mut Writer, part: &Part) {
    match &part.content {
        Content::Thinking(thinking) => object(writer, Rest::of(Some(&part.extra), &[]), |members| {
            let key = if part.extra.has_mark(part_marks::SUMMARY) { "summary" } else { "text" };
            members.text(key, Some(&thinking.text).filter(|text| !text.is_empty()));
            members.text("signature", thinking.signature.as_ref());
            members.text("data", thinking.sealed.as_ref());
        }),
        Content::Other(other) => writer.raw(&other.json),
        _ => writer.null(),
    }
}

fn tool_call(writer: &mut Writer, part: &Part, origin: Origin, losses: &mut Losses) {
    let call = match &part.content {
        Content::ToolCall(call) => call,
        Content::Other(other) => return writer.raw(&other.json),
        _ => return writer.null(),
    };
    if part.cache.is_some() {
        losses.left_out("cache_control");
    }
    let extra = origin.extra(&part.extra, losses);
    let rest = Rest::of(extra, &["function."]);
    object(writer, rest, |members| {
        members.text("id", Some(&call.id).filter(|id| !id.is_empty()));
        if !rest.has_mark(part_marks::NO_TYPE) {
            members.str("type", "function");
        }
        let inner = Rest::inside(extra, "function.", &[]);
        object(members.key("function"), inner, |members| function(members, call, inner));
    });
}

/// Writes a tool call that came from elsewhere.
pub fn function_call(writer: &mut Writer, call: &ToolCall) {
    object(writer, Rest::NONE, |members| {
        members.text("id", Some(&call.id));
        members.str("type", "function");
        object(members.key("function"), Rest::NONE, |members| function(members, call, Rest::NONE));
    });
}

fn function(members: &mut Members<'_>, call: &ToolCall, rest: Rest<'_>) {
    members.text("name", Some(&call.name));
    if rest.has_mark(part_marks::JSON_ARGUMENTS) && !call.arguments.is_empty() {
        members.key("arguments").json_text(&call.arguments);
    } else if !call.arguments.is_empty() {
        members.text("arguments", Some(&call.arguments));
    } else if !rest.has("arguments") && !rest.has_mark(part_marks::NO_ARGUMENTS) {
        members.str("arguments", "{}");
    }
}
