//! The simulator's Anthropic messages: reading a request and writing its answer.
//!
//! Shapes after <https://docs.anthropic.com/en/api/messages> and its page on streaming.

use serde_json::{Value, json};

use crate::provider::simulator::ask::{self, Ask, Choice, Complaint, Tool, is_true, string};
use crate::provider::simulator::said::{Finish, Said};
use crate::provider::simulator::tokens;
use crate::provider::simulator::voice::{Frame, Voice};

const LEAST_THINKING: u64 = 1024;
/// What a real signature would prove; clients only hand it back.
const SIGNATURE: &str = "c2ltdWxhdGVkIHNpZ25hdHVyZSBvZiBhIHNpbXVsYXRlZCB0aG91Z2h0";

pub(super) struct Anthropic;

impl Voice for Anthropic {
    fn read(&self, body: &Value) -> Result<Ask, Complaint> {
        let mut ask = read(body)?;
        let limit = ask::limit(body, "max_tokens")?.ok_or_else(|| Complaint::missing("max_tokens"))?;
        ask.max_tokens = Some(limit);
        let thinking = body.get("thinking");
        let budget = thinking.filter(|thinking| string(thinking, "type") == Some("enabled"));
        if let Some(budget) = budget.map(|thinking| thinking.get("budget_tokens").and_then(Value::as_u64)) {
            let budget = budget.ok_or_else(|| Complaint::missing("thinking.enabled.budget_tokens"))?;
            if budget < LEAST_THINKING || budget >= limit {
                let why = "it must be at least 1024 and less than `max_tokens`";
                return Err(Complaint::wrong("thinking.enabled.budget_tokens", why));
            }
        }
        ask.reasons = thinking.and_then(|thinking| string(thinking, "type")).is_some_and(|kind| kind != "disabled");
        Ok(ask)
    }

    fn whole(&self, ask: &Ask, said: &Said, nth: u64) -> Value {
        let mut message = opening(ask, nth);
        if let Some(members) = message.as_object_mut() {
            members.insert("content".into(), blocks(said, nth).into_iter().map(|block| block.whole).collect());
            members.insert("stop_reason".into(), stop_reason(&said.finish).into());
            members.insert("stop_sequence".into(), stop_sequence(&said.finish));
            members.insert("usage".into(), usage(ask.prompt_tokens, said.tokens));
        }
        message
    }

    fn frames(&self, ask: &Ask, said: &Said, nth: u64) -> Vec<Frame> {
        let mut frames = vec![event(json!({"type": "message_start", "message": opening(ask, nth)}))];
        for (index, block) in blocks(said, nth).into_iter().enumerate() {
            frames.push(event(json!({"type": "content_block_start", "index": index, "content_block": block.start})));
            if index == 0 {
                frames.push(event(json!({"type": "ping"})));
            }
            let delta = |delta| event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            frames.extend(block.deltas.into_iter().map(|piece| delta(piece).timed()));
            frames.extend(block.closing.map(delta));
            frames.push(event(json!({"type": "content_block_stop", "index": index})));
        }
        let delta = json!({"stop_reason": stop_reason(&said.finish), "stop_sequence": stop_sequence(&said.finish)});
        let usage = usage(ask.prompt_tokens, said.tokens);
        frames.push(event(json!({"type": "message_delta", "delta": delta, "usage": usage})));
        frames.push(event(json!({"type": "message_stop"})));
        frames
    }

    fn complaint(&self, complaint: &Complaint, nth: u64) -> Value {
        json!({"type": "error", "error": error(complaint), "request_id": format!("req_sim{nth:021}")})
    }

    fn error_frame(&self, complaint: &Complaint) -> Frame {
        event(json!({"type": "error", "error": error(complaint)}))
    }

    fn too_long(&self) -> Complaint {
        Complaint::new(400, "prompt is too long: 200001 tokens > 200000 maximum")
    }

    fn filtered(&self) -> Complaint {
        Complaint::new(400, "Output blocked by content filtering policy")
    }
}

/// The answer to a request to count its tokens, for which no limit of the answer is needed.
pub(super) fn count_tokens(body: &Value) -> Result<Value, Complaint> {
    Ok(json!({"input_tokens": read(body)?.prompt_tokens}))
}

fn read(body: &Value) -> Result<Ask, Complaint> {
    let choice = body.get("tool_choice");
    let mut ask = Ask {
        model: ask::model(body)?,
        streamed: is_true(body, "stream"),
        choice: choose(choice)?,
        parallel: !choice.is_some_and(|choice| is_true(choice, "disable_parallel_tool_use")),
        shape: shape(body),
        stops: ask::strings(body.get("stop_sequences")),
        answers: 1,
        ..Ask::default()
    };
    match body.get("system") {
        Some(Value::String(text)) => ask.charge(text),
        Some(Value::Array(blocks)) => {
            blocks.iter().filter_map(|block| string(block, "text")).for_each(|text| ask.charge(text))
        }
        _ => {}
    }
    read_messages(&mut ask, ask::messages(body)?)?;
    ask.take_tools(body, tool)?;
    Ok(ask)
}

/// What one message holds beside what it charges to the request.
#[derive(Default)]
struct Content<'a> {
    texts: Vec<&'a str>,
    /// The ids of its calls.
    called: Vec<&'a str>,
}

fn read_messages(ask: &mut Ask, messages: &[Value]) -> Result<(), Complaint> {
    let mut before = Content::default();
    for (n, message) in messages.iter().enumerate() {
        let role = string(message, "role").filter(|role| ["user", "assistant", "system"].contains(role));
        let role = role.ok_or_else(|| Complaint::wrong(&format!("messages.{n}.role"), "this is not a known role"))?;
        ask.prompt_tokens += tokens::PER_MESSAGE;
        ask.results.clear();
        let content = read_content(ask, message, &before, &format!("messages.{n}.content"))?;
        if role == "user" && !content.texts.is_empty() {
            ask.question = content.texts.join("\n");
        }
        before = content;
    }
    Ok(())
}

