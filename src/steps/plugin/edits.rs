//! The changes that a plugin asks for: checked all together, then made all together.
//!
//! A text that is changed is spliced into the bytes it was read from; anything else makes the dialect write anew.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::parts::{nth, shown};
use crate::base::text::Text;
use crate::chat::{Completion, Content, Edits, Message, Part, Request, Role, Source, ToolCall, ToolResult, Verbatim};
use crate::steps::rewrite::set_param;
use crate::wasm::types::{self, Edit};

/// What of edits is granted.
#[derive(Debug, Clone, Default)]
pub struct Leave {
    pub text: bool,
    pub model: bool,
    pub params: bool,
    pub headers: Vec<HeaderName>,
}

/// New wordings: by message or choice, and by part.
pub type Wordings = BTreeMap<(usize, usize), String>;

/// What is to be changed in a request, known to be possible.
#[derive(Debug, Default)]
pub struct Plan {
    wordings: Wordings,
    /// Messages that go, and such as come before one, from the last to the first.
    moves: BTreeMap<usize, Move>,
    model: Option<String>,
    params: Vec<(String, Value)>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Default)]
struct Move {
    goes: bool,
    before: Vec<Message>,
}

impl Plan {
    /// Checks what a plugin wants to change in a request.
    ///
    /// # Errors
    /// The first that cannot be, or is not granted.
    pub fn of(edits: Vec<Edit>, request: &Request, leave: &Leave) -> Result<Self, String> {
        let (mut plan, mut texts) = (Self::default(), Texts::default());
        for edit in edits {
            plan.take(edit, request, leave, &mut texts)?;
        }
        let parts = |message: usize| request.messages.get(message).map(|message| message.parts.as_slice());
        plan.wordings = texts.resolve(parts)?;
        Ok(plan)
    }

