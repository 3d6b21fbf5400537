//! What the simulated model says: a function of the request and nothing else.
//!
//! In this order: results of tools are quoted; a tool that is forced or named in the question is called;
//! an answer that must be JSON is the smallest instance of its schema; anything else is told in a friendly
//! sentence that quotes the beginning of the question.
//!
//! A stop sequence and the limit of tokens cut the text (a call is never cut); reasoning counts.

use serde_json::Value;

use crate::provider::simulator::ask::{Ask, Choice, Tool};
use crate::provider::simulator::{schema, tokens};

/// How much of a question or a result is quoted.
const QUOTED: usize = 200;

#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub(super) reasoning: String,
    pub(super) text: String,
    pub(super) calls: Vec<Called>,
    pub(super) finish: Finish,
    /// Of the answer, reasoning and calls included.
    pub(super) tokens: u64,
}

#[derive(Debug, PartialEq)]
pub(super) struct Called {
    pub(super) name: String,
    /// The arguments as JSON.
    pub(super) arguments: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Done,
    Length,
    /// The stop sequence that was met.
    Stop(String),
    Calls,
}

/// The answer; `fixed` is the text it must be, when a script says so.
pub(super) fn answer(ask: &Ask, fixed: Option<&str>) -> Said {
    let reasoning = if ask.reasons { format!("The user says: {}", quoted(&ask.question)) } else { String::new() };
    let calls = if fixed.is_none() && ask.results.is_empty() { calls(ask) } else { Vec::new() };
    if !calls.is_empty() {
        let spent: u64 = calls.iter().map(|call| tokens::count(&call.name) + tokens::count(&call.arguments)).sum();
        let tokens = spent + tokens::count(&reasoning);
        return Said { reasoning, text: String::new(), calls, finish: Finish::Calls, tokens };
    }
    let text = fixed.map_or_else(|| told(ask), str::to_owned);
    cut(ask, reasoning, text)
}

fn calls(ask: &Ask) -> Vec<Called> {
    let question = ask.question.to_lowercase();
    let is_named = |tool: &&Tool| {
        let name = tool.name.to_lowercase();
        question.contains(&name) || question.contains(&name.replace(['_', '-'], " "))
    };
    let named = || ask.tools.iter().filter(is_named);
    let mut wanted: Vec<&Tool> = match &ask.choice {
        Choice::Never => Vec::new(),
        Choice::Auto => named().collect(),
        Choice::Any if named().next().is_some() => named().collect(),
        Choice::Any => ask.tools.iter().take(1).collect(),
        Choice::One(name) => ask.tools.iter().filter(|tool| tool.name == *name).collect(),
    };
    if !ask.parallel {
        wanted.truncate(1);
    }
    let call = |tool: &Tool| Called { name: tool.name.clone(), arguments: arguments(&tool.schema) };
    wanted.into_iter().map(call).collect()
}

fn arguments(schema: &Value) -> String {
    match schema::instance(schema) {
        object @ Value::Object(_) => object.to_string(),
        // A tool without parameters may have any schema, or none.
        _ => "{}".into(),
    }
}

fn told(ask: &Ask) -> String {
    if !ask.results.is_empty() {
        return format!("The tool says: {}", quoted(&ask.results.join("; ")));
    }
    if let Some(shape) = &ask.shape {
        return schema::instance(shape).to_string();
    }
    let seen = match ask.images {
        0 => String::new(),
        1 => " I can see an image.".into(),
        many => format!(" I can see {many} images."),
    };
    format!("Hello from the simulator.{seen} You said: {}", quoted(&ask.question))
}

fn cut(ask: &Ask, mut reasoning: String, mut text: String) -> Said {
    let mut finish = Finish::Done;
    let stops = ask.stops.iter().filter(|stop| !stop.is_empty());
    if let Some((at, stop)) = stops.filter_map(|stop| Some((text.find(stop)?, stop))).min_by_key(|(at, _)| *at) {
        text.truncate(at);
        finish = Finish::Stop(stop.clone());
    }
    let limit = ask.max_tokens.unwrap_or(u64::MAX);
    if tokens::count(&reasoning) + tokens::count(&text) > limit {
        finish = Finish::Length;
        reasoning.truncate(tokens::first(&reasoning, limit).len());
        text.truncate(tokens::first(&text, limit - tokens::count(&reasoning)).len());
    }
    let tokens = tokens::count(&reasoning) + tokens::count(&text);
    Said { reasoning, text, calls: Vec::new(), finish, tokens }
}

fn quoted(text: &str) -> String {
    let (start, rest) = text.split_at(tokens::end(text, QUOTED));
    if rest.is_empty() { start.to_owned() } else { format!("{start}…") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(question: &str) -> Ask {
        let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
        let tools = ["get_weather", "book"].map(|name| Tool { name: name.into(), schema: schema.clone() });
        Ask { question: question.into(), tools: tools.into(), parallel: true, answers: 1, ..Ask::default() }
    }

    fn called(ask: &Ask) -> Vec<String> {
        answer(ask, None).calls.into_iter().map(|call| format!("{}{}", call.name, call.arguments)).collect()
    }

    #[test]
    fn a_plain_question_is_quoted() {
        let said = answer(&ask("hi"), None);
        assert_eq!((said.text.as_str(), said.finish), ("Hello from the simulator. You said: hi", Finish::Done));
        assert_eq!(said.tokens, 10);
    }

    #[test]
    fn a_tool_named_in_the_question_is_called() {
        assert_eq!(called(&ask("please Get Weather for me")), [r#"get_weather{"city":"sim"}"#]);
        assert_eq!(called(&ask("get_weather, then book")).len(), 2);
        assert_eq!(called(&Ask { parallel: false, ..ask("get_weather, then book") }).len(), 1);
        assert!(called(&Ask { choice: Choice::Never, ..ask("get_weather") }).is_empty());
    }

    #[test]
    fn a_forced_tool_is_called_unless_its_result_is_there() {
        let forced = |name: &str| Ask { choice: Choice::One(name.into()), ..ask("hi") };
        assert_eq!(called(&forced("book")), [r#"book{"city":"sim"}"#]);
        assert_eq!(called(&Ask { choice: Choice::Any, ..ask("hi") }).len(), 1);
        let after = Ask { results: vec!["12 degrees".into()], ..forced("book") };
        assert_eq!(answer(&after, None).text, "The tool says: 12 degrees");
    }

    #[test]
    fn an_answer_that_must_be_json_is_an_instance_of_its_schema() {
        let shape = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
        assert_eq!(answer(&Ask { shape: Some(shape), ..ask("hi") }, None).text, r#"{"n":1}"#);
    }

    #[test]
    fn the_limit_of_tokens_cuts_and_says_so() {
        let said = answer(&Ask { max_tokens: Some(3), ..ask("hi") }, None);
        assert_eq!((said.text.as_str(), said.finish, said.tokens), ("Hello from t", Finish::Length, 3));
        let said = answer(&Ask { max_tokens: Some(2), reasons: true, ..ask("hi") }, None);
        assert_eq!((said.reasoning.as_str(), said.text.as_str(), said.tokens), ("The user", "", 2));
    }

    #[test]
    fn the_first_stop_sequence_cuts_and_is_named() {
        let said = answer(&Ask { stops: vec!["said".into(), "sim".into(), String::new()], ..ask("hi") }, None);
        assert_eq!((said.text.as_str(), said.finish), ("Hello from the ", Finish::Stop("sim".into())));
    }

    #[test]
    fn a_fixed_text_is_said_whatever_is_asked() {
        assert_eq!(answer(&ask("get_weather"), Some("no")).text, "no");
    }
}
