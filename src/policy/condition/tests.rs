use std::cell::Cell;

use jiff::Timestamp;

use super::*;
use crate::auth::Caller;
use crate::base::ids::DialectId;
use crate::pipeline::facts::Endpoint;
use crate::policy::source::Span;

/// A request that counts how often its tokens were asked for.
#[derive(Default)]
struct Request {
    caller: Caller,
    max_tokens: Option<u64>,
    counted: Cell<u32>,
}

impl Facts for Request {
    fn caller(&self) -> &Caller {
        &self.caller
    }
    fn now(&self) -> Timestamp {
        "2026-11-22T10:30:00Z".parse().unwrap()
    }
    fn endpoint(&self) -> Endpoint {
        Endpoint::CountTokens
    }
    fn dialect(&self) -> Option<DialectId> {
        Some(DialectId::OPENAI_CHAT)
    }
    fn model(&self) -> &str {
        "gpt-4.1"
    }
    fn is_stream(&self) -> bool {
        true
    }
    fn input_tokens(&self) -> u64 {
        self.counted.set(self.counted.get() + 1);
        1200
    }
    fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }
    fn has_tools(&self) -> bool {
        false
    }
    fn has_images(&self) -> bool {
        false
    }
    fn header(&self, name: &str) -> Option<&str> {
        (name == "x-tier").then_some("gold")
    }
}

fn support() -> Request {
    let claims = serde_json::json!({ "level": 3, "groups": ["a", "b"], "nested": { "x": true } });
    let caller = Caller {
        team: Some("support".into()),
        tags: ["prod".into(), "eu".into()].into(),
        claims: claims.as_object().cloned().map(Arc::new),
        ..Caller::default()
    };
    Request { caller, ..Request::default() }
}

fn holds(text: &str, request: &Request) -> Result<bool, String> {
    parse(text).unwrap_or_else(|flaws| panic!("{text}: {}", flaws[0].message)).holds(request)
}

fn is_true(text: &str) {
    assert_eq!(holds(text, &support()), Ok(true), "{text}");
}

/// The first problem, with what it points at between angle brackets.
fn problem(text: &str) -> String {
    let Err(flaws) = parse(text) else { panic!("`{text}` was accepted") };
    let flaw = &flaws[0];
    let (start, end) = (flaw.at.start.min(text.len()), flaw.at.end.min(text.len()));
    let pointed = format!("{}<{}>{}", &text[..start], &text[start..end], &text[end..]);
    format!("{} {} | {pointed} | {}", flaw.code.name(), flaw.message, flaw.label)
}

