//! Requests: what is read from them, and those of other dialects as they are written.

use serde_json::json;

use super::*;
use crate::base::ids::DialectId;
use crate::base::json::{Json, Number};
use crate::chat::{
    Content, File, Format, Image, Losses, Message, Other, Part, Reasoning, Request, Role, Source, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult,
};
use crate::dialect::Quirks;

/// A request of some other dialect.
fn foreign(messages: Vec<Message>) -> Request {
    Request { messages, ..Request::new(DialectId("other"), "claude") }
}

fn say(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

fn call(id: &str, arguments: &str) -> Part {
    Part::new(Content::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: arguments.into() }))
}

fn result(id: &str, text: &str) -> Message {
    let result = ToolResult { call_id: id.into(), parts: vec![Part::text(text)], is_error: None };
    Message::new(Role::Tool, vec![Part::new(Content::ToolResult(result))])
}

fn function(name: &str, parameters: Option<&str>) -> Tool {
    Tool::Function {
        name: name.into(),
        description: None,
        parameters: parameters.map(|schema| Json(schema.into())),
        strict: None,
        cache: None,
        extra: Default::default(),
    }
}

fn write_with(request: &Request, quirks: &Quirks) -> (Value, Vec<String>) {
    let mut losses = Losses::default();
    let written = DIALECT.write_request(request, quirks, &mut losses);
    (json(&written), losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead)).collect())
}

fn write(request: &Request) -> (Value, Vec<String>) {
    write_with(request, &Quirks::default())
}

fn read(name: &str) -> Request {
    DIALECT.read_request(&body(fixture(name))).unwrap()
}

#[test]
fn the_canonical_form_of_a_request_with_tools() {
    let request = read("request-tools.json");
    assert_eq!(
        request.messages.iter().map(|message| message.role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::User]
    );
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("get_weather".into())));
    assert_eq!(request.params.parallel_tools, Some(false));
    assert!(matches!(&request.tools[2], Tool::Other { kind, .. } if kind == "web_search_20250305"));
    let Content::ToolCall(call) = &request.messages[1].parts[1].content else { panic!() };
    assert_eq!(json(call.arguments.as_str().as_bytes())["place"], "Oslo");
    assert!(request.params.wants_usage);
}

#[test]
fn a_message_of_nothing_but_tool_results_is_a_tools() {
    assert_eq!(read("request-tool-choice.json").messages[2].role, Role::Tool);
}

#[test]
fn thinking_effort_and_format_are_read_and_what_more_there_is_stays() {
    let request = read("request-adaptive.json");
    let reasoning = Reasoning { enabled: None, effort: Some("high".into()), budget: None };
    assert_eq!(request.params.reasoning, Some(reasoning));
    assert!(matches!(request.params.format, Some(Format::JsonSchema { .. })));
    assert_eq!(
        json(request.extra.get("output_config").unwrap().0.as_bytes()),
        json!({"task_budget": {"type": "tokens", "total": 20000}})
    );
    let request = read("request-thinking.json");
    assert_eq!(request.params.reasoning.as_ref().and_then(|r| r.enabled), Some(true));
    assert!(request.extra.is_empty());
}

#[test]
fn what_goes_without_saying_is_kept_but_is_nothing_to_lose() {
    let request = read("request-empty-lists.json");
    assert_eq!(request.extra.telling().count(), 0);
    let request = read("request-tools.json");
    let Tool::Function { extra, .. } = &request.tools[0] else { panic!() };
    assert_eq!(extra.telling().collect::<Vec<_>>(), ["input_examples"]);
    assert_eq!(request.messages[1].parts[1].extra.telling().count(), 0);
}

#[test]
fn an_edit_of_a_known_field_wins_over_what_was_kept() {
    let mut request = read("request-nulls.json");
    request.params.temperature = Some(Number::from(0.5));
    request.params.user = Some("u".into());
    request.stream = true;
    let (written, _) = write(&request);
    assert_eq!((&written["temperature"], &written["metadata"]["user_id"]), (&json!(0.5), &json!("u")));
    assert_eq!(written["stream"], true);
    let mut request = read("request-agent.json");
    request.params.user = None;
    assert_eq!(write(&request).0["metadata"], json!({"team": "blue"}));
}

