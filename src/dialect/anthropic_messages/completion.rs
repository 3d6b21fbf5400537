//! Whole answers.

use bytestring::ByteString;

use super::block_read::block;
use super::block_write::is_sayable;
use super::finish::{self, Held};
use super::member::{Cx, Members, object, optional, raw_object, required};
use super::{ID, mark, usage};
use crate::base::json::{Json, Kind, Malformed, Reader, Result, Writer};
use crate::base::text::Text;
use crate::chat::{Choice, Completion, Content, Extra, Losses, Part, Thinking, Usage};

pub(super) fn read(body: &ByteString) -> Result<Completion> {
    let mut reader = Reader::new(body);
    let mut draft = Draft::default();
    let mut absent = MEMBERS.iter().fold(0, |all, (_, mark)| all | mark);
    reader.object(|reader, key| {
        absent &= !MEMBERS.iter().find(|(name, _)| *name == key).map_or(0, |(_, mark)| *mark);
        draft.member(key, reader)
    })?;
    reader.end()?;
    draft.extra.mark(absent);
    if draft.stop_reason.as_ref().is_some_and(Text::is_empty) {
        draft.stop_reason = None;
        draft.extra.note("stop_reason", Json(r#""""#.into()));
    }
    if draft.stop_reason.is_none()
        && let Some(stop) = draft.stop_sequence.take()
    {
        // Without a reason there is no finish to keep it in.
        let mut writer = Writer::new();
        writer.text(&stop);
        draft.extra.put("stop_sequence", writer.into_json());
    }
    let finish = finish::read(draft.stop_reason, draft.stop_sequence);
    let choice = Choice { parts: required(draft.content, "content")?, finish, ..Choice::default() };
    Ok(Completion {
        dialect: ID,
        id: draft.id,
        model: draft.model,
        created: None,
        choices: vec![choice],
        usage: draft.usage,
        extra: draft.extra,
    })
}

/// Usage and the reason of the stop only.
pub(super) fn skim(body: &ByteString) -> Result<Completion> {
    let mut reader = Reader::new(body);
    let (mut has_content, mut stop_reason, mut used) = (false, None, None);
    let (mut id, mut model) = Default::default();
    reader.object(|reader, key| {
        match key {
            "id" if reader.peek()? == Kind::String => id = reader.text()?,
            "model" if reader.peek()? == Kind::String => model = reader.text()?,
            "type" => expect(reader, "message")?,
            "content" => has_content = reader.peek()? == Kind::Array,
            "stop_reason" => stop_reason = reader.nullable(Reader::text)?.filter(|reason| !reason.is_empty()),
            "usage" => used = reader.nullable(raw_object)?.map(usage::read).transpose()?,
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    required(has_content.then_some(()), "content")?;
    let choice = Choice { finish: finish::read(stop_reason, None), ..Choice::default() };
    let (created, extra) = Default::default();
    Ok(Completion { dialect: ID, id, model, created, choices: vec![choice], usage: used, extra })
}

/// What every answer of Anthropic's own has, and the mark of one that has not.
const MEMBERS: [(&str, u32); 6] = [
    ("id", mark::NO_ID),
    ("type", mark::NO_TYPE),
    ("role", mark::NO_ROLE),
    ("model", mark::NO_MODEL),
    ("stop_reason", mark::NO_STOP_REASON),
    ("stop_sequence", mark::NO_STOP_SEQUENCE),
];

#[derive(Default)]
struct Draft {
    id: Text,
    model: Text,
    content: Option<Vec<Part>>,
    stop_reason: Option<Text>,
    stop_sequence: Option<Text>,
    usage: Option<Usage>,
    extra: Extra,
}

impl Draft {
    fn member(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let extra = &mut self.extra;
        match key {
            "type" => expect(reader, "message")?,
            "role" => expect(reader, "assistant")?,
            "id" => self.id = reader.text()?,
            "model" => self.model = reader.text()?,
            "content" => self.content = Some(reader.list(block)?),
            "stop_reason" => self.stop_reason = optional(extra, key, reader, Reader::text)?,
            "stop_sequence" => self.stop_sequence = optional(extra, key, reader, Reader::text)?,
            "usage" => {
                self.usage = optional(extra, key, reader, raw_object)?.map(usage::read).transpose()?;
            }
            _ => extra.keep(key, reader)?,
        }
        Ok(())
    }
}

/// Reads a word that is always the same.
fn expect(reader: &mut Reader<'_>, word: &str) -> Result<()> {
    let found = reader.text()?;
    if found == *word {
        return Ok(());
    }
    Err(Malformed::new(format!("expected `{word}`, found `{}`", found.as_str())))
}

pub(super) fn write(completion: &Completion, losses: &mut Losses) -> Vec<u8> {
    let mut cx = Cx { own: completion.dialect == ID, losses };
    let mut writer = Writer::with_capacity(1024);
    object(&mut writer, |members| {
        let is_absent = |mark| cx.has_mark(&completion.extra, mark);
        if !(completion.id.is_empty() && is_absent(mark::NO_ID)) {
            members.text("id", &completion.id);
        }
        if !is_absent(mark::NO_TYPE) {
            members.str("type", "message");
        }
        if !is_absent(mark::NO_ROLE) {
            members.str("role", "assistant");
        }
        if !(completion.model.is_empty() && is_absent(mark::NO_MODEL)) {
            members.text("model", &completion.model);
        }
        write_choice(completion, members, &mut cx);
        write_usage(completion.usage.as_ref(), members, &mut cx);
        members.rest(&completion.extra, &mut cx, format_args!(""));
    });
    writer.into_bytes()
}

fn write_choice(completion: &Completion, members: &mut Members<'_>, cx: &mut Cx<'_>) {
    let nothing = Choice::default();
    let choice = only_choice(completion, cx).unwrap_or(&nothing);
    let parts = sayable_parts(choice, cx);
    members.key("content").array(|writer| {
        for part in &parts {
            super::block_write::write(part, writer, cx, format_args!("content."));
        }
    });
    let is_unsaid = |key, mark| cx.own && (completion.extra.get(key).is_some() || completion.extra.has_mark(mark));
    match &choice.finish {
        Some(finish) => members.str("stop_reason", &finish::word(finish, held(choice))),
        None if is_unsaid("stop_reason", mark::NO_STOP_REASON) => {}
        None => members.key("stop_reason").null(),
    }
    match choice.finish.as_ref().and_then(|finish| finish.stop_sequence.as_ref()) {
        Some(stop) => members.text("stop_sequence", stop),
        None if is_unsaid("stop_sequence", mark::NO_STOP_SEQUENCE) => {}
        None => members.key("stop_sequence").null(),
    }
}

/// The first choice: Anthropic's answers have one.
pub(super) fn only_choice<'a>(completion: &'a Completion, cx: &mut Cx<'_>) -> Option<&'a Choice> {
    if completion.choices.len() > 1 {
        cx.add(format_args!("choices"), "only the first is sent");
    }
    let choice = completion.choices.iter().min_by_key(|choice| choice.index)?;
    if choice.logprobs.is_some() {
        cx.left_out(format_args!("logprobs"));
    }
    cx.leave(&choice.extra, format_args!("choices[0]."));
    Some(choice)
}

/// The parts an Anthropic client takes: unlike in a request, thinking needs no signature.
pub(super) fn sayable_parts<'a>(choice: &'a Choice, cx: &mut Cx<'_>) -> Vec<&'a Part> {
    let is_unsigned_thinking =
        |part: &Part| matches!(&part.content, Content::Thinking(Thinking { text, .. }) if !text.is_empty());
    let parts = choice.parts.iter();
    parts.filter(|part| is_unsigned_thinking(part) || is_sayable(part, cx, format_args!("content."))).collect()
}

pub(super) fn held(choice: &Choice) -> Held {
    let any = |is_it: fn(&Content) -> bool| choice.parts.iter().any(|part| is_it(&part.content));
    Held {
        tool_calls: any(|content| matches!(content, Content::ToolCall(_))),
        refusal: any(|content| matches!(content, Content::Refusal(_))),
    }
}

/// An answer of Anthropic's own that had no usage gets none; clients of others' insist on some.
fn write_usage(usage: Option<&Usage>, members: &mut Members<'_>, cx: &mut Cx<'_>) {
    match usage {
        Some(usage) if cx.own => usage::write_own(usage, members.key("usage")),
        Some(usage) => usage::write(usage, members.key("usage")),
        None if cx.own => {}
        None => {
            cx.add(format_args!("usage"), "not known, sent as 0");
            usage::write(&Usage::default(), members.key("usage"));
        }
    }
}