    fn take(&mut self, edit: Edit, request: &Request, leave: &Leave, texts: &mut Texts) -> Result<(), String> {
        let granted = |is_granted: bool, grant: &str| {
            if is_granted { Ok(()) } else { Err(format!("it changes what `{grant}` does not grant it")) }
        };
        match edit {
            Edit::Replace((span, with)) => {
                granted(leave.text, "request.text")?;
                texts.replace(&span, with);
            }
            Edit::SetText((place, with)) => {
                granted(leave.text, "request.text")?;
                texts.set(&place, with)?;
            }
            Edit::InsertMessage((before, message)) => {
                granted(leave.text, "request.text")?;
                let before = before as usize;
                if before > request.messages.len() {
                    return Err(format!("it puts a message before number {before}, which is not there"));
                }
                self.moves.entry(before).or_default().before.push(read_message(message)?);
            }
            Edit::RemoveMessage(number) => {
                granted(leave.text, "request.text")?;
                let number = number as usize;
                if number >= request.messages.len() {
                    return Err(format!("it removes message {number}, which is not there"));
                }
                self.moves.entry(number).or_default().goes = true;
            }
            Edit::SetModel(model) => {
                granted(leave.model, "request.model")?;
                if model.is_empty() || model.len() > 256 {
                    return Err("it asks for a model without a name, or with too long a one".into());
                }
                self.model = Some(model);
            }
            Edit::MergeParams(patch) => {
                granted(leave.params, "request.params")?;
                let patch: Value = serde_json::from_str(&patch).map_err(|_| "its patch of parameters is not JSON")?;
                let Value::Object(patch) = patch else { return Err("its patch of parameters is no object".into()) };
                let mut trial = request.params.clone();
                for (name, value) in &patch {
                    set_param(&mut trial, name, value)?;
                }
                self.params.extend(patch);
            }
            Edit::SetHeader(types::Tag { key, value }) => {
                let name = HeaderName::try_from(key).map_err(|_| "it sets a header with an odd name")?;
                granted(leave.headers.contains(&name), "request.set_headers")?;
                let value = HeaderValue::try_from(value).map_err(|_| "it sets a header with an odd value")?;
                self.headers.push((name, value));
            }
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        let Self { wordings, moves, model, params, headers } = self;
        wordings.is_empty() && moves.is_empty() && model.is_none() && params.is_empty() && headers.is_empty()
    }

    /// Makes the changes.
    pub fn apply(self, request: &mut Verbatim<Request>) {
        if let Some(model) = self.model.filter(|model| request.model != model.as_str()) {
            request.edit_text(|request| &mut request.model, model);
        }
        if !self.wordings.is_empty() {
            request.edit_texts(|request, edits| {
                for ((message, part), text) in self.wordings {
                    let parts = request.messages.get_mut(message).map(|message| message.parts.as_mut_slice());
                    if let Some(part) = parts.and_then(|parts| nth(parts, part)) {
                        reword(part, text, edits);
                    }
                }
            });
        }
        if !self.params.is_empty() {
            let params = &mut request.edit().params;
            for (name, value) in &self.params {
                // It has been tried before.
                let _ = set_param(params, name, value);
            }
        }
        for (at, change) in self.moves.into_iter().rev() {
            let messages = &mut request.edit().messages;
            if change.goes && at < messages.len() {
                messages.remove(at);
            }
            let at = at.min(messages.len());
            messages.splice(at..at, change.before);
        }
    }
}

/// What is to be changed in an answer.
///
/// # Errors
/// The first change that cannot be made in an answer, or is not granted.
pub fn reword_answer(edits: Vec<Edit>, completion: &Completion, is_granted: bool) -> Result<Wordings, String> {
    let mut texts = Texts::default();
    for edit in edits {
        if !is_granted {
            return Err("it changes what `answer.text` does not grant it".into());
        }
        match edit {
            Edit::Replace((span, with)) => texts.replace(&span, with),
            Edit::SetText((place, with)) => texts.set(&place, with)?,
            _ => return Err("it changes what only requests have".into()),
        }
    }
    texts.resolve(|choice| completion.choices.get(choice).map(|choice| choice.parts.as_slice()))
}

/// Puts new wordings into a whole answer.
pub fn apply_to_answer(wordings: Wordings, completion: &mut Completion, edits: &mut Edits) {
    for ((number, part), text) in wordings {
        let Some(choice) = completion.choices.get_mut(number) else { continue };
        // They spell out what may have been taken away.
        if choice.logprobs.take().is_some() {
            edits.rewrite();
        }
        if let Some(part) = nth(&mut choice.parts, part) {
            reword(part, text, edits);
        }
    }
}

/// Where a range of a text begins and ends, and what comes in its place.
type Range = (usize, usize, String);

/// Changes of texts, as they were asked for.
#[derive(Default)]
struct Texts {
    whole: Wordings,
    ranges: BTreeMap<(usize, usize), Vec<Range>>,
}

impl Texts {
    fn replace(&mut self, span: &types::Span, with: String) {
        let range = (span.start as usize, span.end as usize, with);
        self.ranges.entry(place(&span.at)).or_default().push(range);
    }

    fn set(&mut self, at: &types::Place, with: String) -> Result<(), String> {
        match self.whole.insert(place(at), with) {
            None => Ok(()),
            Some(_) => Err(format!("it sets the text at {} twice", show(place(at)))),
        }
    }

    /// The new wording of each text.
    fn resolve<'a>(self, parts: impl Fn(usize) -> Option<&'a [Part]>) -> Result<Wordings, String> {
        let Self { whole, ranges } = self;
        let find = |place: (usize, usize)| {
            let part = parts(place.0).and_then(|parts| shown(parts).nth(place.1)).map(|shown| shown.part);
            let part = part.ok_or_else(|| format!("it changes a text at {}, where there is none", show(place)))?;
            let old = said(part).ok_or_else(|| format!("what is at {} is no text", show(place)))?;
            Ok::<_, String>((old.as_str().into_owned(), matches!(part.content, Content::ToolCall(_))))
        };
        let mut wordings = Wordings::new();
        for (place, with) in whole {
            if ranges.contains_key(&place) {
                return Err(format!("it changes the text at {} in two ways", show(place)));
            }
            let (_, is_json) = find(place)?;
            wordings.insert(place, checked(with, is_json, place)?);
        }
        for (place, mut ranges) in ranges {
            let (old, is_json) = find(place)?;
            ranges.sort_by_key(|(start, end, _)| (*start, *end));
            let new = replaced(&old, &ranges)
                .ok_or_else(|| format!("its ranges of the text at {} overlap, or cut a character", show(place)))?;
            wordings.insert(place, checked(new, is_json, place)?);
        }
        Ok(wordings)
    }
}