#[test]
fn a_fault_names_its_field() {
    let wrong = |text: &str| DIALECT.read_request(&body(text)).unwrap_err().to_string();
    assert_eq!(wrong(r#"{"model":"m"}"#), "`messages`: is missing");
    assert_eq!(
        wrong(r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":5}]}]}"#),
        "`messages[0].content[0].text`: expected a string, found a number"
    );
    assert_eq!(
        wrong(r#"{"model":"m","messages":[{"role":"tool","content":""}]}"#),
        "`messages[0].role`: expected `user`, `assistant` or `system`, found `tool`"
    );
    assert_eq!(wrong("[]"), "expected an object, found an array");
}

#[test]
fn instructions_lead_and_later_ones_become_the_users() {
    let request = foreign(vec![
        say(Role::System, "be kind"),
        say(Role::Developer, "be brief"),
        say(Role::User, "hello"),
        say(Role::Assistant, "hi"),
        say(Role::System, "in French"),
        say(Role::User, "bye"),
    ]);
    let (written, losses) = write(&request);
    insta::assert_snapshot!(written, @r#"{"model":"claude","max_tokens":4096,"system":[{"type":"text","text":"be kind"},{"type":"text","text":"be brief"}],"messages":[{"role":"user","content":"hello"},{"role":"assistant","content":"hi"},{"role":"user","content":[{"type":"text","text":"in French"},{"type":"text","text":"bye"}]}]}"#);
    assert_eq!(losses, ["messages[4].role: instructions among the turns are sent as the user's"]);
}

#[test]
fn results_and_what_the_user_says_next_are_one_turn_with_the_results_first() {
    let request = foreign(vec![
        say(Role::User, "go"),
        Message::new(Role::Assistant, vec![Part::text(""), call("call:1", "{\"a\":1}"), call("b", "")]),
        say(Role::User, "wait"),
        result("call:1", "one"),
        result("b", ""),
        say(Role::User, "and?"),
        Message::new(Role::Assistant, Vec::new()),
        say(Role::User, "well?"),
    ]);
    let (written, losses) = write(&request);
    insta::assert_snapshot!(serde_json::to_string_pretty(&written["messages"]).unwrap(), @r#"
    [
      {
        "role": "user",
        "content": "go"
      },
      {
        "role": "assistant",
        "content": [
          {
            "type": "tool_use",
            "id": "call_3a1",
            "name": "f",
            "input": {
              "a": 1
            }
          },
          {
            "type": "tool_use",
            "id": "b",
            "name": "f",
            "input": {}
          }
        ]
      },
      {
        "role": "user",
        "content": [
          {
            "type": "tool_result",
            "tool_use_id": "call_3a1",
            "content": "one"
          },
          {
            "type": "tool_result",
            "tool_use_id": "b"
          },
          {
            "type": "text",
            "text": "wait"
          },
          {
            "type": "text",
            "text": "and?"
          },
          {
            "type": "text",
            "text": "well?"
          }
        ]
      }
    ]
    "#);
    assert_eq!(losses, [""; 0]);
}

#[test]
fn arguments_that_are_no_object_are_wrapped_and_reported() {
    let request = foreign(vec![Message::new(Role::Assistant, vec![call("a", "{\"x\":"), call("b", "[1]")])]);
    let (written, losses) = write(&request);
    assert_eq!(written["messages"][0]["content"][0]["input"], json!({"arguments": "{\"x\":"}));
    assert_eq!(written["messages"][0]["content"][1]["input"], json!({"arguments": "[1]"}));
    assert_eq!(losses, ["messages[0].arguments: not a JSON object, sent as its member `arguments`"]);
}

#[test]
fn what_has_no_word_is_left_out_and_named() {
    let mut request = foreign(vec![Message::new(
        Role::User,
        vec![
            Part::text("look"),
            Part::new(Content::Audio { data: "AAAA".into(), format: "wav".into() }),
            Part::new(Content::Image(Image { source: Source::Uploaded("file-1".into()), detail: None })),
            Part::new(Content::Other(Other { kind: "video".into(), json: Json("{}".into()) })),
            Part::new(Content::Thinking(Thinking { text: "hm".into(), ..Thinking::default() })),
        ],
    )]);
    request.messages[0].name = Some("Ann".into());
    request.messages[0].extra.put("weight", Json("1".into()));
    request.extra.put("logit_bias", Json("{}".into()));
    request.extra.put("store", Json("null".into()));
    request.params.n = Some(Number::from(2));
    request.params.seed = Some(Number::from(1));
    request.params.presence_penalty = Some(Number::from(0.0));
    request.params.frequency_penalty = Some(Number::from(0.5));
    request.params.logprobs = Some(true);
    request.params.top_logprobs = Some(Number::from(3));
    request.params.temperature = Some(Number::from(1.7));
    request.params.stop = vec!["END".into(), " \n".into()];
    request.params.format = Some(Format::JsonObject);
    request.tools = vec![Tool::Other { kind: "grammar".into(), json: Json("{}".into()) }];
    request.tool_choice = Some(ToolChoice::Required);
    let (written, losses) = write(&request);
    insta::assert_snapshot!(written, @r#"{"model":"claude","max_tokens":4096,"messages":[{"role":"user","content":"look"}],"temperature":1,"stop_sequences":["END"]}"#);
    insta::assert_snapshot!(losses.join("\n"), @"
    temperature: 1 is the highest
    messages[0].weight: left out
    messages[0].name: left out
    messages[0].audio: left out
    messages[0].image: left out
    messages[0].video: left out
    messages[0].thinking: left out
    tools[0]: left out
    tool_choice: left out
    response_format: left out
    stop: those that are only white space are left out
    n: left out
    seed: left out
    frequency_penalty: left out
    logprobs: left out
    top_logprobs: left out
    logit_bias: left out
    ");
}

#[test]
fn images_and_files_find_their_sources() {
    let image = |url: &str| Part::new(Content::Image(Image { source: Source::Url(url.into()), detail: None }));
    let file = |media_type: &str, data: &str| {
        let source = Source::Data { media_type: media_type.into(), data: data.into() };
        Part::new(Content::File(File { source, name: Some("f".into()) }))
    };
    let mut cached = image("https://example.org/a.png");
    cached.cache = Some(Json("{\"type\":\"ephemeral\"}".into()));
    let parts = vec![
        image("data:image/png;base64,AAAA"),
        cached,
        file("application/pdf", "JVBERi0="),
        file("text/plain", "Z3Jhc3M="),
    ];
    let (written, losses) = write(&foreign(vec![Message::new(Role::User, parts)]));
    assert_eq!(
        written["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}, "cache_control": {"type": "ephemeral"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "f"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "grass"}, "title": "f"},
        ])
    );
    assert_eq!(losses, [""; 0]);
}

#[test]
fn tools_have_schemas_of_objects_and_parallel_calls_are_forbidden_inside_the_choice() {
    let mut request = foreign(vec![say(Role::User, "go")]);
    request.tools =
        vec![function("a", None), function("b", Some("{}")), function("c", Some("{\"type\":\"object\",\"x\":1}"))];
    request.params.parallel_tools = Some(false);
    let (written, losses) = write(&request);
    assert_eq!(written["tools"][0]["input_schema"], json!({"type": "object", "properties": {}}));
    assert_eq!(written["tools"][1]["input_schema"], json!({"type": "object"}));
    assert_eq!(written["tools"][2]["input_schema"], json!({"type": "object", "x": 1}));
    assert_eq!(written["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    request.tool_choice = Some(ToolChoice::Required);
    assert_eq!(write(&request).0["tool_choice"], json!({"type": "any", "disable_parallel_tool_use": true}));
    request.tool_choice = Some(ToolChoice::Named("a".into()));
    request.params.parallel_tools = Some(true);
    assert_eq!(write(&request).0["tool_choice"], json!({"type": "tool", "name": "a"}));
    assert_eq!(losses, [""; 0]);
}

fn reasoning(enabled: Option<bool>, effort: Option<&str>, budget: Option<u64>) -> Request {
    let mut request = foreign(vec![say(Role::User, "think")]);
    let effort = effort.map(Into::into);
    request.params.reasoning = Some(Reasoning { enabled, effort, budget: budget.map(Number::from) });
    request
}

#[test]
fn reasoning_becomes_thinking_and_effort() {
    let told = |request: &Request| {
        let (written, losses) = write(request);
        (written["thinking"].clone(), written["output_config"].clone(), written["max_tokens"].clone(), losses.len())
    };
    let none = Value::Null;
    assert_eq!(told(&reasoning(None, Some("high"), None)), (none.clone(), json!({"effort": "high"}), json!(4096), 0));
    assert_eq!(told(&reasoning(None, Some("minimal"), None)), (none.clone(), json!({"effort": "low"}), json!(4096), 1));
    assert_eq!(told(&reasoning(None, Some("none"), None)), (json!({"type": "disabled"}), none.clone(), json!(4096), 0));
    assert_eq!(told(&reasoning(Some(false), None, None)), (json!({"type": "disabled"}), none.clone(), json!(4096), 0));
    assert_eq!(told(&reasoning(Some(true), None, None)), (json!({"type": "adaptive"}), none.clone(), json!(4096), 0));
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    assert_eq!(told(&reasoning(Some(true), None, Some(5000))), (budget(5000), none.clone(), json!(9096), 0));
    assert_eq!(told(&reasoning(Some(true), None, Some(5))), (budget(1024), none.clone(), json!(5120), 1));
    let mut limited = reasoning(Some(true), None, Some(5000));
    limited.params.max_tokens = Some(Number::from(2000));
    assert_eq!(told(&limited), (budget(1999), none.clone(), json!(2000), 1));
    limited.params.max_tokens = Some(Number::from(1000));
    assert_eq!(told(&limited), (none.clone(), none, json!(1000), 1));
}

#[test]
fn what_anthropic_forbids_beside_thinking_gives_way() {
    let mut request = reasoning(Some(true), None, Some(2000));
    request.params.temperature = Some(Number::from(0.3));
    request.params.top_k = Some(Number::from(5));
    request.params.top_p = Some(Number::from(0.5));
    let (written, losses) = write(&request);
    assert!(written["temperature"].is_null() && written["top_k"].is_null() && written["top_p"].is_null());
    assert_eq!(losses, ["temperature: left out", "top_k: left out", "top_p: left out"]);
    request.tools = vec![function("f", None)];
    request.tool_choice = Some(ToolChoice::Required);
    let (written, losses) = write(&request);
    assert!(written["thinking"].is_null() && written["temperature"] == 0.3);
    assert_eq!(losses, ["thinking: left out: a tool is forced"]);
}

#[test]
fn thinking_by_budget_does_not_go_on_with_unsigned_calls() {
    let mut request = reasoning(Some(true), None, Some(2000));
    request.messages.push(Message::new(Role::Assistant, vec![call("a", "{}")]));
    assert!(!write(&request).0["thinking"].is_null());
    request.messages.push(result("a", "x"));
    assert!(write(&request).0["thinking"].is_null());
    let thinking = Thinking { text: "hm".into(), signature: Some("Eq".into()), sealed: None };
    request.messages[1].parts.insert(0, Part::new(Content::Thinking(thinking)));
    assert!(!write(&request).0["thinking"].is_null());
}

#[test]
fn schemas_are_sent_where_the_target_takes_them() {
    let mut request = foreign(vec![say(Role::User, "go")]);
    let schema = Json("{\"type\":\"object\"}".into());
    request.params.format =
        Some(Format::JsonSchema { name: Some("n".into()), description: None, schema, strict: Some(true) });
    request.params.user = Some("u-1".into());
    let (written, losses) = write(&request);
    assert_eq!(written["output_config"], json!({"format": {"type": "json_schema", "schema": {"type": "object"}}}));
    assert_eq!(written["metadata"], json!({"user_id": "u-1"}));
    assert_eq!(losses, [""; 0]);
    let (written, losses) = write_with(&request, &Quirks { json_schema: false, ..Quirks::default() });
    assert!(written["output_config"].is_null());
    assert_eq!(losses, ["response_format: left out"]);
}

#[test]
fn a_schema_that_is_no_object_is_left_to_anthropic_to_judge() {
    let text = r#"{"model":"m","messages":[],"tools":[{"name":"f","input_schema":"object"}]}"#;
    let request = DIALECT.read_request(&body(text)).unwrap();
    let written = DIALECT.write_request(&request, &Quirks::default(), &mut Losses::default());
    assert_eq!(json(&written), json(text.as_bytes()));
}
