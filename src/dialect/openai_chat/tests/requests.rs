//! Requests: what is understood, what is edited, what is translated.

use serde_json::json;

use super::*;
use crate::base::json::{Json, Number};
use crate::base::text::Text;
use crate::chat::{
    Content, File, Format, Image, Message, Other, Part, Reasoning, Role, Source, Thinking, Tool, ToolCall, ToolChoice,
    ToolResult,
};

/// An easy target of another family: nothing special is understood.
const PLAIN: Quirks = Quirks {
    max_completion_tokens: false,
    stream_options: true,
    developer_role: false,
    json_schema: true,
    default_max_tokens: 4096,
};

fn elsewhere(messages: Vec<Message>) -> Request {
    let mut request = Request::new(DialectId("elsewhere"), "m");
    request.messages = messages;
    request
}

fn translated(request: &Request, quirks: &Quirks) -> (Value, Vec<String>) {
    let mut losses = Losses::default();
    let written = OpenAiChat.write_request(request, quirks, &mut losses);
    (value(written), losses_of(&losses))
}

#[test]
fn the_parts_of_messages_are_understood() {
    let request = request(&fixture("request-parts.json"));
    let user = &request.messages[1].parts;
    assert_eq!(user[0].content, Content::Text("look".into()));
    let Content::Image(image) = &user[1].content else { panic!("not an image") };
    assert_eq!(image.source, Source::Url("https://example.org/a.png".into()));
    assert_eq!(image.detail, Some("low".into()));
    assert!(
        matches!(&user[3].content, Content::Image(image) if image.source == Source::Url("https://example.org/late.png".into()))
    );
    assert!(matches!(&user[5].content, Content::Audio { format, .. } if *format == "wav"));
    assert!(matches!(&user[6].content, Content::File(file) if file.source == Source::Uploaded("file-abc".into())));
    assert!(matches!(&user[8].content, Content::File(file) if file.source.inline().unwrap().1 == "JVBERi0="));
    assert!(matches!(&user[11].content, Content::Other(other) if other.kind == "video_url"));
    assert!(user[12..].iter().all(|part| matches!(part.content, Content::Text(_))));
    assert!(request.messages[0].parts[0].cache.is_some());
    assert!(matches!(&request.messages[3].parts[0].content, Content::Refusal(text) if *text == "no"));
}

#[test]
fn tool_calls_and_their_results_are_understood() {
    let request = request(&fixture("request-tools.json"));
    assert!(matches!(&request.tools[0], Tool::Function { name, strict: Some(true), .. } if *name == "weather"));
    assert!(matches!(&request.tools[4], Tool::Other { kind, .. } if kind == "custom"));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("weather".into())));
    let calls = &request.messages[1].parts;
    assert!(
        matches!(&calls[0].content, Content::ToolCall(call) if call.id == "call_1" && call.arguments == "{\"city\":\"Paris\"}")
    );
    assert!(matches!(&calls[2].content, Content::Other(other) if other.kind == "custom"));
    let Content::ToolResult(result) = &request.messages[3].parts[0].content else { panic!("not a result") };
    assert_eq!((result.call_id.as_str().as_ref(), result.parts.len()), ("call_2", 2));
}

#[test]
fn thinking_is_found_in_every_field_and_only_once() {
    let request = request(&fixture("request-thinking.json"));
    let thoughts = |message: &Message| -> Vec<String> {
        let text = |part: &Part| match &part.content {
            Content::Thinking(thinking) => Some(thinking.text.as_str().into_owned()),
            _ => None,
        };
        message.parts.iter().filter_map(text).collect()
    };
    let found: Vec<_> = request.messages.iter().skip(1).map(thoughts).collect();
    let expected: Vec<Vec<&str>> = vec![
        vec!["compare the\nfractions"],
        vec!["in the other field"],
        vec!["twice"],
        vec!["another", "one"],
        vec!["first ", "second", ""],
        vec!["hm"],
        vec![],
        vec![],
    ];
    assert_eq!(found, expected);
    let Content::Thinking(first) = &request.messages[5].parts[0].content else { panic!("not thinking") };
    assert_eq!(first.signature, Some("sig==".into()));
}

