//! The simulator's OpenAI chat completions: reading a request and writing its answer.
//!
//! Shapes after <https://platform.openai.com/docs/api-reference/chat>. Reasoning, which OpenAI itself
//! does not show here, is written as `reasoning_content`, as compatible providers do.

use serde_json::{Value, json};

use crate::provider::simulator::ask::{self, Ask, Choice, Complaint, Tool, is_true, items, string};
use crate::provider::simulator::said::{Finish, Said};
use crate::provider::simulator::tokens;
use crate::provider::simulator::voice::{CREATED, Frame, Voice};

const ROLES: [&str; 6] = ["developer", "system", "user", "assistant", "tool", "function"];
const MOST_ANSWERS: u64 = 128;

pub(super) struct OpenAi;

impl Voice for OpenAi {
    fn read(&self, body: &Value) -> Result<Ask, Complaint> {
        let mut ask = Ask {
            model: ask::model(body)?,
            streamed: is_true(body, "stream"),
            streams_usage: body.get("stream_options").is_some_and(|options| is_true(options, "include_usage")),
            choice: choice(body.get("tool_choice")),
            parallel: body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
            shape: shape(body),
            max_tokens: ask::limit(body, "max_completion_tokens")?.or(ask::limit(body, "max_tokens")?),
            stops: ask::strings(body.get("stop")),
            reasons: string(body, "reasoning_effort").is_some_and(|effort| effort != "none"),
            answers: ask::limit(body, "n")?.unwrap_or(1),
            ..Ask::default()
        };
        if ask.answers > MOST_ANSWERS {
            return Err(Complaint::wrong("n", "no more than 128 answers can be given"));
        }
        read_messages(&mut ask, ask::messages(body)?)?;
        ask.take_tools(body, tool)?;
        Ok(ask)
    }

    fn whole(&self, ask: &Ask, said: &Said, nth: u64) -> Value {
        let choice = |index: u64| {
            let finish = finish(&said.finish);
            json!({"index": index, "message": message(said, nth, index), "logprobs": null, "finish_reason": finish})
        };
        json!({
            "id": format!("chatcmpl-sim{nth:024}"),
            "object": "chat.completion",
            "created": CREATED,
            "model": ask.model,
            "choices": (0..ask.answers).map(choice).collect::<Vec<_>>(),
            "usage": usage(ask, said),
            "service_tier": "default",
            "system_fingerprint": "fp_simulator",
        })
    }

    fn frames(&self, ask: &Ask, said: &Said, nth: u64) -> Vec<Frame> {
        let chunks = Chunks { ask, nth };
        let mut frames: Vec<_> = (0..ask.answers).flat_map(|index| chunks.answer(said, index)).collect();
        if ask.streams_usage {
            let mut last = chunks.chunk(json!([]));
            last.insert("usage".into(), usage(ask, said));
            frames.push(Frame::data(&Value::Object(last)));
        }
        frames.push(Frame::raw("data: [DONE]\n\n"));
        frames
    }

    fn complaint(&self, complaint: &Complaint, _nth: u64) -> Value {
        let (kind, code) = match complaint.status {
            401 => ("invalid_request_error", Some("invalid_api_key")),
            404 => ("invalid_request_error", Some("model_not_found")),
            429 => ("requests", Some("rate_limit_exceeded")),
            400..=499 => ("invalid_request_error", None),
            _ => ("server_error", None),
        };
        let code = complaint.code.or(code);
        json!({"error": {"message": complaint.message, "type": kind, "param": complaint.param, "code": code}})
    }

    fn error_frame(&self, complaint: &Complaint) -> Frame {
        Frame::data(&self.complaint(complaint, 0))
    }

    fn too_long(&self) -> Complaint {
        let message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please reduce the length of the messages.";
        Complaint { param: Some("messages".into()), ..Complaint::new(400, message).coded("context_length_exceeded") }
    }

    fn filtered(&self) -> Complaint {
        Complaint {
            param: Some("prompt".into()),
            ..Complaint::new(400, "The simulated content filter refused the prompt.").coded("content_filter")
        }
    }
}

fn read_messages(ask: &mut Ask, messages: &[Value]) -> Result<(), Complaint> {
    // The ids of the calls that the last assistant message made.
    let mut called: Vec<&str> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let role = string(message, "role").filter(|role| ROLES.contains(role));
        let role = role.ok_or_else(|| Complaint::wrong(&format!("messages[{n}].role"), "this is not a known role"))?;
        let text = content(ask, n, message)?;
        ask.prompt_tokens += tokens::PER_MESSAGE;
        ask.charge(&text);
        if role == "tool" {
            read_result(ask, n, message, &called, text)?;
            continue;
        }
        ask.results.clear();
        let calls = items(message, "tool_calls");
        calls.iter().for_each(|call| ask.charge(&call.to_string()));
        called = calls.iter().filter_map(|call| string(call, "id")).collect();
        if role == "user" {
            ask.question = text;
        }
    }
    Ok(())
}

fn read_result(ask: &mut Ask, n: usize, message: &Value, called: &[&str], text: String) -> Result<(), Complaint> {
    let id = string(message, "tool_call_id");
    let id = id.ok_or_else(|| Complaint::missing(&format!("messages[{n}].tool_call_id")))?;
    if !called.contains(&id) {
        let why = "a message of the role `tool` must answer a call of the assistant message before it";
        return Err(Complaint::wrong(&format!("messages[{n}].role"), why));
    }
    ask.results.push(text);
    Ok(())
}

