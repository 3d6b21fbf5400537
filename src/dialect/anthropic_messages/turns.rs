//! Instructions and turns, in the order and grouping Anthropic insists on.
//!
//! Its own requests keep their turns as they were. In those of other dialects, neighbours of one role
//! become one turn, tool results come first in it, and turns that say nothing are left out. Instructions
//! before the first turn go to the top-level `system`; later ones become text of the user's: a system turn
//! among the others is accepted by the newest models only, and which model this is we do not know.

use super::block_write::{is_sayable, write_body};
use super::mark::{BARE, INLINE, NO_SYSTEM};
use super::member::{Cx, Members, object};
use crate::base::json::Writer;
use crate::chat::{Content, Message, Part, Request, Role};

/// Writes `system` and `messages`.
pub(super) fn write(request: &Request, members: &mut Members<'_>, cx: &mut Cx<'_>) {
    let is_leading = |message: &&Message| message.role.instructs() && !cx.has_mark(&message.extra, INLINE);
    let leading = request.messages.iter().take_while(is_leading).count();
    let (instructions, turns) = request.messages.split_at_checked(leading).unwrap_or_default();
    write_instructions(instructions, members, cx);
    if instructions.is_empty() && cx.has_mark(&request.extra, NO_SYSTEM) {
        members.key("system").array(|_| ());
    }
    let turns = turns.iter().enumerate().map(|(index, message)| (leading + index, message));
    if cx.own {
        members
            .key("messages")
            .array(|writer| turns.for_each(|(index, message)| write_as_is(index, message, writer, cx)));
        return;
    }
    let turns = grouped(turns, cx);
    members.key("messages").array(|writer| turns.iter().for_each(|turn| turn.write(writer, cx)));
}

fn write_instructions(instructions: &[Message], members: &mut Members<'_>, cx: &mut Cx<'_>) {
    let mut parts = Vec::new();
    for (index, message) in instructions.iter().enumerate() {
        leave_head(index, message, cx);
        for part in &message.parts {
            let is_text = cx.own || matches!(part.content, Content::Text(_));
            if !is_text {
                cx.left_out(format_args!("messages[{index}].content"));
            } else if is_sayable(part, cx, format_args!("messages[{index}].")) {
                parts.push(part);
            }
        }
    }
    if !parts.is_empty() {
        let is_bare = instructions.iter().any(|message| cx.has_mark(&message.extra, BARE));
        write_body(&parts, is_bare, members.key("system"), cx, format_args!("system."));
    }
}

/// Reports what a message of another dialect says beside its role and content.
fn leave_head(index: usize, message: &Message, cx: &mut Cx<'_>) {
    cx.leave(&message.extra, format_args!("messages[{index}]."));
    if message.name.is_some() {
        cx.left_out(format_args!("messages[{index}].name"));
    }
}

/// Writes a turn of Anthropic's own.
fn write_as_is(index: usize, message: &Message, writer: &mut Writer, cx: &mut Cx<'_>) {
    let is_inline = message.role.instructs() && cx.has_mark(&message.extra, INLINE);
    let at = format_args!("messages[{index}].");
    object(writer, |members| {
        members.str("role", if is_inline { "system" } else { turn_role(message.role) });
        let parts: Vec<_> = message.parts.iter().filter(|part| is_sayable(part, cx, at)).collect();
        if !(parts.is_empty() && message.extra.get("content").is_some()) {
            let is_bare = cx.has_mark(&message.extra, BARE);
            write_body(&parts, is_bare, members.key("content"), cx, at);
        }
        members.rest(&message.extra, cx, at);
    });
}

fn turn_role(role: Role) -> &'static str {
    match role {
        Role::Assistant => "assistant",
        Role::User | Role::Tool | Role::System | Role::Developer => "user",
    }
}

/// Neighbouring messages of one role.
struct Turn<'a> {
    role: &'static str,
    /// The place of the first of them.
    index: usize,
    parts: Vec<&'a Part>,
}

impl Turn<'_> {
    fn write(&self, writer: &mut Writer, cx: &mut Cx<'_>) {
        object(writer, |members| {
            members.str("role", self.role);
            write_body(&self.parts, false, members.key("content"), cx, format_args!("messages[{}].", self.index));
        });
    }
}

fn grouped<'a>(messages: impl Iterator<Item = (usize, &'a Message)>, cx: &mut Cx<'_>) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for (index, message) in messages {
        leave_head(index, message, cx);
        if message.role.instructs() {
            cx.add(format_args!("messages[{index}].role"), "instructions among the turns are sent as the user's");
        }
        let role = turn_role(message.role);
        let at = format_args!("messages[{index}].");
        let parts: Vec<_> = message.parts.iter().filter(|part| is_sayable(part, cx, at)).collect();
        match turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => turns.push(Turn { role, index, parts }),
        }
    }
    for turn in &mut turns {
        turn.parts.sort_by_key(|part| !matches!(part.content, Content::ToolResult(_)));
    }
    turns
}
