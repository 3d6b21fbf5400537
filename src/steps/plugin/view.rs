//! Requests and answers as a plugin sees them.

use base64::Engine as _;

use super::parts::{Shown, shown};
use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{
    Choice, Completion, Content, Format, Image, Message, Params, Request, Role, Source, Tool, ToolChoice, Usage,
};
use crate::wasm::{blobs, types};

/// Whether texts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Text,
    /// Only what is around them.
    Outline,
}

/// The bytes that came with what is shown.
#[derive(Debug, Default)]
pub struct Attached(Vec<Source>);

impl Attached {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl crate::wasm::Blobs for Attached {
    fn read(&self, id: u32, offset: u64, len: u32) -> Result<Vec<u8>, blobs::Error> {
        let (_, data) = self.0.get(id as usize).and_then(Source::inline).ok_or(blobs::Error::Gone)?;
        let data = data.trim_end_matches('=').as_bytes();
        // Only the groups of four characters that hold what is asked for.
        let first = usize::try_from(offset / 3).map_err(|_| blobs::Error::Gone)?;
        let skipped = usize::try_from(offset % 3).map_err(|_| blobs::Error::Gone)?;
        let groups = (skipped + len as usize).div_ceil(3);
        let start = first.saturating_mul(4).min(data.len());
        let end = start.saturating_add(groups.saturating_mul(4)).min(data.len());
        let decoded = UNPADDED.decode(data.get(start..end).unwrap_or_default()).map_err(|_| blobs::Error::Gone)?;
        Ok(decoded.into_iter().skip(skipped).take(len as usize).collect())
    }
}

const UNPADDED: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true),
);

/// A request as a plugin sees it, and the bytes that came with it.
pub fn request(request: &Request, sight: Sight) -> (types::ChatRequest, Attached) {
    let mut attached = Attached::default();
    let (messages, tools) = match sight {
        Sight::Outline => (Vec::new(), Vec::new()),
        Sight::Text => (
            request.messages.iter().map(|shown| message(shown, &mut attached)).collect(),
            request.tools.iter().map(tool).collect(),
        ),
    };
    let shown = types::ChatRequest {
        model: own(&request.model),
        messages,
        tools,
        params_json: params(request),
        streaming: request.stream,
    };
    (shown, attached)
}

/// Whoever answered, as it is known before the answer.
pub struct Origin<'a> {
    pub provider: Option<&'a str>,
    pub streaming: bool,
}

/// A whole answer as a plugin sees it. What came with it is put behind what came with the request.
pub fn completion(
    completion: &Completion,
    from: &Origin<'_>,
    sight: Sight,
    mut attached: Attached,
) -> (types::ChatResponse, Attached) {
    let shown = types::ChatResponse {
        model: own(&completion.model),
        provider: from.provider.map(ToOwned::to_owned),
        choices: completion.choices.iter().map(|shown| choice(shown, sight, &mut attached)).collect(),
        usage: completion.usage.as_ref().map(usage),
        streaming: from.streaming,
    };
    (shown, attached)
}

fn choice(choice: &Choice, sight: Sight, attached: &mut Attached) -> types::Choice {
    types::Choice {
        index: choice.index,
        parts: match sight {
            Sight::Text => shown(&choice.parts).map(|part| self::part(&part, attached)).collect(),
            Sight::Outline => Vec::new(),
        },
        finish_reason: choice.finish.as_ref().map(|finish| finish.reason.name().to_owned()),
    }
}

pub fn usage(usage: &Usage) -> types::Usage {
    types::Usage {
        input_tokens: usage.input(),
        output_tokens: usage.output(),
        cached_tokens: usage.cache_read.unwrap_or(0),
    }
}

fn message(message: &Message, attached: &mut Attached) -> types::Message {
    types::Message {
        role: match message.role {
            Role::System => types::Role::System,
            Role::Developer => types::Role::Developer,
            Role::User => types::Role::User,
            Role::Assistant => types::Role::Assistant,
            Role::Tool => types::Role::Tool,
        },
        name: message.name.as_ref().map(own),
        parts: shown(&message.parts).map(|shown| part(&shown, attached)).collect(),
    }
}

fn part(shown: &Shown<'_>, attached: &mut Attached) -> types::Part {
    match &shown.part.content {
        Content::Text(text) => match shown.result {
            None => types::Part::Text(own(text)),
            Some(result) => types::Part::ToolResult(types::ToolResult {
                call_id: own(&result.call_id),
                text: own(text),
                is_error: result.is_error == Some(true),
            }),
        },
        // One without anything in it.
        Content::ToolResult(result) => types::Part::ToolResult(types::ToolResult {
            call_id: own(&result.call_id),
            text: String::new(),
            is_error: result.is_error == Some(true),
        }),
        Content::Thinking(thinking) => types::Part::Thinking(own(&thinking.text)),
        Content::Refusal(text) => types::Part::Refusal(own(text)),
        Content::ToolCall(call) => types::Part::ToolCall(types::ToolCall {
            id: own(&call.id),
            name: own(&call.name),
            arguments_json: own(&call.arguments),
        }),
        Content::Image(Image { source, .. }) => thing(types::Media::Image, source, None, attached),
        Content::File(file) => match &file.source {
            Source::Plain(text) => types::Part::Text(own(text)),
            source => thing(types::Media::File, source, file.name.as_ref(), attached),
        },
        Content::Audio { data, format } => {
            let media_type = Text::from(format!("audio/{}", format.as_str()).as_str());
            thing(types::Media::Audio, &Source::Data { media_type, data: data.clone() }, None, attached)
        }
        Content::Other(other) => types::Part::Other(other.json.0.to_string()),
    }
}

