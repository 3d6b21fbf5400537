//! Requests, written.
//!
//! One that came in this dialect keeps its spelling and its extras; one from elsewhere is put in the
//! plainest words that every vendor understands, and what cannot be said is reported.

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{
    Content, Format, Losses, Message, Params, Part, Reasoning, Request, Role, Tool, ToolChoice, ToolResult,
};
use crate::dialect::Quirks;
use crate::dialect::openai_chat::ID;
use crate::dialect::openai_chat::level::{Members, Rest, object};
use crate::dialect::openai_chat::marks::{message as message_marks, request as marks, tool as tool_marks};
use crate::dialect::openai_chat::stream_options;
use crate::dialect::openai_chat::write_message::Fields;
use crate::dialect::openai_chat::write_part::Origin;

pub fn write(request: &Request, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let origin = if request.dialect == ID { Origin::Here } else { Origin::Elsewhere };
    let mut writer = Writer::with_capacity(1024 + request.estimated_tokens().min(1 << 20) as usize * 4);
    let mut letter = Letter { request, quirks, losses, origin };
    letter.write(&mut writer);
    writer.into_bytes()
}

struct Letter<'a> {
    request: &'a Request,
    quirks: &'a Quirks,
    losses: &'a mut Losses,
    origin: Origin,
}

impl<'a> Letter<'a> {
    fn write(&mut self, writer: &mut Writer) {
        let request = self.request;
        let rest = Rest::of(self.origin.extra(&request.extra, self.losses), &["response_format."]);
        object(writer, rest, |members| {
            members.text("model", Some(&request.model));
            members.key("messages").array(|writer| self.messages(writer));
            self.tools(members);
            self.params(&request.params, members, rest);
            self.stream(members);
        });
    }

    /// Tool results stand in messages of their own here, before whatever else their message says.
    fn messages(&mut self, writer: &mut Writer) {
        // Parts of tool results that a tool's message cannot hold: the user shows them instead.
        let mut shown: Vec<&'a Part> = Vec::new();
        for message in &self.request.messages {
            let (results, mut rest): (Vec<&Part>, Vec<&Part>) =
                message.parts.iter().partition(|part| matches!(part.content, Content::ToolResult(_)));
            for part in &results {
                if let Content::ToolResult(result) = &part.content {
                    self.tool_message(writer, message, part, result, &mut shown);
                }
            }
            if rest.is_empty() && !results.is_empty() {
                continue;
            }
            let is_users = matches!(message.role, Role::User | Role::Tool);
            if is_users {
                rest.splice(..0, shown.drain(..));
            } else {
                self.show(writer, &mut shown);
            }
            self.message(writer, message, &rest);
        }
        self.show(writer, &mut shown);
    }

    fn show(&mut self, writer: &mut Writer, shown: &mut Vec<&'a Part>) {
        if !shown.is_empty() {
            self.message(writer, &Message::new(Role::User, Vec::new()), shown);
            shown.clear();
        }
    }

    fn message(&mut self, writer: &mut Writer, message: &Message, parts: &[&Part]) {
        let role = self.role(message.role);
        let fields = Fields::of(parts, message.role, self.origin, self.losses);
        let rest = Rest::of(self.origin.extra(&message.extra, self.losses), &[]);
        object(writer, rest, |members| {
            members.str("role", role);
            members.text("name", message.name.as_ref());
            fields.write(members, rest, self.origin, self.losses);
        });
    }

