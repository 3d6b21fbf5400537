//! Writing a request.

use super::mark::{NO_STOPS, NO_TOOLS, UNSTREAMED};
use super::member::{Cx, Members, object};
use super::reasoning::{self, Settled};
use super::{ID, tool, turns};
use crate::base::json::{Json, Number, Writer};
use crate::base::text::Text;
use crate::chat::{Format, Losses, Params, Request};
use crate::dialect::Quirks;

pub(super) fn write(request: &Request, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let mut cx = Cx { own: request.dialect == ID, losses };
    let bytes: usize = request.parts().map(|part| part_size(&part.content)).sum();
    let mut writer = Writer::with_capacity(1024 + bytes);
    object(&mut writer, |members| write_members(request, quirks, members, &mut cx));
    writer.into_bytes()
}

/// About how many bytes a part takes, so that the body is seldom moved while it grows.
fn part_size(content: &crate::chat::Content) -> usize {
    use crate::chat::{Content, Source};
    let source = |source: &Source| match source {
        Source::Data { data, .. } => data.len(),
        Source::Url(text) | Source::Plain(text) | Source::Uploaded(text) => text.len(),
    };
    64 + match content {
        Content::Text(text) | Content::Refusal(text) => text.len(),
        Content::Image(image) => source(&image.source),
        Content::File(file) => source(&file.source),
        Content::ToolCall(call) => call.arguments.len(),
        Content::Thinking(thinking) => thinking.text.len() + thinking.signature.as_ref().map_or(0, Text::len),
        Content::Other(other) => other.json.0.len(),
        Content::ToolResult(_) | Content::Audio { .. } => 0,
    }
}

fn write_members(request: &Request, quirks: &Quirks, members: &mut Members<'_>, cx: &mut Cx<'_>) {
    let params = &request.params;
    let settled = if cx.own { reasoning::own(request) } else { reasoning::foreign(request, quirks, cx) };
    members.text("model", &request.model);
    write_number("max_tokens", settled.max_tokens.as_ref(), members);
    write_stream(request, members, cx);
    turns::write(request, members, cx);
    let has_tools = tool::write_all(&request.tools, members, cx);
    if !has_tools && cx.has_mark(&request.extra, NO_TOOLS) {
        members.key("tools").array(|_| ());
    }
    tool::write_choice(request, has_tools, members, cx);
    settled.write_thinking(kept(request, "thinking", cx), members);
    write_output_config(request, &settled, quirks, members, cx);
    write_number("temperature", settled.temperature.as_ref(), members);
    write_number("top_p", settled.top_p.as_ref(), members);
    write_number("top_k", settled.top_k.as_ref(), members);
    write_stop(request, members, cx);
    write_metadata(request, members, cx);
    report_unsayable(params, cx);
    members.rest(&request.extra, cx, format_args!(""));
}

fn write_number(key: &'static str, number: Option<&Number>, members: &mut Members<'_>) {
    if let Some(number) = number {
        members.key(key).number(number);
    }
}

fn write_stream(request: &Request, members: &mut Members<'_>, cx: &Cx<'_>) {
    if request.stream {
        members.key("stream").bool(true);
    } else if cx.has_mark(&request.extra, UNSTREAMED) {
        members.key("stream").bool(false);
    }
}

/// What was kept of this object when the request was read, if the request is ours.
fn kept<'a>(request: &'a Request, key: &str, cx: &Cx<'_>) -> Option<&'a Json> {
    request.extra.get(key).filter(|kept| cx.own && !kept.is_null())
}

fn write_output_config(
    request: &Request,
    settled: &Settled,
    quirks: &Quirks,
    members: &mut Members<'_>,
    cx: &mut Cx<'_>,
) {
    let kept = kept(request, "output_config", cx);
    let schema = schema(request.params.format.as_ref(), quirks, cx);
    if kept.is_none() && settled.effort.is_none() && schema.is_none() {
        return;
    }
    object(members.key("output_config"), |members| {
        if let Some(effort) = &settled.effort {
            members.text("effort", effort);
        }
        if let Some(schema) = schema {
            members.key("format").object(|writer| {
                writer.key("type").str("json_schema");
                writer.key("schema").raw(schema);
            });
        }
        if let Some(kept) = kept {
            members.rest_of(kept);
        }
    });
}

/// The schema to ask for. Anthropic has no word for "some JSON object", and none for a schema's
/// description; its name is but a label.
fn schema<'a>(format: Option<&'a Format>, quirks: &Quirks, cx: &mut Cx<'_>) -> Option<&'a Json> {
    match format? {
        Format::Text => None,
        Format::JsonSchema { schema, description, .. } if cx.own || quirks.json_schema => {
            if description.is_some() {
                cx.left_out(format_args!("response_format.description"));
            }
            Some(schema)
        }
        Format::JsonObject | Format::JsonSchema { .. } => {
            cx.left_out(format_args!("response_format"));
            None
        }
    }
}

/// Anthropic refuses stop sequences that are empty or only white space.
fn write_stop(request: &Request, members: &mut Members<'_>, cx: &mut Cx<'_>) {
    let stop = &request.params.stop;
    let is_fine = |stop: &&Text| cx.own || !stop.as_str().trim().is_empty();
    let fine: Vec<_> = stop.iter().filter(is_fine).collect();
    if fine.len() < stop.len() {
        cx.add(format_args!("stop"), "those that are only white space are left out");
    }
    if !fine.is_empty() || cx.has_mark(&request.extra, NO_STOPS) {
        members.key("stop_sequences").array(|writer| fine.iter().for_each(|stop| writer.text(stop)));
    }
}

fn write_metadata(request: &Request, members: &mut Members<'_>, cx: &Cx<'_>) {
    let (user, kept) = (&request.params.user, kept(request, "metadata", cx));
    if user.is_none() && kept.is_none() {
        return;
    }
    object(members.key("metadata"), |members| {
        if let Some(user) = user {
            members.text("user_id", user);
        }
        if let Some(kept) = kept {
            members.rest_of(kept);
        }
    });
}

/// What Anthropic has no word for, where it was asked to make a difference.
fn report_unsayable(params: &Params, cx: &mut Cx<'_>) {
    let matters = |number: &Option<Number>, harmless: f64| number.as_ref().is_some_and(|n| n.as_f64() != harmless);
    let lost = [
        ("n", matters(&params.n, 1.0)),
        ("seed", params.seed.is_some()),
        ("presence_penalty", matters(&params.presence_penalty, 0.0)),
        ("frequency_penalty", matters(&params.frequency_penalty, 0.0)),
        ("logprobs", params.logprobs == Some(true)),
        ("top_logprobs", matters(&params.top_logprobs, 0.0)),
    ];
    for (name, is_lost) in lost {
        if is_lost {
            cx.left_out(format_args!("{name}"));
        }
    }
}
