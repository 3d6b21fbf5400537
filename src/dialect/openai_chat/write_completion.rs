//! Whole answers, written.
//!
//! What a model of another dialect thought is put in `reasoning_content`, as DeepSeek does and most clients
//! know; the provider's proof of it has no place here and is lost.

use std::borrow::Cow;

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{Choice, Completion, Content, FinishReason, Losses, Part, Role};
use crate::dialect::openai_chat::level::{Members, Rest, object};
use crate::dialect::openai_chat::marks::choice as marks;
use crate::dialect::openai_chat::write_message::{Fields, function_call};
use crate::dialect::openai_chat::write_part::Origin;
use crate::dialect::openai_chat::{ID, finish, usage};

pub fn write(completion: &Completion, losses: &mut Losses) -> Vec<u8> {
    let mut writer = Writer::with_capacity(1024);
    if completion.dialect == ID {
        own(&mut writer, completion, losses)
    } else {
        foreign(&mut writer, completion, losses)
    }
    writer.into_bytes()
}

/// Ids look alike in this dialect, whoever made them.
pub fn chat_id<'a>(id: &'a Text, created: &str) -> Cow<'a, str> {
    let own = id.as_str();
    if own.starts_with("chatcmpl-") {
        return own;
    }
    let unique = if own.is_empty() { created } else { &own };
    Cow::Owned(format!("chatcmpl-{unique}"))
}

fn own(writer: &mut Writer, completion: &Completion, losses: &mut Losses) {
    object(writer, Rest::of(Some(&completion.extra), &[]), |members| {
        members.text("id", Some(&completion.id).filter(|id| !id.is_empty()));
        if let Some(created) = &completion.created {
            members.key("created").number(created);
        }
        members.text("model", Some(&completion.model).filter(|model| !model.is_empty()));
        members.key("choices").array(|writer| {
            for choice in &completion.choices {
                own_choice(writer, choice, losses);
            }
        });
        if let Some(usage) = &completion.usage {
            match &usage.wire {
                Some(wire) => members.raw("usage", Some(wire)),
                None => usage::write(members.key("usage"), usage),
            }
        }
    });
}

fn own_choice(writer: &mut Writer, choice: &Choice, losses: &mut Losses) {
    let rest = Rest::of(Some(&choice.extra), &["message."]);
    object(writer, rest, |members| {
        if !rest.has_mark(marks::NO_INDEX) {
            members.key("index").u64(choice.index.into());
        }
        if !rest.has_mark(marks::NO_MESSAGE) {
            let parts: Vec<&Part> = choice.parts.iter().collect();
            let fields = Fields::of(&parts, Role::Assistant, Origin::Here, losses);
            let inner = rest.within("message.", &[]);
            object(members.key("message"), inner, |members| fields.write(members, inner, Origin::Here, losses));
        }
        if let Some(finish) = &choice.finish {
            members.str("finish_reason", &finish::word(finish));
        }
        members.raw("logprobs", choice.logprobs.as_ref());
    });
}

fn foreign(writer: &mut Writer, completion: &Completion, losses: &mut Losses) {
    object(writer, Rest::of(Origin::Elsewhere.extra(&completion.extra, losses), &[]), |members| {
        let created = completion.created.clone().unwrap_or_else(|| 0.into());
        members.str("id", &chat_id(&completion.id, created.as_str()));
        members.str("object", "chat.completion");
        members.key("created").number(&created);
        members.text("model", Some(&completion.model));
        members.key("choices").array(|writer| {
            for choice in &completion.choices {
                Origin::Elsewhere.extra(&choice.extra, losses);
                writer.object(|writer| foreign_choice(writer, choice, losses));
            }
        });
        if let Some(usage) = &completion.usage {
            usage::write(members.key("usage"), usage);
        }
    });
}

fn foreign_choice(writer: &mut Writer, choice: &Choice, losses: &mut Losses) {
    writer.key("index").u64(choice.index.into());
    object(writer.key("message"), Rest::NONE, |members| foreign_message(members, &choice.parts, losses));
    if choice.logprobs.is_some() {
        losses.left_out("logprobs");
    }
    writer.key("logprobs").null();
    let Some(reason) = &choice.finish else { return writer.key("finish_reason").null() };
    if reason.stop_sequence.is_some() {
        losses.left_out("stop_sequence");
    }
    let word = finish::word(reason);
    if matches!(reason.reason, FinishReason::Pause | FinishReason::Other) {
        losses.add(format!("finish `{}`", reason.word.as_str()), format!("sent as `{word}`"));
    }
    writer.key("finish_reason").str(&word);
}

fn foreign_message(members: &mut Members<'_>, parts: &[Part], losses: &mut Losses) {
    let mut texts: Vec<&Text> = Vec::new();
    let (mut thoughts, mut refusals, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        Origin::Elsewhere.extra(&part.extra, losses);
        match &part.content {
            Content::Text(text) => texts.push(text),
            Content::Refusal(text) => refusals.push(text),
            Content::ToolCall(call) => calls.push(call),
            Content::Thinking(thinking) => {
                thoughts.push(&thinking.text);
                if thinking.signature.is_some() {
                    losses.left_out("thinking.signature");
                }
                if thinking.sealed.is_some() {
                    losses.left_out("thinking.sealed");
                }
            }
            Content::Image(_) => losses.left_out("image"),
            Content::File(_) => losses.left_out("file"),
            Content::Audio { .. } => losses.left_out("audio"),
            Content::ToolResult(_) => losses.left_out("tool_result"),
            Content::Other(other) => losses.left_out(other.kind.clone()),
        }
    }
    members.str("role", "assistant");
    match texts.as_slice() {
        [] if calls.is_empty() => members.str("content", ""),
        [] => members.key("content").null(),
        several => concatenation(members.key("content"), several),
    }
    if refusals.is_empty() {
        members.key("refusal").null();
    } else {
        concatenation(members.key("refusal"), &refusals);
    }
    thoughts.retain(|text| !text.is_empty());
    if !thoughts.is_empty() {
        concatenation(members.key("reasoning_content"), &thoughts);
    }
    if !calls.is_empty() {
        members.key("tool_calls").array(|writer| calls.iter().for_each(|call| function_call(writer, call)));
    }
}

fn concatenation(writer: &mut Writer, texts: &[&Text]) {
    match texts {
        [one] => writer.text(one),
        several => writer.str(&several.iter().map(|text| text.as_str()).collect::<String>()),
    }
}