/// The texts of a message's content, with its images counted.
fn content(ask: &mut Ask, n: usize, message: &Value) -> Result<String, Complaint> {
    let at = || format!("messages[{n}].content");
    match message.get("content") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let texts: Result<Vec<_>, _> = parts.iter().map(|part| part_text(ask, part, at)).collect();
            Ok(texts?.into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
        None | Some(Value::Null) if string(message, "role") == Some("assistant") => Ok(String::new()),
        None => Err(Complaint::missing(&at())),
        Some(_) => Err(Complaint::wrong(&at(), "a string or a list of parts is required")),
    }
}

fn part_text<'a>(ask: &mut Ask, part: &'a Value, at: impl Fn() -> String) -> Result<Option<&'a str>, Complaint> {
    match string(part, "type") {
        Some("text") => match string(part, "text") {
            Some(text) => Ok(Some(text)),
            None => Err(Complaint::wrong(&at(), "a text part needs `text`")),
        },
        Some("image_url") => {
            ask.see_image();
            Ok(None)
        }
        Some(_) => Ok(None),
        None => Err(Complaint::wrong(&at(), "a part needs a `type`")),
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = tool.get("function")?;
    let schema = function.get("parameters").cloned().unwrap_or_default();
    Some(Tool { name: string(function, "name")?.to_owned(), schema })
}

fn choice(choice: Option<&Value>) -> Choice {
    match choice {
        Some(Value::String(word)) if word == "none" => Choice::Never,
        Some(Value::String(word)) if word == "required" => Choice::Any,
        Some(choice) => match choice.get("function").and_then(|function| string(function, "name")) {
            Some(name) => Choice::One(name.to_owned()),
            None => Choice::Auto,
        },
        None => Choice::Auto,
    }
}

fn shape(body: &Value) -> Option<Value> {
    let format = body.get("response_format")?;
    match string(format, "type")? {
        "json_schema" => format.get("json_schema")?.get("schema").cloned(),
        "json_object" => {
            Some(json!({"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}))
        }
        _ => None,
    }
}

fn message(said: &Said, nth: u64, index: u64) -> Value {
    let content = if said.calls.is_empty() { Value::from(said.text.as_str()) } else { Value::Null };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null, "annotations": []});
    if let Some(members) = message.as_object_mut() {
        if !said.reasoning.is_empty() {
            members.insert("reasoning_content".into(), said.reasoning.as_str().into());
        }
        if !said.calls.is_empty() {
            let calls = said.calls.iter().enumerate().map(|(n, call)| {
                let function = json!({"name": call.name, "arguments": call.arguments});
                json!({"id": call_id(nth, index, n), "type": "function", "function": function})
            });
            members.insert("tool_calls".into(), calls.collect());
        }
    }
    message
}

fn call_id(nth: u64, index: u64, n: usize) -> String {
    format!("call_sim{nth:015}{index:03}{n:03}")
}

fn finish(finish: &Finish) -> &'static str {
    match finish {
        Finish::Done | Finish::Stop(_) => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
    }
}

fn usage(ask: &Ask, said: &Said) -> Value {
    let completion = said.tokens.saturating_mul(ask.answers);
    json!({
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": ask.prompt_tokens.saturating_add(completion),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens::count(&said.reasoning).saturating_mul(ask.answers),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// The chunks of one stream, which share all but their choices.
struct Chunks<'a> {
    ask: &'a Ask,
    nth: u64,
}

impl Chunks<'_> {
    fn answer(&self, said: &Said, index: u64) -> Vec<Frame> {
        let mut frames = vec![self.delta(index, json!({"role": "assistant", "content": "", "refusal": null}), None)];
        let reasoning = tokens::split(&said.reasoning).map(|token| json!({"reasoning_content": token}));
        let text = tokens::split(&said.text).map(|token| json!({"content": token}));
        frames.extend(reasoning.chain(text).map(|delta| self.delta(index, delta, None).timed()));
        for (n, call) in said.calls.iter().enumerate() {
            let function = json!({"name": call.name, "arguments": ""});
            let opening =
                json!({"index": n, "id": call_id(self.nth, index, n), "type": "function", "function": function});
            frames.push(self.delta(index, json!({"tool_calls": [opening]}), None));
            let piece = |token| json!({"tool_calls": [{"index": n, "function": {"arguments": token}}]});
            let pieces = tokens::split(&call.arguments).map(piece);
            frames.extend(pieces.map(|delta| self.delta(index, delta, None).timed()));
        }
        frames.push(self.delta(index, json!({}), Some(finish(&said.finish))));
        frames
    }

    fn delta(&self, index: u64, delta: Value, finish: Option<&str>) -> Frame {
        let choice = json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": finish});
        let mut chunk = self.chunk(json!([choice]));
        if self.ask.streams_usage {
            chunk.insert("usage".into(), Value::Null);
        }
        Frame::data(&Value::Object(chunk))
    }

    fn chunk(&self, choices: Value) -> serde_json::Map<String, Value> {
        let mut chunk = serde_json::Map::new();
        chunk.insert("id".into(), format!("chatcmpl-sim{:024}", self.nth).into());
        chunk.insert("object".into(), "chat.completion.chunk".into());
        chunk.insert("created".into(), CREATED.into());
        chunk.insert("model".into(), self.ask.model.as_str().into());
        chunk.insert("service_tier".into(), "default".into());
        chunk.insert("system_fingerprint".into(), "fp_simulator".into());
        chunk.insert("choices".into(), choices);
        chunk
    }
}
