//! What a plugin may well do.

use crate::tidegate::plugin::types::{
    ChatRequest, ChatResponse, Context, Denial, Edit, Failure, Finding, Message, Outcome, Part, Place, Reply, Role,
    Severity, Span, Tag, Verdict,
};
use crate::tidegate::plugin::{blobs, clock, http, kv, log, metrics, model, random, secrets};
use crate::{Act, pass};

/// `None` if it is nothing good.
pub fn request(act: &Act, context: &Context, request: &ChatRequest) -> Option<Result<Outcome, Failure>> {
    let edits = |edits| Some(Ok(Outcome { edits, ..pass() }));
    match act.name.as_str() {
        "pass" => Some(Ok(pass())),
        // Each `text` becomes asterisks, by its place.
        "mask" => edits(masks(request, &act.text)),
        "set" => edits(vec![Edit::SetText((Place { message: 0, part: 0 }, act.text.clone()))]),
        "deny" => Some(Ok(Outcome { verdict: Verdict::Deny(denial(&act.text)), ..pass() })),
        "respond" => {
            let reply = Reply { parts: vec![Part::Text(act.text.clone())], finish_reason: "stop".into() };
            Some(Ok(Outcome { verdict: Verdict::Respond(reply), ..pass() }))
        }
        "model" => edits(vec![Edit::SetModel(act.text.clone())]),
        "params" => edits(vec![Edit::MergeParams(act.text.clone())]),
        "header" => edits(vec![Edit::SetHeader(Tag { key: "x-probe".into(), value: act.text.clone() })]),
        "insert" => {
            let parts = vec![Part::Text(act.text.clone())];
            edits(vec![Edit::InsertMessage((0, Message { role: Role::System, name: None, parts }))])
        }
        "remove" => edits(vec![Edit::RemoveMessage(0)]),
        "tag" => {
            let tags = vec![Tag { key: "probe".into(), value: act.text.clone() }];
            Some(Ok(Outcome { tags, findings: found(), ..pass() }))
        }
        // What it sees, as JSON.
        "show" => say(&show(context, request)),
        "ask" => say(&ask(&act.text)),
        "fetch" => say(&fetch(&act.text, act.number)),
        "keep" => say(&keep(&act.text)),
        "sign" => say(&sign(&act.text)),
        "time" => say(&(clock::unix_ms() / 1_000).to_string()),
        "random" => say(&random::bytes(16).len().to_string()),
        "count" => {
            metrics::add(&act.text, "a label", 2);
            log::write(log::Level::Info, "counted");
            Some(Ok(pass()))
        }
        "blob" => say(&format!("{:?}", blobs::read(0, 1, 3))),
        // A number that an instance keeps from one call to the next.
        "nth" => say(&nth().to_string()),
        _ => None,
    }
}

/// `None` if it is nothing good.
pub fn response(act: &Act, request: &ChatRequest, response: &ChatResponse) -> Option<Result<Outcome, Failure>> {
    match act.name.as_str() {
        "pass" => Some(Ok(pass())),
        "upper" => {
            let choices = response.choices.iter().zip(0..);
            let edits = choices.flat_map(|(choice, message)| {
                choice.parts.iter().zip(0..).filter_map(move |(part, number)| match part {
                    Part::Text(text) => Some(Edit::SetText((Place { message, part: number }, text.to_uppercase()))),
                    _ => None,
                })
            });
            Some(Ok(Outcome { edits: edits.collect(), findings: found(), ..pass() }))
        }
        "deny" => Some(Ok(Outcome { verdict: Verdict::Deny(denial(&act.text)), ..pass() })),
        "instead" => say(&act.text),
        "ask" => say(&ask(&act.text)),
        // Whether it sees both sides.
        "show" => say(&format!("{} {} {}", request.messages.len(), response.choices.len(), response.streaming)),
        _ => None,
    }
}

fn masks(request: &ChatRequest, text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (message, at) in request.messages.iter().zip(0..) {
        for (part, number) in message.parts.iter().zip(0..) {
            let said = match part {
                Part::Text(said) => said,
                Part::ToolResult(result) => &result.text,
                Part::ToolCall(call) => &call.arguments_json,
                _ => continue,
            };
            for (start, found) in said.match_indices(text) {
                let at = Place { message: at, part: number };
                let span = Span { at, start: start as u32, end: (start + found.len()) as u32 };
                edits.push(Edit::Replace((span, "*".repeat(found.chars().count()))));
            }
        }
    }
    edits
}

fn show(context: &Context, request: &ChatRequest) -> String {
    let texts: Vec<_> = request.messages.iter().flat_map(|message| &message.parts).map(|part| format!("{part:?}")).collect();
    serde_json::json!({
        "policy": context.policy, "dialect": context.dialect, "claims": context.claims_json,
        "headers": context.headers.iter().map(|tag| format!("{}: {}", tag.key, tag.value)).collect::<Vec<_>>(),
        "tags": context.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect::<Vec<_>>(),
        "texts": texts, "tools": request.tools.len(), "model": request.model, "params": request.params_json,
    })
    .to_string()
}

fn ask(name: &str) -> String {
    let message = Message { role: Role::User, name: None, parts: vec![Part::Text("who are you".into())] };
    let ask =
        model::Ask { model: name.into(), messages: vec![message], params_json: r#"{"max_tokens":9}"#.into(), timeout_ms: 5_000 };
    match model::complete(&ask) {
        Ok(answer) => format!("{}/{}", answer.text, answer.usage.map_or(0, |usage| usage.output_tokens)),
        Err(error) => format!("{error:?}"),
    }
}

fn fetch(url: &str, timeout_ms: u64) -> String {
    let request = http::Request {
        method: "POST".into(),
        url: url.into(),
        headers: vec![("x-from".into(), "probe".into())],
        body: b"ping".to_vec(),
        timeout_ms: if timeout_ms == 0 { 5_000 } else { timeout_ms as u32 },
    };
    match http::send(&request) {
        Ok(response) => format!("{} {}", response.status, String::from_utf8_lossy(&response.body)),
        Err(error) => format!("{error:?}"),
    }
}

/// `set k v`, `get k`, `add k`
fn keep(what: &str) -> String {
    let mut words = what.split(' ');
    let (what, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match what {
        "set" => format!("{:?}", kv::set(key, words.next().unwrap_or_default().as_bytes(), None)),
        "add" => format!("{:?}", kv::add(key, 1, None)),
        _ => match kv::get(key) {
            Ok(found) => found.map_or("nothing".into(), |found| String::from_utf8_lossy(&found).into_owned()),
            Err(error) => format!("{error:?}"),
        },
    }
}

fn sign(name: &str) -> String {
    let mac = secrets::hmac_sha256(name, b"data").map(|mac| mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    format!("{mac:?} {:?}", secrets::reveal(name))
}

fn nth() -> u64 {
    thread_local! {
        static CALLS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    CALLS.set(CALLS.get() + 1);
    CALLS.get()
}

fn say(text: &str) -> Option<Result<Outcome, Failure>> {
    let reply = Reply { parts: vec![Part::Text(text.into())], finish_reason: "stop".into() };
    Some(Ok(Outcome { verdict: Verdict::Respond(reply), ..pass() }))
}

pub fn denial(message: &str) -> Denial {
    Denial { status: 422, code: "probe_denied".into(), message: message.into(), retry_after_ms: None }
}

fn found() -> Vec<Finding> {
    let span = Span { at: Place { message: 0, part: 0 }, start: 1, end: 3 };
    vec![Finding { kind: "odd".into(), severity: Severity::Low, score: 0.5, at: Some(span) }]
}