fn place(place: &types::Place) -> (usize, usize) {
    (place.message as usize, place.part as usize)
}

fn show((message, part): (usize, usize)) -> String {
    format!("message {message}, part {part}")
}

fn replaced(old: &str, ranges: &[Range]) -> Option<String> {
    let mut new = String::with_capacity(old.len());
    let mut done = 0;
    for (start, end, with) in ranges {
        new.push_str(old.get(done..*start)?);
        new.push_str(with);
        old.get(*start..*end)?;
        done = *end;
    }
    new.push_str(old.get(done..)?);
    Some(new)
}

fn checked(text: String, is_json: bool, place: (usize, usize)) -> Result<String, String> {
    if is_json && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
        return Err(format!("it leaves no JSON in the arguments at {}", show(place)));
    }
    Ok(text)
}

/// The text of a part that an edit can name.
fn said(part: &Part) -> Option<&Text> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        Content::Thinking(thinking) if thinking.sealed.is_none() => Some(&thinking.text),
        Content::ToolCall(call) => Some(&call.arguments),
        Content::File(file) => match &file.source {
            Source::Plain(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The same, to change.
fn text_of(part: &mut Part) -> Option<&mut Text> {
    match &mut part.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        Content::Thinking(thinking) if thinking.sealed.is_none() => Some(&mut thinking.text),
        Content::ToolCall(call) => Some(&mut call.arguments),
        Content::File(file) => match &mut file.source {
            Source::Plain(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn reword(part: &mut Part, new: String, edits: &mut Edits) {
    if let Content::Thinking(thinking) = &mut part.content
        && thinking.signature.take().is_some()
    {
        edits.rewrite();
    }
    match text_of(part) {
        Some(text) if *text != new.as_str() => edits.set(text, new),
        _ => {}
    }
}

/// A message that a plugin has made.
///
/// # Errors
/// When it holds what no plugin can make.
pub fn read_message(message: types::Message) -> Result<Message, String> {
    let role = match message.role {
        types::Role::System => Role::System,
        types::Role::Developer => Role::Developer,
        types::Role::User => Role::User,
        types::Role::Assistant => Role::Assistant,
        types::Role::Tool => Role::Tool,
    };
    let parts = message.parts.into_iter().map(read_part).collect::<Result<_, _>>()?;
    Ok(Message { name: message.name.map(|name| Text::from(name.as_str())), ..Message::new(role, parts) })
}

/// A part that a plugin has made.
///
/// # Errors
/// When it is of a kind that no plugin can make.
pub fn read_part(part: types::Part) -> Result<Part, String> {
    let content = match part {
        types::Part::Text(text) => Content::Text(text.as_str().into()),
        types::Part::Refusal(text) => Content::Refusal(text.as_str().into()),
        types::Part::ToolCall(call) => {
            let arguments = checked(call.arguments_json, true, (0, 0)).map_err(|_| "it makes a call without JSON")?;
            Content::ToolCall(ToolCall {
                id: call.id.as_str().into(),
                name: call.name.as_str().into(),
                arguments: arguments.as_str().into(),
            })
        }
        types::Part::ToolResult(result) => Content::ToolResult(ToolResult {
            call_id: result.call_id.as_str().into(),
            parts: vec![Part::text(result.text.as_str())],
            is_error: result.is_error.then_some(true),
        }),
        types::Part::Thinking(_) | types::Part::Blob(_) | types::Part::Link(_) | types::Part::Other(_) => {
            return Err("it makes a part of a kind that plugins cannot make".into());
        }
    };
    Ok(Part::new(content))
}