/// What is no text: bytes if they are here, and else where they are.
fn thing(media: types::Media, source: &Source, name: Option<&Text>, attached: &mut Attached) -> types::Part {
    let name = name.map(own);
    let (media_type, size) = match (source.inline(), source) {
        (Some((media_type, data)), _) => (media_type.into_owned(), data.trim_end_matches('=').len() as u64 * 3 / 4),
        (None, Source::Url(url) | Source::Uploaded(url) | Source::Plain(url)) => {
            return types::Part::Link(types::Link { media, url: own(url), name });
        }
        (None, Source::Data { media_type, .. }) => (own(media_type), 0),
    };
    let id = u32::try_from(attached.0.len()).unwrap_or(u32::MAX);
    attached.0.push(source.clone());
    types::Part::Blob(types::Blob { media, id, media_type, size, name })
}

fn tool(tool: &Tool) -> types::ToolDef {
    match tool {
        Tool::Function { name, description, parameters, .. } => types::ToolDef {
            name: own(name),
            description: description.as_ref().map(own).unwrap_or_default(),
            schema_json: parameters.as_ref().map(|schema| schema.0.to_string()).unwrap_or_default(),
        },
        Tool::Other { kind, json } => {
            types::ToolDef { name: kind.clone(), description: String::new(), schema_json: json.0.to_string() }
        }
    }
}

/// The parameters that were given, as the text of a JSON object.
fn params(request: &Request) -> String {
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
        user,
        format,
        reasoning,
        ..
    } = &request.params;
    let numbers = [
        ("max_tokens", max_tokens),
        ("temperature", temperature),
        ("top_p", top_p),
        ("top_k", top_k),
        ("seed", seed),
        ("n", n),
        ("presence_penalty", presence_penalty),
        ("frequency_penalty", frequency_penalty),
    ];
    let effort = reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_ref());
    let mut out = Writer::with_capacity(64);
    out.object(|out| {
        for (name, number) in numbers {
            if let Some(number) = number {
                out.key(name).number(number);
            }
        }
        if !stop.is_empty() {
            out.key("stop").array(|out| stop.iter().for_each(|text| out.text(text)));
        }
        for (name, text) in [("user", user.as_ref()), ("reasoning_effort", effort)] {
            if let Some(text) = text {
                out.key(name).text(text);
            }
        }
        if let Some(choice) = &request.tool_choice {
            tool_choice(out.key("tool_choice"), choice);
        }
        if let Some(format) = format {
            response_format(out.key("response_format"), format);
        }
    });
    String::from_utf8(out.into_bytes()).unwrap_or_default()
}

fn tool_choice(out: &mut Writer, choice: &ToolChoice) {
    match choice {
        ToolChoice::Auto => out.word("auto"),
        ToolChoice::None => out.word("none"),
        ToolChoice::Required => out.word("required"),
        ToolChoice::Named(name) => out.text(name),
        ToolChoice::Other(json) => out.raw(json),
    }
}

fn response_format(out: &mut Writer, format: &Format) {
    match format {
        Format::Text => out.word("text"),
        Format::JsonObject => out.word("json_object"),
        Format::JsonSchema { name, schema, strict, .. } => out.object(|out| {
            out.key("json_schema").object(|out| {
                if let Some(name) = name {
                    out.key("name").text(name);
                }
                out.key("schema").raw(schema);
                if let Some(strict) = strict {
                    out.key("strict").bool(*strict);
                }
            });
        }),
    }
}

fn own(text: &Text) -> String {
    text.as_str().into_owned()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::Dialect as _;
    use crate::dialect::openai_chat::OpenAiChat;
    use crate::wasm::Blobs as _;

    fn shown_params(given: &str) -> serde_json::Value {
        let body = format!(r#"{{"model":"m","messages":[],{given}}}"#);
        let request = OpenAiChat.read_request(&body.into()).unwrap();
        serde_json::from_str(&super::request(&request, Sight::Outline).0.params_json).unwrap()
    }

    #[test]
    fn the_parameters_that_were_given_are_shown_and_no_others() {
        let given = r#""max_tokens":9,"temperature":0.5,"top_p":1,"seed":3,"n":2,"presence_penalty":-1,"frequency_penalty":2,
            "stop":["a\"b"],"user":"j\u00f6","reasoning_effort":"low","tool_choice":"required","response_format":
            {"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":true}}"#;
        let all = serde_json::json!({
            "max_tokens": 9, "temperature": 0.5, "top_p": 1, "seed": 3, "n": 2, "presence_penalty": -1,
            "frequency_penalty": 2, "stop": ["a\"b"], "user": "jö", "reasoning_effort": "low", "tool_choice": "required",
            "response_format": { "json_schema": { "name": "s", "schema": { "type": "object" }, "strict": true } },
        });
        assert_eq!(shown_params(given), all);
        assert_eq!(shown_params(r#""stream":false"#), serde_json::json!({}));
        let named =
            r#""tool_choice":{"type":"function","function":{"name":"f"}},"response_format":{"type":"json_object"}"#;
        let shown = serde_json::json!({ "tool_choice": "f", "response_format": "json_object" });
        assert_eq!(shown_params(named), shown);
    }

    proptest! {
        #[test]
        fn any_range_of_a_blob_is_read_as_it_is(bytes: Vec<u8>, offset in 0_u64..80, len in 0_u32..80) {
            let data = Text::from(STANDARD.encode(&bytes).as_str());
            let attached = Attached(vec![Source::Data { media_type: "image/png".into(), data }]);
            let start = (offset as usize).min(bytes.len());
            let end = (start + len as usize).min(bytes.len());
            prop_assert_eq!(attached.read(0, offset, len).unwrap(), &bytes[start..end]);
        }
    }
}
