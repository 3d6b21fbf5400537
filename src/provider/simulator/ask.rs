//! A request as the simulator sees it, whatever dialect it came in, and what is wrong with one.

use serde_json::Value;

use crate::provider::simulator::tokens;

/// What a model needs to know in order to answer.
#[derive(Debug, Default)]
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) streamed: bool,
    /// Whether a stream ends with its usage.
    pub(super) streams_usage: bool,
    /// The last text of the user's.
    pub(super) question: String,
    /// The results of tools that this request brings as its last news.
    pub(super) results: Vec<String>,
    pub(super) images: usize,
    pub(super) tools: Vec<Tool>,
    pub(super) choice: Choice,
    /// Whether more than one tool may be called at once.
    pub(super) parallel: bool,
    /// The schema of the answer, when it must be JSON.
    pub(super) shape: Option<Value>,
    pub(super) max_tokens: Option<u64>,
    pub(super) stops: Vec<String>,
    pub(super) reasons: bool,
    /// How many answers are wanted.
    pub(super) answers: u64,
    pub(super) prompt_tokens: u64,
}

#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) schema: Value,
}

#[derive(Debug, Default, PartialEq)]
pub(super) enum Choice {
    #[default]
    Auto,
    Never,
    Any,
    One(String),
}

/// Why a request is refused, in the words of no dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) param: Option<String>,
    pub(super) code: Option<&'static str>,
}

impl Complaint {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    /// A field that is absent.
    pub(super) fn missing(param: &str) -> Self {
        Self { code: Some("missing_required_parameter"), ..Self::wrong(param, "field required") }
    }

    /// A field that is there and cannot be used.
    pub(super) fn wrong(param: &str, why: &str) -> Self {
        let message = format!("{param}: {why}");
        Self { param: Some(param.into()), code: Some("invalid_value"), ..Self::new(400, message) }
    }

    pub(super) fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
}

impl Ask {
    pub(super) fn charge(&mut self, text: &str) {
        self.prompt_tokens += tokens::count(text);
    }

    pub(super) fn see_image(&mut self) {
        self.images += 1;
        self.prompt_tokens += tokens::PER_IMAGE;
    }

    /// Takes the tools of a request, each found by `read`.
    pub(super) fn take_tools(&mut self, body: &Value, read: impl Fn(&Value) -> Option<Tool>) -> Result<(), Complaint> {
        for (n, tool) in items(body, "tools").iter().enumerate() {
            self.charge(&tool.to_string());
            let known = read(tool).ok_or_else(|| Complaint::missing(&format!("tools[{n}].name")))?;
            self.tools.push(known);
        }
        if let Choice::One(name) = &self.choice
            && !self.tools.iter().any(|tool| tool.name == *name)
        {
            return Err(Complaint::wrong("tool_choice", &format!("`{name}` is not among the tools")));
        }
        if self.choice == Choice::Any && self.tools.is_empty() {
            return Err(Complaint::wrong("tool_choice", "there are no tools to choose from"));
        }
        Ok(())
    }
}

/// The body's model, without which no provider answers.
pub(super) fn model(body: &Value) -> Result<String, Complaint> {
    let name = string(body, "model").filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| Complaint::missing("model"))
}

/// The body's messages: at least one.
pub(super) fn messages(body: &Value) -> Result<&[Value], Complaint> {
    match body.get("messages") {
        None | Some(Value::Null) => Err(Complaint::missing("messages")),
        Some(Value::Array(messages)) if !messages.is_empty() => Ok(messages),
        Some(_) => Err(Complaint::wrong("messages", "at least one message is required")),
    }
}

/// A limit of at least one token.
pub(super) fn limit(body: &Value, param: &str) -> Result<Option<u64>, Complaint> {
    match body.get(param) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(limit) if limit > 0 => Ok(Some(limit)),
            _ => Err(Complaint::wrong(param, "a whole number of at least 1 is required")),
        },
    }
}

pub(super) fn string<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    value.get(member)?.as_str()
}

pub(super) fn items<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn is_true(value: &Value, member: &str) -> bool {
    value.get(member).and_then(Value::as_bool).unwrap_or(false)
}

/// One string or several.
pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
