//! What an answer depends on, as a hash: everything a request says but how its answer shall be sent, and where it goes.
//!
//! Each thing goes into the hash at its place, with how long it is, and with what it is where that is not certain from its
//! place: no two things run into one. What is long goes in by a [digest] of its own, of as many bits, that is made several
//! times as fast, and is remembered for a while. Requests of two dialects that say the same are the same question, unless one
//! says something that only its dialect knows.
//!
//! Of a question that is known by its canonical form, the form goes into the hash in the place of the user's text, and
//! everything else as it is. No such question has the hash of one that is known to the letter.

#[cfg(test)]
mod tests;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::sharing::SharedBy;
use crate::base::digest;
use crate::base::json::{Json, Number};
use crate::base::text::Text;
use crate::chat::{Content, Extra, Format, Message, Params, Part, Reasoning, Request, Source, Tool, ToolChoice};
use crate::pipeline::chat::STEERING;
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::route::Route;
use crate::state::answers::Question;

/// What an answer depends on beside its request.
pub struct Circumstances<'a> {
    /// Of what the policy files say that bears on answers: what guards would say is another thing once they are changed.
    pub imprint: &'a str,
    pub route: Option<&'a Route>,
    pub shared_by: SharedBy,
    /// Whether headers of the caller's that its dialect defines go to a target.
    pub steers: bool,
}

/// A question as answers are kept for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub question: Question,
    /// The question to the letter, if it is known by its canonical form.
    pub wording: Option<Question>,
    /// All of it but its text, if it is: what similar questions have in common.
    pub frame: Option<Question>,
}

/// The question that a request asks; `form` is the canonical one of its [opening](super::opening) text, if it is to be
/// known by that.
pub fn of(circumstances: &Circumstances<'_>, cx: &Cx, request: &Request, form: Option<&str>) -> Asked {
    let mut said = Said::default();
    said.circumstances(circumstances, cx, request);
    said.text("model", &request.model);
    let opening = form.and_then(|form| Some((form, request.messages.split_last()?)));
    match &opening {
        None => {
            said.word("known", "to the letter");
            said.all(&request.messages, Said::message);
        }
        Some((_, (last, before))) => {
            said.word("known", "by its form");
            said.all(before, Said::message);
            said.but_for_its_text(last);
        }
    }
    said.all(&request.tools, Said::tool);
    said.option(request.tool_choice.as_ref(), Said::choice);
    said.params(&request.params, circumstances.shared_by);
    said.extra(&request.extra);
    if said.is_own {
        said.word("dialect", request.dialect.0);
    }
    let Some((form, (last, _))) = opening else {
        return Asked { question: said.question(), wording: None, frame: None };
    };
    said.flush();
    let mut to_the_letter = said.clone();
    to_the_letter.word("letters", "");
    to_the_letter.all(&last.parts, Said::part);
    let mut frame = said.clone();
    frame.word("frame", "");
    said.word("form", form);
    let (wording, frame) = (Some(to_the_letter.question()), Some(frame.question()));
    Asked { question: said.question(), wording, frame }
}

#[derive(Clone)]
struct Said {
    hash: Sha256,
    /// What is to be hashed next: many small pieces, which are hashed together.
    waiting: Vec<u8>,
    /// Something that only the request's dialect knows has been said.
    is_own: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self { hash: Sha256::new(), waiting: Vec::with_capacity(TOGETHER), is_own: false }
    }
}

impl Said {
    fn question(mut self) -> Question {
        self.flush();
        Question(self.hash.finalize().into())
    }

