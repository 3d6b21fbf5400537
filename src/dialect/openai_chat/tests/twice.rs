//! Keys that are there twice, of which others may take the one that is not read here.

use super::*;

fn refused(members: &str) -> String {
    let body = format!(r#"{{"model":"m","messages":[],{members}}}"#);
    OpenAiChat.read_request(&body.into()).unwrap_err().to_string()
}

fn of_message(members: &str) -> String {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{members}]}}"#);
    OpenAiChat.read_request(&body.into()).unwrap_err().to_string()
}

#[test]
fn a_request_that_says_anything_twice_is_refused() {
    assert_eq!(refused(r#""messages":[]"#), "`messages`: is there twice");
    assert_eq!(refused(r#""\u006dodel":"n""#), "`model`: is there twice");
    assert_eq!(refused(r#""stream":true,"stream":false"#), "`stream`: is there twice");
    assert_eq!(refused(r#""tools":[{"function":{"name":"f"}}],"tools":[]"#), "`tools`: is there twice");
    assert_eq!(
        refused(r#""response_format":{"type":"text"},"response_format":null"#),
        "`response_format`: is there twice"
    );
    assert_eq!(refused(r#""x":1,"x":2"#), "`x`: is there twice");
    assert_eq!(refused(r#""x":1,"\u0078":1"#), "`x`: is there twice");
}

#[test]
fn so_is_one_that_says_something_twice_within() {
    assert_eq!(
        refused(r#""tools":[{"type":"function","function":{"name":"f","name":"g"}}]"#),
        "`tools[0].function.name`: is there twice"
    );
    assert_eq!(refused(r#""tools":[{"type":"custom","type":"function"}]"#), "`tools[0].type`: is there twice");
    assert_eq!(
        refused(r#""response_format":{"type":"json_schema","json_schema":{"schema":{},"schema":{}}}"#),
        "`response_format.json_schema.schema`: is there twice"
    );
    assert_eq!(refused(r#""tool_choice":{"type":"x","type":"function"}"#), "`tool_choice.type`: is there twice");
    assert_eq!(
        refused(r#""tool_choice":{"function":{"name":"a","name":"b"}}"#),
        "`tool_choice.function.name`: is there twice"
    );
    assert_eq!(
        refused(r#""stream_options":{"include_usage":true,"include_usage":false}"#),
        "`stream_options.include_usage`: is there twice"
    );
}

#[test]
fn so_is_a_message_that_does() {
    assert_eq!(of_message(r#"{"role":"user","content":"a","content":"b"}"#), "`messages[1].content`: is there twice");
    assert_eq!(of_message(r#"{"role":"user","role":"system","content":"a"}"#), "`messages[1].role`: is there twice");
    let of_part = |part: &str| of_message(&format!(r#"{{"role":"user","content":[{part}]}}"#));
    assert_eq!(of_part(r#"{"type":"text","text":"a","text":"b"}"#), "`messages[1].content[0].text`: is there twice");
    assert_eq!(of_part(r#"{"type":"odd","type":"text"}"#), "`messages[1].content[0].type`: is there twice");
    let image = "`messages[1].content[0].image_url.url`: is there twice";
    assert_eq!(of_part(r#"{"type":"image_url","image_url":{"url":"a","url":"b"}}"#), image);
    assert_eq!(of_part(r#"{"image_url":{"url":"a","url":"b"},"type":"image_url"}"#), image);
    assert_eq!(
        of_message(r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"1","arguments":"2"}}]}"#),
        "`messages[1].tool_calls[0].function.arguments`: is there twice"
    );
}

#[test]
fn what_is_passed_on_unread_is_not_looked_into_and_answers_are_not_refused() {
    let body = r#"{"model":"m","messages":[],"metadata":{"a":1,"a":2},
        "tools":[{"type":"function","function":{"name":"f","parameters":{"a":1,"a":2}}}]}"#;
    OpenAiChat.read_request(&body.into()).unwrap();
    let answer = r#"{"id":"i","id":"i","model":"m","choices":[{"index":0,"finish_reason":"stop","finish_reason":"stop",
        "message":{"role":"assistant","content":[{"image_url":{"url":"a","url":"b"},"type":"image_url"}],"x":1,"x":2}}]}"#;
    OpenAiChat.read_completion(&answer.into()).unwrap();
    OpenAiChat.skim_completion(&answer.into()).unwrap();
}

#[test]
fn of_a_great_many_fields_nobody_knows_each_is_there_once() {
    let fields: String = (0..100_000).map(|n| format!(r#""x{n}":{n},"#)).collect();
    assert_eq!(refused(&format!(r#"{fields}"x7":0"#)), "`x7`: is there twice");
    let body = format!(r#"{{"model":"m",{fields}"messages":[]}}"#);
    assert_eq!(OpenAiChat.read_request(&body.into()).unwrap().extra.fields().count(), 100_000);
}
