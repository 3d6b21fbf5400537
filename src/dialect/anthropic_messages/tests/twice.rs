//! Keys that are there twice, of which others may take the one that is not read here.

use super::*;

fn refused(members: &str) -> String {
    let text = format!(r#"{{"model":"m","messages":[],{members}}}"#);
    DIALECT.read_request(&body(text)).unwrap_err().to_string()
}

fn of_block(block: &str) -> String {
    let text = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{block}]}}]}}"#);
    DIALECT.read_request(&body(text)).unwrap_err().to_string()
}

#[test]
fn a_request_that_says_anything_twice_is_refused() {
    assert_eq!(refused(r#""messages":[]"#), "`messages`: is there twice");
    assert_eq!(refused(r#""\u006dodel":"n""#), "`model`: is there twice");
    assert_eq!(refused(r#""system":"a","system":null"#), "`system`: is there twice");
    assert_eq!(refused(r#""x":1,"x":2"#), "`x`: is there twice");
}

#[test]
fn so_is_one_that_says_something_twice_within() {
    assert_eq!(refused(r#""tool_choice":{"type":"any","type":"none"}"#), "`tool_choice.type`: is there twice");
    assert_eq!(refused(r#""thinking":{"type":"disabled","type":"enabled"}"#), "`thinking.type`: is there twice");
    assert_eq!(refused(r#""output_config":{"x":1,"x":2}"#), "`output_config.x`: is there twice");
    assert_eq!(
        refused(r#""output_config":{"format":{"type":"json_schema","schema":{},"schema":{}}}"#),
        "`output_config.format.schema`: is there twice"
    );
    assert_eq!(refused(r#""metadata":{"user_id":"a","user_id":"b"}"#), "`metadata.user_id`: is there twice");
    assert_eq!(refused(r#""tools":[{"name":"f","input_schema":{},"name":"g"}]"#), "`tools[0].name`: is there twice");
    assert_eq!(refused(r#""tools":[{"type":"odd","type":"custom"}]"#), "`tools[0].type`: is there twice");
}

#[test]
fn so_is_a_message_that_does() {
    let twice = r#""x":1,"messages":[{"role":"user","content":"a","content":"b"}]"#;
    let text = format!(r#"{{"model":"m",{twice}}}"#);
    let wrong = DIALECT.read_request(&body(text)).unwrap_err().to_string();
    assert_eq!(wrong, "`messages[0].content`: is there twice");
    assert_eq!(of_block(r#"{"type":"text","text":"a","text":"b"}"#), "`messages[0].content[0].text`: is there twice");
    assert_eq!(of_block(r#"{"type":"odd","type":"text","text":"b"}"#), "`messages[0].content[0].type`: is there twice");
    assert_eq!(
        of_block(r#"{"type":"image","source":{"type":"odd","type":"url","url":"u"}}"#),
        "`messages[0].content[0].source.type`: is there twice"
    );
    assert_eq!(
        of_block(r#"{"type":"tool_use","id":"i","name":"f","input":{},"caller":{"type":"direct","type":"x"}}"#),
        "`messages[0].content[0].caller.type`: is there twice"
    );
    assert_eq!(
        of_block(r#"{"type":"tool_result","tool_use_id":"i","content":[{"type":"odd","y":1,"y":2}]}"#),
        "`messages[0].content[0].content[0].y`: is there twice"
    );
}

#[test]
fn what_is_passed_on_unread_is_not_looked_into_and_answers_are_not_refused() {
    let tools = r#"{"model":"m","messages":[],"x":{"a":1,"a":2},"tools":[{"name":"f","input_schema":{"a":1,"a":2}}]}"#;
    DIALECT.read_request(&body(tools)).unwrap();
    let answer = r#"{"id":"i","id":"i","type":"message","role":"assistant","model":"m","stop_reason":"end_turn",
        "content":[{"type":"text","text":"a","text":"b"},{"type":"odd","y":1,"y":2}],"x":1,"x":2}"#;
    DIALECT.read_completion(&body(answer)).unwrap();
    DIALECT.skim_completion(&body(answer)).unwrap();
}