fn read_content<'a>(
    ask: &mut Ask,
    message: &'a Value,
    before: &Content<'_>,
    at: &str,
) -> Result<Content<'a>, Complaint> {
    let mut content = Content::default();
    match message.get("content") {
        Some(Value::String(text)) => {
            ask.charge(text);
            content.texts.push(text);
        }
        Some(Value::Array(blocks)) => {
            for (n, block) in blocks.iter().enumerate() {
                read_block(ask, block, &mut content, before, &format!("{at}.{n}"))?;
            }
        }
        _ => return Err(Complaint::missing(at)),
    }
    Ok(content)
}

fn read_block<'a>(
    ask: &mut Ask,
    block: &'a Value,
    content: &mut Content<'a>,
    before: &Content<'_>,
    at: &str,
) -> Result<(), Complaint> {
    match string(block, "type") {
        Some("text") => {
            let text = string(block, "text").ok_or_else(|| Complaint::missing(&format!("{at}.text.text")))?;
            ask.charge(text);
            content.texts.push(text);
        }
        Some("image") => ask.see_image(),
        Some("tool_use") => {
            content.called.extend(string(block, "id"));
            ask.charge(&block.to_string());
        }
        Some("tool_result") => read_result(ask, block, &before.called, at)?,
        Some(_) => {}
        None => return Err(Complaint::missing(&format!("{at}.type"))),
    }
    Ok(())
}

fn read_result(ask: &mut Ask, block: &Value, called: &[&str], at: &str) -> Result<(), Complaint> {
    let id =
        string(block, "tool_use_id").ok_or_else(|| Complaint::missing(&format!("{at}.tool_result.tool_use_id")))?;
    if !called.contains(&id) {
        let why = format!("`{id}` is the id of no `tool_use` block in the message before");
        return Err(Complaint::wrong(at, &why));
    }
    let text = match block.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| string(part, "text")).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    ask.charge(&text);
    ask.results.push(text);
    Ok(())
}

fn tool(tool: &Value) -> Option<Tool> {
    Some(Tool { name: string(tool, "name")?.to_owned(), schema: tool.get("input_schema").cloned().unwrap_or_default() })
}

fn choose(choice: Option<&Value>) -> Result<Choice, Complaint> {
    let Some(choice) = choice.filter(|choice| !choice.is_null()) else { return Ok(Choice::Auto) };
    match string(choice, "type") {
        Some("auto") => Ok(Choice::Auto),
        Some("none") => Ok(Choice::Never),
        Some("any") => Ok(Choice::Any),
        Some("tool") => {
            let name = string(choice, "name").ok_or_else(|| Complaint::missing("tool_choice.tool.name"))?;
            Ok(Choice::One(name.to_owned()))
        }
        _ => Err(Complaint::wrong("tool_choice", "`type` must be one of auto, any, tool, none")),
    }
}

fn shape(body: &Value) -> Option<Value> {
    let current = body.get("output_config").and_then(|config| config.get("format"));
    let format = current.or_else(|| body.get("output_format"))?;
    format.get("schema").cloned()
}

/// A message of which nothing has been said yet.
fn opening(ask: &Ask, nth: u64) -> Value {
    json!({
        "id": format!("msg_sim{nth:021}"),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(ask.prompt_tokens, 1),
    })
}

/// A content block as it is written whole, and in a stream.
struct Block {
    whole: Value,
    start: Value,
    deltas: Vec<Value>,
    closing: Option<Value>,
}

fn blocks(said: &Said, nth: u64) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !said.reasoning.is_empty() {
        blocks.push(Block {
            whole: json!({"type": "thinking", "thinking": said.reasoning, "signature": SIGNATURE}),
            start: json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas: tokens::split(&said.reasoning)
                .map(|token| json!({"type": "thinking_delta", "thinking": token}))
                .collect(),
            closing: Some(json!({"type": "signature_delta", "signature": SIGNATURE})),
        });
    }
    if !said.text.is_empty() {
        blocks.push(Block {
            whole: json!({"type": "text", "text": said.text}),
            start: json!({"type": "text", "text": ""}),
            deltas: tokens::split(&said.text).map(|token| json!({"type": "text_delta", "text": token})).collect(),
            closing: None,
        });
    }
    for (n, call) in said.calls.iter().enumerate() {
        let id = format!("toolu_sim{nth:018}{n:03}");
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let piece = |token| json!({"type": "input_json_delta", "partial_json": token});
        blocks.push(Block {
            whole: json!({"type": "tool_use", "id": id, "name": call.name, "input": input}),
            start: json!({"type": "tool_use", "id": id, "name": call.name, "input": {}}),
            deltas: std::iter::once("").chain(tokens::split(&call.arguments)).map(piece).collect(),
            closing: None,
        });
    }
    blocks
}

fn stop_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Done => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Stop(_) => "stop_sequence",
        Finish::Calls => "tool_use",
    }
}

fn stop_sequence(finish: &Finish) -> Value {
    match finish {
        Finish::Stop(sequence) => sequence.as_str().into(),
        _ => Value::Null,
    }
}

fn usage(input: u64, output: u64) -> Value {
    json!({
        "input_tokens": input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn error(complaint: &Complaint) -> Value {
    let kind = match complaint.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": kind, "message": complaint.message})
}

/// Every event of this dialect is named as its type.
fn event(data: Value) -> Frame {
    let name = string(&data, "type").unwrap_or("message");
    Frame::event(name, &data)
}
