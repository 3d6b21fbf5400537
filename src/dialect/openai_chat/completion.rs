//! Whole answers, read.

use bytestring::ByteString;

use crate::base::json::{Json, Kind, Malformed, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Choice, Completion, Extra, Finish, Usage};
use crate::dialect::openai_chat::level::Level;
use crate::dialect::openai_chat::marks::choice as marks;
use crate::dialect::openai_chat::{ID, failure, finish, read_message, usage};

pub fn read(body: &ByteString) -> Result<Completion> {
    let mut reader = Reader::new(body);
    let (mut id, mut model, mut created) = (None, None, None);
    let mut used: Option<Usage> = None;
    let (mut choices, mut error) = (None, None);
    let mut extra = Extra::default();
    reader.object(|reader, key| {
        let level = &mut Level::outer(&mut extra);
        match key {
            "id" => id = level.text(key, reader)?,
            "model" => model = level.text(key, reader)?,
            "created" => created = level.known(key, reader, Reader::number)?,
            "object" => level.constant(key, reader)?,
            "choices" if reader.peek()? == Kind::Array => {
                let mut list = Vec::new();
                reader.array(|reader, position| {
                    list.push(choice(reader, position)?);
                    Ok(())
                })?;
                choices = Some(list);
            }
            "usage" if reader.peek()? == Kind::Object => used = Some(usage::read(reader)?),
            "error" if reader.peek()? != Kind::Null => error = Some(reader.raw()?),
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    reader.end()?;
    if let Some(used) = &mut used
        && let Some(word) = extra.get("service_tier").filter(|word| word.kind() == Kind::String)
    {
        used.service = Some(word.reader().text()?.unplaced());
    }
    let choices = answered(choices, error)?;
    let (id, model) = (id.unwrap_or_default(), model.unwrap_or_default());
    Ok(Completion { dialect: ID, id, model, created, choices, usage: used, extra })
}

/// Usage and finish reasons only.
pub fn skim(body: &ByteString) -> Result<Completion> {
    let mut reader = Reader::new(body);
    let (mut choices, mut error, mut service) = (None, None, None);
    let (mut id, mut model) = Default::default();
    let mut used: Option<Usage> = None;
    reader.object(|reader, key| {
        match key {
            "id" if reader.peek()? == Kind::String => id = reader.text()?,
            "model" if reader.peek()? == Kind::String => model = reader.text()?,
            "choices" if reader.peek()? == Kind::Array => choices = Some(reader.list(skim_choice)?),
            "usage" if reader.peek()? == Kind::Object => used = Some(usage::read(reader)?),
            "error" if reader.peek()? != Kind::Null => error = Some(reader.raw()?),
            "service_tier" if reader.peek()? == Kind::String => service = Some(reader.text()?),
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    let choices = answered(choices, error)?;
    if let Some(used) = &mut used {
        used.service = service;
    }
    let (created, extra) = Default::default();
    Ok(Completion { dialect: ID, id, model, created, choices, usage: used, extra })
}

fn skim_choice(reader: &mut Reader<'_>) -> Result<Choice> {
    let mut choice = Choice::default();
    reader.object(|reader, key| {
        if key == "finish_reason" && reader.peek()? == Kind::String {
            choice.finish = Some(known_finish(reader.text()?));
        }
        Ok(())
    })?;
    Ok(choice)
}

/// The choices, unless there is an error in their place.
fn answered(choices: Option<Vec<Choice>>, error: Option<Json>) -> Result<Vec<Choice>> {
    match (choices, error) {
        (Some(choices), None) => Ok(choices),
        (_, Some(error)) => {
            Err(Malformed::new(format!("an error in place of an answer: {}", failure::message_of(&error))))
        }
        (None, None) => Err(Malformed::new("expected an array, found none").within("choices")),
    }
}

fn choice(reader: &mut Reader<'_>, position: usize) -> Result<Choice> {
    let mut choice = Choice::default();
    let (mut index, mut has_message) = (None, false);
    reader.object(|reader, key| {
        let level = &mut Level::outer(&mut choice.extra);
        match key {
            "index" => index = level.known(key, reader, Reader::u64)?,
            "message" if reader.peek()? == Kind::Object => {
                has_message = true;
                choice.parts = read_message::read_answer(reader, &mut Level::inner(&mut choice.extra, "message."))?;
            }
            "finish_reason" => choice.finish = level.text(key, reader)?.map(known_finish),
            "logprobs" => choice.logprobs = level.known(key, reader, Reader::raw)?,
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    if index.is_none() {
        choice.extra.mark(marks::NO_INDEX);
    }
    if !has_message {
        choice.extra.mark(marks::NO_MESSAGE);
    }
    let index = index.unwrap_or(position as u64);
    choice.index = u32::try_from(index).map_err(|_| Malformed::new("the number is too large").within("index"))?;
    Ok(choice)
}

pub fn known_finish(word: Text) -> Finish {
    Finish::new(finish::reason(&word.as_str()), word)
}