#[test]
fn an_edit_of_thinking_reaches_every_copy_of_it() {
    let body = r#"{"model":"m","messages":[{"role":"assistant","content":"x","reasoning":"a secret","reasoning_content":"a secret"}]}"#;
    let mut request = request(body);
    request.edit_text(
        |request| match &mut request.messages[0].parts[0].content {
            Content::Thinking(thinking) => &mut thinking.text,
            _ => panic!("not thinking"),
        },
        "gone",
    );
    assert_eq!(request.wire(ID), None);
    let (written, _) = translated(&request, &EASY);
    assert_eq!(written["messages"][0]["reasoning"], "gone");
    assert_eq!(written["messages"][0]["reasoning_content"], "gone");
}

#[test]
fn an_edited_text_is_spliced_into_the_bytes() {
    let mut request = request(r#"{ "model" : "a",  "messages":[{"role":"user","content":"my \"secret\""}] }"#);
    request.edit_text(|request| &mut request.model, "b");
    request.edit_text(
        |request| match &mut request.messages[0].parts[0].content {
            Content::Text(text) => text,
            _ => panic!("not a text"),
        },
        "\"***\"",
    );
    assert_eq!(request.wire(ID).unwrap(), r#"{ "model" : "b",  "messages":[{"role":"user","content":"\"***\""}] }"#);
}

#[test]
fn a_structural_edit_keeps_everything_else() {
    let mut request = request(&fixture("request-all-params.json"));
    let expected = {
        let mut expected = value(fixture("request-all-params.json"));
        expected["temperature"] = json!(0.1);
        expected["messages"].as_array_mut().unwrap().insert(0, json!({ "role": "system", "content": "Mind the gap." }));
        expected
    };
    let edit = request.edit();
    edit.params.temperature = Some(0.1.into());
    edit.messages.insert(0, Message::new(Role::System, vec![Part::text("Mind the gap.")]));
    assert_eq!(translated(&request, &EASY).0, expected);
}

#[test]
fn an_edit_wins_over_a_null_that_was_written() {
    let mut request = request(&fixture("request-nulls.json"));
    let edit = request.edit();
    edit.params.temperature = Some(1.into());
    edit.params.max_tokens = Some(9.into());
    let (written, _) = translated(&request, &PLAIN);
    assert_eq!((&written["temperature"], &written["max_tokens"]), (&json!(1), &json!(9)));
}

#[test]
fn the_token_limit_goes_by_the_callers_name_for_it_or_else_the_targets() {
    let limit = |body: &str, quirks: &Quirks| {
        let written = translated(&request(body), quirks).0;
        (written["max_tokens"].clone(), written["max_completion_tokens"].clone())
    };
    let old = r#"{"model":"m","messages":[],"max_tokens":5}"#;
    assert_eq!(limit(old, &EASY), (json!(5), Value::Null));
    let new = r#"{"model":"m","messages":[],"max_completion_tokens":5}"#;
    assert_eq!(limit(new, &PLAIN), (Value::Null, json!(5)));
    let mut foreign = elsewhere(vec![]);
    foreign.params.max_tokens = Some(7.into());
    assert_eq!(translated(&foreign, &EASY).0["max_completion_tokens"], 7);
    assert_eq!(translated(&foreign, &PLAIN).0["max_tokens"], 7);
}

#[test]
fn what_is_wrong_in_a_request_is_named() {
    let wrong = |body: &str| OpenAiChat.read_request(&body.into()).unwrap_err().to_string();
    assert_eq!(wrong(r#"{"messages":[]}"#), "`model`: expected a value, found none");
    assert_eq!(wrong(r#"{"model":"m"}"#), "`messages`: expected a value, found none");
    assert_eq!(
        wrong(r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}"#),
        "`messages[0].content[0].text`: expected a value, found none"
    );
    assert_eq!(
        wrong(r#"{"model":"m","messages":[{"role":"user","content":7}]}"#),
        "`messages[0].content`: expected a string, found a number"
    );
    assert_eq!(wrong(r#"{"model":"m","messages":[{"role":"wizard"}]}"#), "`messages[0].role`: unknown role `wizard`");
    assert_eq!(
        wrong(r#"{"model":"m","messages":[],"max_tokens":5,"max_completion_tokens":6}"#),
        "`max_completion_tokens`: `max_tokens` says something else"
    );
    assert_eq!(
        wrong(r#"{"model":"m","messages":[],"temperature":"hot"}"#),
        "`temperature`: expected a number, found a string"
    );
    assert!(wrong(r#"{"model":"m","messages":[]} x"#).contains("expected the end"));
}

#[test]
fn a_conversation_from_elsewhere_is_put_in_plain_words() {
    let image = || {
        Part::new(Content::Image(Image {
            source: Source::Data { media_type: "image/png".into(), data: "AAAA".into() },
            detail: None,
        }))
    };
    let result = |id: &str, parts| {
        Part::new(Content::ToolResult(ToolResult { call_id: id.into(), parts, is_error: Some(true) }))
    };
    let thinking = Thinking { text: "hm".into(), signature: Some("sig".into()), sealed: None };
    let call = ToolCall { id: "t1".into(), name: "look".into(), arguments: Text::default() };
    let request = elsewhere(vec![
        Message::new(Role::Developer, vec![Part::text("one"), Part::text("two")]),
        Message::new(Role::User, vec![Part::text("see"), image()]),
        Message::new(Role::Assistant, vec![Part::new(Content::Thinking(thinking)), Part::new(Content::ToolCall(call))]),
        Message::new(
            Role::User,
            vec![Part::text("and then"), result("t1", vec![Part::text("seen"), image()]), result("t2", vec![])],
        ),
        Message::new(Role::System, vec![Part { cache: Some(Json("{}".into())), ..Part::text("now rhyme") }]),
        Message::new(
            Role::User,
            vec![Part::new(Content::Other(Other { kind: "server_tool_use".into(), json: Json("{}".into()) }))],
        ),
    ]);
    let (written, losses) = translated(&request, &PLAIN);
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
    assert_eq!(
        written["messages"],
        json!([
            { "role": "system", "content": [{ "type": "text", "text": "one" }, { "type": "text", "text": "two" }] },
            { "role": "user", "content": [{ "type": "text", "text": "see" }, picture] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "t1", "type": "function", "function": { "name": "look", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "t1", "content": "seen" },
            { "role": "tool", "tool_call_id": "t2", "content": "" },
            { "role": "user", "content": [picture, { "type": "text", "text": "and then" }] },
            { "role": "system", "content": "now rhyme" },
            { "role": "user", "content": "" },
        ])
    );
    assert_eq!(
        losses,
        [
            "thinking: left out",
            "is_error: left out",
            "media in a tool result: shown by the user instead",
            "cache_control: left out",
            "server_tool_use: left out",
        ]
    );
}

#[test]
fn files_from_elsewhere_go_by_their_data() {
    let file = |source| Part::new(Content::File(File { source, name: None }));
    let request = elsewhere(vec![Message::new(
        Role::User,
        vec![
            file(Source::Data { media_type: "application/pdf".into(), data: "JVBE".into() }),
            file(Source::Plain("the text".into())),
            file(Source::Uploaded("file-of-another".into())),
            file(Source::Url("https://example.org/a.pdf".into())),
        ],
    )]);
    let (written, losses) = translated(&request, &PLAIN);
    assert_eq!(
        written["messages"][0]["content"],
        json!([
            { "type": "file", "file": { "file_data": "data:application/pdf;base64,JVBE", "filename": "file" } },
            { "type": "text", "text": "the text" },
        ])
    );
    assert_eq!(losses, ["file: left out", "file: sent as text"]);
}

#[test]
fn parameters_from_elsewhere_are_mapped_or_reported() {
    let mut request = elsewhere(vec![]);
    request.stream = true;
    request.extra.put("metadata", Json(r#"{"user_id":"u"}"#.into()));
    request.extra.put("container", Json("null".into()));
    request.params.top_k = Some(40.into());
    request.params.stop = vec!["END".into()];
    request.params.user = Some("u".into());
    request.params.reasoning = Some(Reasoning { enabled: Some(true), effort: None, budget: Some(10_000.into()) });
    request.params.format =
        Some(Format::JsonSchema { name: None, description: None, schema: Json("{}".into()), strict: None });
    request.tools = vec![Tool::Other { kind: "web_search".into(), json: Json("{}".into()) }];
    request.tool_choice = Some(ToolChoice::Required);
    let (written, losses) = translated(&request, &PLAIN);
    assert_eq!(
        written,
        json!({
            "model": "m", "messages": [], "stop": ["END"], "user": "u", "reasoning_effort": "medium", "stream": true,
            "stream_options": { "include_usage": true },
            "response_format": { "type": "json_schema", "json_schema": { "name": "answer", "schema": {} } },
        })
    );
    assert_eq!(
        losses,
        [
            "metadata: left out",
            "web_search: left out",
            "top_k: left out",
            "reasoning.budget: sent as the effort `medium`",
        ]
    );
    let (poor, losses) = translated(&request, &Quirks { json_schema: false, stream_options: false, ..PLAIN });
    assert_eq!(poor["response_format"], json!({ "type": "json_object" }));
    assert_eq!(poor.get("stream_options"), None);
    assert!(losses.contains(&"response_format.json_schema: sent as `json_object`".to_owned()));
}

#[test]
fn a_budget_becomes_the_nearest_effort() {
    let effort = |budget: u64| {
        let mut request = elsewhere(vec![]);
        request.params.reasoning = Some(Reasoning { budget: Some(Number::from(budget)), ..Reasoning::default() });
        translated(&request, &PLAIN).0["reasoning_effort"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        [effort(1_024), effort(4_095), effort(4_096), effort(16_383), effort(16_384)],
        ["low", "low", "medium", "medium", "high"]
    );
}

#[test]
fn usage_is_asked_for_by_a_splice_and_the_caller_is_not_said_to_have_asked() {
    let asked = |body: &str| {
        let mut request = request(body);
        OpenAiChat.ask_for_usage(&mut request, &PLAIN);
        assert!(!request.params.wants_usage);
        String::from_utf8(request.wire(ID).unwrap().to_vec()).unwrap()
    };
    assert_eq!(
        asked(r#" {"stream":true, "model":"m","messages":[]}"#),
        r#" {"stream_options":{"include_usage":true},"stream":true, "model":"m","messages":[]}"#
    );
    assert_eq!(
        asked(r#"{"stream":true,"model":"m","stream_options" : null ,"messages":[]}"#),
        r#"{"stream":true,"model":"m","stream_options" : {"include_usage":true} ,"messages":[]}"#
    );
    assert_eq!(
        asked(
            r#"{"stream":true,"model":"m","stream_options":{"include_usage":false,"include_obfuscation":false},"messages":[]}"#
        ),
        r#"{"stream":true,"model":"m","stream_options":{"include_usage":true,"include_obfuscation":false},"messages":[]}"#
    );
    assert_eq!(asked(r#"{"stream":false,"model":"m","messages":[]}"#), r#"{"stream":false,"model":"m","messages":[]}"#);
}

#[test]
fn usage_is_asked_for_beside_an_edited_model_name() {
    let mut request = request(r#"{"stream":true,"model":"m","messages":[]}"#);
    request.edit_text(|request| &mut request.model, "other");
    OpenAiChat.ask_for_usage(&mut request, &PLAIN);
    assert_eq!(
        request.wire(ID).unwrap(),
        r#"{"stream_options":{"include_usage":true},"stream":true,"model":"other","messages":[]}"#
    );
}

#[test]
fn thinking_of_several_items_is_kept_whole_even_if_but_one_has_a_text() {
    for thinking in
        [r#"[{"type":"text"},{"type":"text","text":"b"}]"#, r#"[{"text":"b"}]"#, r#"[{},{"type":"text","text":"b"}]"#]
    {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","content":[{{"type":"thinking","thinking":{thinking}}}]}}]}}"#
        );
        let request = request(&body);
        assert_eq!(value(OpenAiChat.write_request(&request, &EASY, &mut Losses::default())), value(&body));
    }
}