    // In place, since most pieces are a few bytes, of a length that is known there.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.waiting.capacity() - self.waiting.len() < bytes.len() {
            return self.put_full(bytes);
        }
        self.waiting.extend_from_slice(bytes);
    }

    #[cold]
    fn put_full(&mut self, bytes: &[u8]) {
        self.flush();
        if bytes.len() > TOGETHER {
            return self.hash.update(bytes);
        }
        // Clones have none.
        self.waiting.reserve(TOGETHER);
        self.waiting.extend_from_slice(bytes);
    }

    fn flush(&mut self) {
        self.hash.update(&self.waiting);
        self.waiting.clear();
    }

    /// Seven bits to a byte, the lowest first, and all but the last of them marked: no length begins like another.
    #[inline]
    fn length(&mut self, mut length: usize) {
        while length >= 0x80 {
            self.put(&[(length & 0x7f) as u8 | 0x80]);
            length >>= 7;
        }
        self.put(&[length as u8]);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        match bytes.len() {
            // By its length it is known which of the two it is.
            LONG.. => self.put(&digest::of(bytes)),
            _ => self.put(bytes),
        }
    }

    #[inline]
    fn word(&mut self, what: &'static str, word: &str) {
        self.bytes(what.as_bytes());
        self.bytes(word.as_bytes());
    }

    fn text(&mut self, what: &'static str, text: &Text) {
        self.word(what, &text.as_str());
    }

    fn json(&mut self, what: &'static str, json: &Json) {
        self.word(what, &json.0);
    }

    fn number(&mut self, number: Option<&Number>) {
        self.option(number, |said, number| said.bytes(number.as_str().as_bytes()));
    }

    fn flag(&mut self, flag: Option<bool>) {
        self.option(flag, |said, flag| said.put(&[u8::from(flag)]));
    }

    /// Nothing is not the same as something empty. What it is, is known by its place among the others.
    fn option<T>(&mut self, value: Option<T>, say: impl FnOnce(&mut Self, T)) {
        self.put(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            say(self, value);
        }
    }

    fn all<'a, T>(&mut self, items: &'a [T], mut say: impl FnMut(&mut Self, &'a T)) {
        self.length(items.len());
        items.iter().for_each(|item| say(self, item));
    }

    fn circumstances(&mut self, circumstances: &Circumstances<'_>, cx: &Cx, request: &Request) {
        self.word("imprint", circumstances.imprint);
        self.word("asked", cx.model.as_str());
        let mut chosen = Vec::new();
        if let Some(route) = circumstances.route {
            route.bearing(&View { cx, chat: Some(request) }, &mut chosen);
        }
        self.all(&chosen, |said, branch| said.length(*branch));
        self.option(cx.detour.as_ref(), |said, target| said.bytes(target.name.as_str().as_bytes()));
        // Later plugins are shown them.
        self.all(&cx.tags, |said, (key, value)| {
            said.bytes(key.as_bytes());
            said.bytes(value.as_bytes());
        });
        self.headers(&cx.outgoing, |_| true);
        self.headers(&cx.headers, |name| circumstances.steers && STEERING.contains(&name));
    }

    fn headers(&mut self, headers: &HeaderMap, goes_on: impl Fn(&str) -> bool) {
        let mut going: Vec<_> = headers.iter().filter(|(name, _)| goes_on(name.as_str())).collect();
        going.sort_by_key(|(name, _)| name.as_str());
        self.all(&going, |said, (name, value)| {
            said.bytes(name.as_str().as_bytes());
            said.bytes(value.as_bytes());
        });
    }

    /// What no dialect but the request's own knows.
    fn extra(&mut self, extra: &Extra) {
        let telling = || extra.telling_fields().filter(|(key, _)| !SENDING.contains(key));
        let (count, marks) = (telling().count(), extra.telling_marks());
        self.length(count);
        self.length(marks as usize);
        self.is_own |= count > 0 || marks > 0;
        for (key, json) in telling() {
            self.bytes(key.as_bytes());
            self.json("json", json);
        }
    }

    fn own(&mut self, what: &'static str, kind: &str, json: &Json) {
        self.is_own = true;
        self.word(what, kind);
        self.bytes(json.0.as_bytes());
    }

    fn message(&mut self, message: &Message) {
        self.word("role", message.role.name());
        self.option(message.name.as_ref(), |said, name| said.bytes(name.as_str().as_bytes()));
        self.all(&message.parts, Self::part);
        self.extra(&message.extra);
    }

    /// A message whose text is said elsewhere.
    fn but_for_its_text(&mut self, message: &Message) {
        self.word("role", message.role.name());
        self.option(message.name.as_ref(), |said, name| said.bytes(name.as_str().as_bytes()));
        self.all(&message.parts, |said, part| said.extra(&part.extra));
        self.extra(&message.extra);
    }

    /// Marks for a provider's own cache make no difference to its answer.
    fn part(&mut self, part: &Part) {
        match &part.content {
            Content::Text(text) => self.text("text", text),
            Content::Refusal(text) => self.text("refusal", text),
            Content::ToolCall(call) => {
                self.text("call", &call.id);
                self.text("of", &call.name);
                self.text("with", &call.arguments);
            }
            Content::ToolResult(result) => {
                self.text("result", &result.call_id);
                self.flag(result.is_error);
                self.all(&result.parts, Self::part);
            }
            Content::Thinking(thinking) => {
                self.text("thinking", &thinking.text);
                self.option(thinking.signature.as_ref(), |said, text| said.text("is", text));
                self.option(thinking.sealed.as_ref(), |said, text| said.text("is", text));
            }
            Content::Image(image) => {
                self.source("image", &image.source);
                self.option(image.detail.as_ref(), |said, text| said.text("is", text));
            }
            Content::File(file) => {
                self.source("file", &file.source);
                self.option(file.name.as_ref(), |said, text| said.text("is", text));
            }
            Content::Audio { data, format } => {
                self.text("audio", data);
                self.text("format", format);
            }
            Content::Other(other) => self.own("part", &other.kind, &other.json),
        }
        self.extra(&part.extra);
    }

    fn source(&mut self, what: &'static str, source: &Source) {
        self.bytes(what.as_bytes());
        match source {
            Source::Url(url) => self.text("url", url),
            Source::Data { media_type, data } => {
                self.text("type", media_type);
                self.text("data", data);
            }
            Source::Uploaded(id) => self.text("uploaded", id),
            Source::Plain(text) => self.text("plain", text),
        }
    }

    fn tool(&mut self, tool: &Tool) {
        match tool {
            Tool::Function { name, description, parameters, strict, cache: _, extra } => {
                self.text("function", name);
                self.option(description.as_ref(), |said, text| said.text("is", text));
                self.option(parameters.as_ref(), |said, json| said.json("are", json));
                self.flag(*strict);
                self.extra(extra);
            }
            Tool::Other { kind, json } => self.own("tool", kind, json),
        }
    }

    fn choice(&mut self, choice: &ToolChoice) {
        match choice {
            ToolChoice::Auto => self.word("choice", "auto"),
            ToolChoice::None => self.word("choice", "none"),
            ToolChoice::Required => self.word("choice", "required"),
            ToolChoice::Named(name) => self.text("named", name),
            ToolChoice::Other(json) => self.own("choice", "other", json),
        }
    }

    fn params(&mut self, params: &Params, shared_by: SharedBy) {
        let Params {
            max_tokens,
            temperature,
            top_p,
            top_k,
            stop,
            seed,
            n,
            presence_penalty,
            frequency_penalty,
            logprobs,
            top_logprobs,
            parallel_tools,
            format,
            reasoning,
            user,
            // How the answer is sent.
            wants_usage: _,
        } = params;
        for number in
            [max_tokens, temperature, top_p, top_k, seed, n, presence_penalty, frequency_penalty, top_logprobs]
        {
            self.number(number.as_ref());
        }
        self.all(stop, |said, text| said.text("is", text));
        self.flag(*logprobs);
        self.flag(*parallel_tools);
        self.option(format.as_ref(), Self::format);
        self.option(reasoning.as_ref(), Self::reasoning);
        // Where users share answers, whose name goes along makes no difference to them.
        let user = user.as_ref().filter(|_| !shared_by.is_for_many());
        self.option(user, |said, text| said.text("is", text));
    }

    fn format(&mut self, format: &Format) {
        match format {
            Format::Text => self.word("kind", "text"),
            Format::JsonObject => self.word("kind", "object"),
            Format::JsonSchema { name, description, schema, strict } => {
                self.json("schema", schema);
                self.option(name.as_ref(), |said, text| said.text("is", text));
                self.option(description.as_ref(), |said, text| said.text("is", text));
                self.flag(*strict);
            }
        }
    }

    fn reasoning(&mut self, reasoning: &Reasoning) {
        self.flag(reasoning.enabled);
        self.option(reasoning.effort.as_ref(), |said, text| said.text("is", text));
        self.number(reasoning.budget.as_ref());
    }
}

/// So many bytes are hashed together: allocators have such pieces at hand.
const TOGETHER: usize = 1024;
/// So many bytes are worth a hash of their own.
const LONG: usize = 2048;

/// Fields of requests that say only how the answer shall be sent.
const SENDING: [&str; 2] = ["stream", "stream_options"];