    fn role(&self, role: Role) -> &'static str {
        match role {
            Role::Developer if self.quirks.developer_role => "developer",
            Role::System | Role::Developer => "system",
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        }
    }

    fn tool_message(
        &mut self,
        writer: &mut Writer,
        message: &Message,
        part: &'a Part,
        result: &'a ToolResult,
        shown: &mut Vec<&'a Part>,
    ) {
        // A message that is one result has the extras of the message; one of several results has none.
        let is_alone = message.role == Role::Tool && message.parts.len() == 1;
        let whole = self.origin.extra(&message.extra, self.losses);
        let own = self.origin.extra(&part.extra, self.losses);
        let rest = Rest::of(if is_alone { whole } else { own }, &[]);
        if result.is_error == Some(true) {
            self.losses.left_out("is_error");
        }
        if part.cache.is_some() {
            self.losses.left_out("cache_control");
        }
        let mut parts: Vec<&Part> = result.parts.iter().collect();
        if self.origin == Origin::Elsewhere {
            parts.retain(|part| {
                let moves = matches!(part.content, Content::Image(_) | Content::File(_) | Content::Audio { .. });
                if moves {
                    self.losses.add("media in a tool result", "shown by the user instead");
                    shown.push(part);
                }
                !moves
            });
        }
        let fields = Fields::of(&parts, Role::Tool, self.origin, self.losses);
        let is_function = rest.has_mark(message_marks::FUNCTION_ROLE);
        object(writer, rest, |members| {
            members.str("role", if is_function { "function" } else { "tool" });
            if !rest.has_mark(message_marks::NO_CALL_ID) {
                members.text("tool_call_id", Some(&result.call_id));
            }
            members.text("name", message.name.as_ref().filter(|_| is_alone));
            fields.write(members, rest, self.origin, self.losses);
        });
    }

    fn tools(&mut self, members: &mut Members<'_>) {
        let request = self.request;
        let mut written = Vec::new();
        for tool in &request.tools {
            match tool {
                Tool::Other { kind, .. } if self.origin == Origin::Elsewhere => self.losses.left_out(kind.clone()),
                tool => written.push(tool),
            }
        }
        if !written.is_empty() {
            members.key("tools").array(|writer| written.iter().for_each(|tool| self.tool(writer, tool)));
        } else if self.origin == Origin::Elsewhere {
            // A choice among no tools is refused.
            return;
        }
        match &request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => members.str("tool_choice", "auto"),
            Some(ToolChoice::None) => members.str("tool_choice", "none"),
            Some(ToolChoice::Required) => members.str("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => members.key("tool_choice").object(|writer| {
                writer.key("type").str("function");
                writer.key("function").object(|writer| writer.key("name").text(name));
            }),
            Some(ToolChoice::Other(raw)) if self.origin == Origin::Here => members.raw("tool_choice", Some(raw)),
            Some(ToolChoice::Other(_)) => self.losses.left_out("tool_choice"),
        }
        if let Some(parallel) = request.params.parallel_tools {
            members.key("parallel_tool_calls").bool(parallel);
        }
    }

    fn tool(&mut self, writer: &mut Writer, tool: &Tool) {
        let (name, description, parameters, strict, cache, extra) = match tool {
            Tool::Other { json, .. } => return writer.raw(json),
            Tool::Function { name, description, parameters, strict, cache, extra } => {
                (name, description, parameters, strict, cache, extra)
            }
        };
        let extra = self.origin.extra(extra, self.losses);
        let rest = Rest::of(extra, &["function."]);
        object(writer, rest, |members| {
            if !rest.has_mark(tool_marks::NO_TYPE) {
                members.str("type", "function");
            }
            object(members.key("function"), Rest::inside(extra, "function.", &[]), |members| {
                members.text("name", Some(name));
                members.text("description", description.as_ref());
                members.raw("parameters", parameters.as_ref());
                if let Some(strict) = strict {
                    members.key("strict").bool(*strict);
                }
            });
            if self.origin == Origin::Here {
                members.raw("cache_control", cache.as_ref());
            } else if cache.is_some() {
                self.losses.left_out("cache_control");
            }
        });
    }

    fn params(&mut self, params: &Params, members: &mut Members<'_>, rest: Rest<'_>) {
        let numbers = [
            ("temperature", &params.temperature),
            ("top_p", &params.top_p),
            ("seed", &params.seed),
            ("n", &params.n),
            ("presence_penalty", &params.presence_penalty),
            ("frequency_penalty", &params.frequency_penalty),
            ("top_logprobs", &params.top_logprobs),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                members.key(key).number(value);
            }
        }
        match &params.top_k {
            Some(top_k) if rest.has_mark(marks::TOP_K) => members.key("top_k").number(top_k),
            Some(_) => self.losses.left_out("top_k"),
            None => {}
        }
        self.max_tokens(params, members, rest);
        match params.stop.as_slice() {
            [] => {}
            [stop] if rest.has_mark(marks::STOP_STRING) => members.text("stop", Some(stop)),
            stops => members.key("stop").array(|writer| stops.iter().for_each(|stop| writer.text(stop))),
        }
        if let Some(logprobs) = params.logprobs {
            members.key("logprobs").bool(logprobs);
        }
        members.text("user", params.user.as_ref());
        if let Some(reasoning) = &params.reasoning {
            self.reasoning(reasoning, members);
        }
        if let Some(format) = &params.format {
            self.format(format, members, rest);
        }
    }

    /// The limit under the caller's name for it, or else under the target's.
    fn max_tokens(&self, params: &Params, members: &mut Members<'_>, rest: Rest<'_>) {
        let Some(limit) = &params.max_tokens else { return };
        let (old, new) = (rest.has_mark(marks::MAX_TOKENS), rest.has_mark(marks::MAX_COMPLETION_TOKENS));
        let is_free = !old && !new;
        if new || is_free && self.quirks.max_completion_tokens {
            members.key("max_completion_tokens").number(limit);
        }
        if old || is_free && !self.quirks.max_completion_tokens {
            members.key("max_tokens").number(limit);
        }
    }

    fn reasoning(&mut self, reasoning: &Reasoning, members: &mut Members<'_>) {
        match reasoning {
            // `none` is refused by most models, and those that do not think have no need of it.
            Reasoning { enabled: Some(false), .. } if self.origin == Origin::Elsewhere => {
                self.losses.left_out("reasoning.enabled");
            }
            Reasoning { enabled: Some(false), .. } => members.str("reasoning_effort", "none"),
            Reasoning { effort: Some(effort), budget, .. } => {
                members.text("reasoning_effort", Some(effort));
                if budget.is_some() {
                    self.losses.left_out("reasoning.budget");
                }
            }
            Reasoning { budget: Some(budget), .. } => {
                let effort = effort_for(budget.as_u64().unwrap_or(u64::MAX));
                members.str("reasoning_effort", effort);
                self.losses.add("reasoning.budget", format!("sent as the effort `{effort}`"));
            }
            Reasoning { enabled: Some(true), .. } => self.losses.left_out("reasoning.enabled"),
            Reasoning { .. } => {}
        }
    }

    fn format(&mut self, format: &Format, members: &mut Members<'_>, rest: Rest<'_>) {
        let kind = match format {
            Format::Text => "text",
            Format::JsonObject => "json_object",
            Format::JsonSchema { .. } if self.quirks.json_schema => "json_schema",
            Format::JsonSchema { .. } => {
                self.losses.add("response_format.json_schema", "sent as `json_object`");
                "json_object"
            }
        };
        let here = rest.within("response_format.", &["json_schema."]);
        object(members.key("response_format"), here, |members| {
            members.str("type", kind);
            let Format::JsonSchema { name, description, schema, strict } = format else { return };
            if kind != "json_schema" {
                return;
            }
            let inner = rest.within("response_format.json_schema.", &[]);
            object(members.key("json_schema"), inner, |members| {
                // The name is required.
                let unnamed = Text::from("answer");
                let fallback = (self.origin == Origin::Elsewhere).then_some(&unnamed);
                members.text("name", name.as_ref().or(fallback));
                members.text("description", description.as_ref());
                members.raw("schema", Some(schema));
                if let Some(strict) = strict {
                    members.key("strict").bool(*strict);
                }
            });
        });
    }

    fn stream(&self, members: &mut Members<'_>) {
        let request = self.request;
        if !request.stream {
            return;
        }
        members.key("stream").bool(true);
        if self.quirks.stream_options {
            let own = request.extra.get(stream_options::KEY).filter(|_| self.origin == Origin::Here);
            members.raw(stream_options::KEY, Some(&stream_options::with_usage(own)));
        }
    }
}

/// The effort that comes nearest to a budget of thinking tokens: below 4,096 `low`, below 16,384 `medium`.
fn effort_for(budget: u64) -> &'static str {
    match budget {
        0..4_096 => "low",
        4_096..16_384 => "medium",
        _ => "high",
    }
}