#[test]
fn what_a_caller_and_a_request_are_can_be_asked() {
    is_true(r#"caller.tags.exists(t, t == "prod") && request.input_tokens < 100000"#);
    is_true(r#"caller.team == "support" && caller.user == null && !has(caller.user) && has(caller.team)"#);
    is_true(r#"request.model.startsWith("gpt-") && request.stream && request.endpoint == "count_tokens""#);
    is_true(r#"request.dialect == "openai_chat" && !request.has_tools && request.max_tokens == null"#);
    is_true(r#"request.header("X-Tier") == "gold" && request.header("x-none") == null"#);
    is_true(r#"caller.claims.level >= 3 && "a" in caller.claims.groups && caller.claims.nested.x"#);
    is_true(r#"has(caller.claims.level) && !has(caller.claims.nothing)"#);
    is_true(r#""eu" in caller.tags && size(caller.tags) == 2 && caller.tags[0] == "prod""#);
    is_true(r#"caller.tags.all(t, t.size() < 5) && caller.tags.filter(t, t != "eu").size() == 1"#);
    is_true(r#"caller.team in ["support", "sales"] && (request.stream ? 1 : 2) == 1"#);
    is_true("request.input_tokens * 2 + 1 > 2400 && double(request.input_tokens) > 1.5");
}

#[test]
fn time_is_told_in_utc() {
    is_true(r#"time.hour == 10 && time.minute == 30 && time.weekday == 0 && time.date == "2026-11-22""#);
    is_true("time.unix == 1795343400");
}

#[test]
fn tokens_are_only_counted_if_the_answer_depends_on_them() {
    let request = support();
    assert_eq!(holds(r#"caller.team == "sales" && request.input_tokens < 5"#, &request), Ok(false));
    assert_eq!(request.counted.get(), 0);
    assert_eq!(holds("request.input_tokens > 5", &request), Ok(true));
    assert_eq!(request.counted.get(), 1);
}

#[test]
fn a_comparison_with_null_has_no_answer() {
    assert!(holds("request.max_tokens < 100", &support()).is_err());
    assert_eq!(holds("has(request.max_tokens) && request.max_tokens < 100", &support()), Ok(false));
    assert!(holds("caller.claims.nothing == 1", &support()).is_err());
}

#[test]
fn a_misspelt_name_is_pointed_at() {
    insta::assert_snapshot!(problem("request.stream && caller.teem == \"a\""), @r#"TG0302 `caller` has no member `teem` | request.stream && caller.<teem> == "a" | did you mean `team`?"#);
    insta::assert_snapshot!(problem("reqest.stream"), @r#"TG0302 unknown name `reqest` | <reqest>.stream | did you mean `request`?"#);
    insta::assert_snapshot!(problem("team == \"a\""), @r#"TG0302 unknown name `team` | <team> == "a" | did you mean `caller.team`?"#);
    insta::assert_snapshot!(problem("caller == null"), @r#"TG0302 `caller` is not a value by itself | <caller> == null |"#);
    insta::assert_snapshot!(problem("caller.tags.exists(t, u == \"prod\")"), @r#"TG0302 unknown name `u` | caller.tags.exists(t, <u> == "prod") |"#);
    insta::assert_snapshot!(problem("request.header == \"a\""), @r#"TG0302 `request.header` needs the name of a header | request.<header> == "a" |"#);
    insta::assert_snapshot!(problem("\"ü\" == caller.teem"), @r#"TG0302 `caller` has no member `teem` | "ü" == caller.<teem> | did you mean `team`?"#);
}

#[test]
fn a_function_that_does_not_exist_is_pointed_at() {
    insta::assert_snapshot!(problem("request.model.startswith(\"gpt\")"), @r#"TG0303 unknown function `startswith` | request.model.<startswith>("gpt") | did you mean `startsWith`?"#);
    insta::assert_snapshot!(problem("contains(request.model, \"gpt\")"), @r#"TG0303 unknown function `contains` | <contains>(request.model, "gpt") | is written `value.contains(…)`"#);
    insta::assert_snapshot!(problem("request.model.matches(\"gpt.*\")"), @r#"TG0303 unknown function `matches` | request.model.<matches>("gpt.*") |"#);
    insta::assert_snapshot!(problem("request.header(caller.team) == \"a\""), @r#"TG0304 `request.header` takes the name of one header, in quotes | request.<header>(caller.team) == "a" |"#);
}

#[test]
fn types_that_never_meet_are_refused() {
    insta::assert_snapshot!(problem("request.model < 5"), @r#"TG0304 `<` cannot compare a text with a whole number | request.model <<> 5 |"#);
    insta::assert_snapshot!(problem("request.input_tokens == \"many\""), @r#"TG0304 `==` compares a whole number with a text, which are never equal | request.input_tokens <==> "many" |"#);
    insta::assert_snapshot!(problem("caller.tags == \"prod\""), @r#"TG0304 `==` compares a list with a text, which are never equal | caller.tags <==> "prod" |"#);
    insta::assert_snapshot!(problem("request.model == null"), @r#"TG0304 `==` compares a text with null, which are never equal | request.model <==> null |"#);
    insta::assert_snapshot!(problem("request.input_tokens"), @r#"TG0304 a condition is true or false, but this is a whole number | <request.input_tokens> |"#);
    insta::assert_snapshot!(problem("request.model && request.stream"), @r#"TG0304 `&&` takes what is true or false, not a text | <request.model> && request.stream |"#);
    insta::assert_snapshot!(problem("caller.tags.contains(\"prod\")"), @r#"TG0304 `contains` takes a text, not a list | caller.tags.<contains>("prod") |"#);
    insta::assert_snapshot!(problem("5 in caller.tags"), @r#"TG0304 the list holds a text, and never a whole number | 5 <in> caller.tags |"#);
    insta::assert_snapshot!(problem("request.model.name == \"a\""), @r#"TG0304 a text has no member `name` | request.model.<name> == "a" |"#);
    insta::assert_snapshot!(problem("request.input_tokens + 1.5 > 2.0"), @r#"TG0304 `+` cannot be applied to a whole number and a decimal number | request.input_tokens <+> 1.5 > 2.0 |"#);
    insta::assert_snapshot!(problem("caller.team.exists(t, t == \"a\")"), @r#"TG0304 a text has nothing to go through | <caller.team>.exists(t, t == "a") |"#);
}

#[test]
fn what_is_no_expression_is_refused() {
    insta::assert_snapshot!(problem("caller.team =="), @r#"TG0301 the condition breaks off | caller.team ==<> |"#);
    insta::assert_snapshot!(problem("caller.team = \"a\""), @r#"TG0301 the condition cannot be read at `=` | caller.team <=> "a" |"#);
    insta::assert_snapshot!(problem("caller.?team"), @r#"TG0301 the condition cannot be read at `.?` | caller<.>?team |"#);
    assert!(problem("").starts_with("TG0301"));
    assert!(problem(&"(".repeat(3000)).starts_with("TG0301"));
    assert!(problem(&"a".repeat(5000)).starts_with("TG0301"));
    assert!(problem("Thing{a: 1}").starts_with("TG0301"));
}

#[test]
fn every_flaw_of_a_condition_is_reported() {
    let mut sources = Sources::default();
    let yaml = "when: caller.teem == 1 && request.modl\n";
    let file = sources.add("p.yaml", yaml);
    let text = At::new(Span::new(file, 6, yaml.len() - 1), yaml[6..yaml.len() - 1].to_owned());
    let mut problems = Vec::new();
    assert!(Condition::read(&text, &sources, &mut problems).is_none());
    let lines: Vec<_> = problems.iter().map(|problem| problem.line(&sources)).collect();
    assert_eq!(
        lines,
        ["p.yaml:1:14: `caller` has no member `teem` [TG0302]", "p.yaml:1:35: `request` has no member `modl` [TG0302]"]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z.()&|!<>=\"' 0-9+\\[\\]{},:?-]{0,60}|\\PC{0,30}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_well_formed_condition_panics_when_evaluated(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "caller.team", "caller.tags", "request.max_tokens", "caller.claims", "==", "&&", "||", "<", "+", "in",
                "(", ")", "[", "]", "1", "\"a\"", "null", ".size()", "!", "-", "/", "0", ".exists(t, t == 1)", "?", ":",
                "9223372036854775807", "*", ".level", "%",
            ]),
            0..12,
        )
    ) {
        if let Ok(condition) = parse(&words.join(" ")) {
            let _ = condition.holds(&support());
        }
    }
}
