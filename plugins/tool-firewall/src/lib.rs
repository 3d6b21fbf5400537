//! Lets a model call only the tools that are listed, with arguments by rule.
//!
//! A call is held until its arguments are whole; text goes on at once meanwhile only if it came before. One call that
//! is against the rules ends the answer: what the application would have done with the others nobody can say.

mod rule;

use std::collections::BTreeMap;
use std::rc::Rc;

use tidegate_plugin::json::{self, Value};
use tidegate_plugin::prelude::*;

use rule::{Rule, RuleConfig};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The tools that may be called, by name.
    tools: BTreeMap<String, ToolConfig>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToolConfig {
    /// What arguments must be like.
    #[serde(default)]
    arguments: BTreeMap<String, RuleConfig>,
    /// Whether arguments without a rule may be given.
    #[serde(default)]
    others: Others,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Others {
    #[default]
    Deny,
    Allow,
}

struct Tool {
    arguments: BTreeMap<String, Rule>,
    others: Others,
}

struct ToolFirewall {
    tools: Rc<BTreeMap<String, Tool>>,
}

impl Plugin for ToolFirewall {
    type Config = Config;

    fn about() -> About {
        about!("lets only listed tools be called, with arguments by rule").config::<Config>().needs("answer.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        let rule = |tool: &str, (argument, rule): (String, RuleConfig)| {
            let wrong = |reason| Failure::Config(format!("the rule for `{argument}` of `{tool}`: {reason}"));
            let rule = Rule::new(rule).map_err(wrong)?;
            Ok((argument, rule))
        };
        let tool = |(name, tool): (String, ToolConfig)| {
            let arguments =
                tool.arguments.into_iter().map(|entry| rule(&name, entry)).collect::<Result<_, Failure>>()?;
            Ok((name, Tool { arguments, others: tool.others }))
        };
        let tools = config.tools.into_iter().map(tool).collect::<Result<_, Failure>>()?;
        Ok(Self { tools: Rc::new(tools) })
    }
}

impl OnStream for ToolFirewall {
    type Session = Watch;

    fn open(&self, _cx: &Context, _request: &ChatRequest) -> Result<Watch, Failure> {
        Ok(Watch { tools: Rc::clone(&self.tools), calls: BTreeMap::new() })
    }
}

/// One answer.
struct Watch {
    tools: Rc<BTreeMap<String, Tool>>,
    /// Calls whose arguments are not whole yet, by choice and part.
    calls: BTreeMap<(u32, u32), Call>,
}

#[derive(Default)]
struct Call {
    tool: String,
    arguments: String,
}

impl Session for Watch {
    fn push(&mut self, batch: Vec<Delta>) -> Result<StreamOutcome, Failure> {
        for delta in batch {
            let part = (delta.choice, delta.part);
            match delta.piece {
                Piece::ToolCall(call) => {
                    self.calls.insert(part, Call { tool: call.name, arguments: call.arguments_json });
                }
                Piece::ToolArguments(more) => self.calls.entry(part).or_default().arguments.push_str(&more),
                Piece::End => {
                    let ended = self.calls.remove(&part);
                    if let Some(refusal) = ended.and_then(|call| self.refusal(&call)) {
                        return Ok(refused(&refusal));
                    }
                }
                Piece::Text(_) | Piece::Thinking(_) | Piece::Refusal(_) => {}
            }
        }
        Ok(if self.calls.is_empty() { StreamOutcome::pass() } else { StreamOutcome::hold() })
    }

    fn finish(&mut self, _usage: Option<Usage>) -> Result<StreamOutcome, Failure> {
        // Not every dialect says where a call ends.
        let calls = std::mem::take(&mut self.calls);
        let refusal = calls.values().find_map(|call| self.refusal(call));
        Ok(refusal.map_or_else(StreamOutcome::pass, |refusal| refused(&refusal)))
    }
}

impl Watch {
    /// Why a call may not be made.
    fn refusal(&self, call: &Call) -> Option<String> {
        let Some(tool) = self.tools.get(&call.tool) else { return Some("a tool that is not listed".into()) };
        let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        let Ok(Value::Object(arguments)) = json::from_str(arguments) else {
            return Some(format!("`{}` with arguments that are no JSON object", call.tool));
        };
        let unknown = arguments.keys().find(|name| !tool.arguments.contains_key(*name));
        if unknown.is_some() && tool.others == Others::Deny {
            return Some(format!("`{}` with an argument that is not listed", call.tool));
        }
        let broken = tool.arguments.iter().find(|(name, rule)| !rule.allows(arguments.get(*name)));
        broken.map(|(name, _)| format!("`{}` with a `{name}` that is not allowed", call.tool))
    }
}

fn refused(refusal: &str) -> StreamOutcome {
    let stopped = StreamOutcome::stop(403, "tool_denied", format!("the model wanted to call {refusal}"));
    stopped.finding(Finding::new("tool_denied", Severity::High))
}

tidegate_plugin::export!(ToolFirewall: stream);

#[cfg(test)]
mod tests {
    use tidegate_plugin::ToolCall;
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};

    use super::*;

    fn watch() -> Watch {
        let host = Host::new();
        let pay = json!({ "amount": { "at_most": 100 }, "to": { "matches": "^DE" }, "note": { "optional": true } });
        let config = json!({ "tools": { "pay": { "arguments": pay }, "look": { "others": "allow" } } });
        let plugin: ToolFirewall = host.plugin(config).unwrap();
        plugin.open(&host.context(), &ask("pay")).unwrap()
    }

    /// The verdict on a call whose arguments come in two batches.
    fn verdict(tool: &str, arguments: &str) -> StreamVerdict {
        let mut watch = watch();
        let delta = |piece| Delta { choice: 0, part: 1, piece };
        let call = ToolCall { id: "1".into(), name: tool.into(), arguments_json: String::new() };
        let (begun, rest) = arguments.split_at(arguments.len() / 2);
        let first = vec![delta(Piece::ToolCall(call)), delta(Piece::ToolArguments(begun.into()))];
        assert_eq!(watch.push(first).unwrap(), StreamOutcome::hold());
        watch.push(vec![delta(Piece::ToolArguments(rest.into())), delta(Piece::End)]).unwrap().verdict
    }

    fn message(verdict: StreamVerdict) -> String {
        match verdict {
            StreamVerdict::Stop(denial) => denial.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_within_the_rules_passes() {
        assert_eq!(verdict("pay", r#"{"amount": 100, "to": "DE12"}"#), StreamVerdict::Pass);
        assert_eq!(verdict("look", r#"{"anything": 1}"#), StreamVerdict::Pass);
        assert_eq!(verdict("look", ""), StreamVerdict::Pass);
    }

    #[test]
    fn a_call_against_the_rules_ends_the_answer() {
        assert!(message(verdict("pay", r#"{"amount": 101, "to": "DE12"}"#)).contains("`amount`"));
        assert!(message(verdict("pay", r#"{"amount": 1}"#)).contains("`to`"));
        assert!(message(verdict("pay", r#"{"amount": 1, "to": "DE", "x": 1}"#)).contains("not listed"));
        assert!(message(verdict("pay", r#"{"amount": "#)).contains("no JSON object"));
        assert!(message(verdict("rm", "{}")).contains("not listed"));
    }

    #[test]
    fn a_call_that_nobody_ended_is_judged_at_the_end() {
        let mut watch = watch();
        let call = ToolCall { id: "1".into(), name: "rm".into(), arguments_json: String::new() };
        watch.push(vec![Delta { choice: 0, part: 0, piece: Piece::ToolCall(call) }]).unwrap();
        assert!(matches!(watch.finish(None).unwrap().verdict, StreamVerdict::Stop(_)));
    }

    #[test]
    fn text_goes_on_at_once() {
        let text = Delta { choice: 0, part: 0, piece: Piece::Text("hello".into()) };
        assert_eq!(watch().push(vec![text]).unwrap(), StreamOutcome::pass());
    }
}
