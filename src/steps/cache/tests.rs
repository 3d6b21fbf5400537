//! No answer crosses from one question to another, whatever it is that differs.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::question::{self, Circumstances};
use super::sharing::SharedBy;
use crate::base::clock::Clock;
use crate::base::ids::{DialectId, KeyName, ModelName, PolicyName};
use crate::base::json::Json;
use crate::chat::{Format, Message, Part, Request, Role, Tool, ToolChoice};
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::state::answers::Place;
use crate::tokens::Tokens;

/// A request and its circumstances, each by a number.
#[derive(Debug, Clone, PartialEq)]
struct Case {
    policy: u8,
    key: u8,
    shared_by: SharedBy,
    imprint: u8,
    asked: u8,
    model: u8,
    beta: u8,
    outgoing: u8,
    /// What plugins have tagged it with: keys and values.
    tags: Vec<(u8, u8)>,
    system: u8,
    /// Turns before the last, whose texts and roles the bits are.
    history: Vec<bool>,
    last: u8,
    tools: Vec<u8>,
    choice: u8,
    temperature: u8,
    seed: u8,
    stop: Vec<u8>,
    format: u8,
    user: u8,
    extra: u8,
}

fn case() -> impl Strategy<Value = Case> {
    let few = 0u8..2;
    let head = (few.clone(), few.clone(), prop_oneof![Just(SharedBy::Key), Just(SharedBy::User)], few.clone());
    let sent = (few.clone(), few.clone(), few.clone(), few.clone(), few.clone());
    let said = (prop::collection::vec(any::<bool>(), 0..3), few.clone(), prop::collection::vec(0u8..2, 0..3));
    let params = (few.clone(), few.clone(), few.clone(), prop::collection::vec(0u8..2, 0..3), few.clone());
    let tags = prop::collection::vec((0u8..2, 0u8..2), 0..3);
    (head, sent, said, params, tags, few.clone(), few).prop_map(|(head, sent, said, params, tags, user, extra)| Case {
        policy: head.0,
        key: head.1,
        shared_by: head.2,
        imprint: head.3,
        asked: sent.0,
        model: sent.1,
        beta: sent.2,
        outgoing: sent.3,
        tags,
        system: sent.4,
        history: said.0,
        last: said.1,
        tools: said.2,
        choice: params.0,
        temperature: params.1,
        seed: params.2,
        stop: params.3,
        format: params.4,
        user,
        extra,
    })
}

/// Names that run into each other if nothing keeps them apart.
fn name(number: u8) -> &'static str {
    if number == 0 { "a" } else { "aa" }
}

fn request(case: &Case) -> Request {
    let mut request = Request::new(DialectId::OPENAI_CHAT, name(case.model));
    let turn = |role, text: &str| Message::new(role, vec![Part::text(text)]);
    if case.system > 0 {
        request.messages.push(turn(Role::System, "s"));
    }
    for bit in &case.history {
        request.messages.push(turn(if *bit { Role::User } else { Role::Assistant }, "a"));
    }
    request.messages.push(turn(Role::User, name(case.last)));
    request.tools = case
        .tools
        .iter()
        .map(|tool| Tool::Function {
            name: name(*tool).into(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extra: Default::default(),
        })
        .collect();
    request.tool_choice = (case.choice > 0).then_some(ToolChoice::Required);
    request.params.temperature = (case.temperature > 0).then(|| 0.5.into());
    request.params.seed = Some(9_007_199_254_740_992_u64.saturating_add(case.seed.into()).into());
    request.params.stop = case.stop.iter().map(|stop| name(*stop).into()).collect();
    request.params.format = (case.format > 0).then_some(Format::JsonObject);
    request.params.user = (case.user > 0).then(|| "u".into());
    if case.extra > 0 {
        request.extra.put("verbosity", Json("\"low\"".into()));
    }
    request
}

fn cx(case: &Case) -> Cx {
    let mut cx = Cx::new(Endpoint::Chat, Clock::system(), Arc::new(Tokens::default()));
    cx.caller.key = Some(KeyName::new(name(case.key)));
    cx.caller.user = Some(name(case.key).into());
    cx.model = ModelName::new(name(case.asked));
    if case.beta > 0 {
        cx.headers.insert("anthropic-beta", HeaderValue::from_static("x"));
    }
    if case.outgoing > 0 {
        cx.outgoing.insert(HeaderName::from_static("x-tier"), HeaderValue::from_static("x"));
    }
    cx.tags = case.tags.iter().map(|(key, value)| (name(*key).into(), name(*value).into())).collect();
    cx
}

fn place_of(case: &Case, request: &Request) -> Place {
    formed_place_of(case, request, None)
}

fn formed_place_of(case: &Case, request: &Request, form: Option<&str>) -> Place {
    let cx = cx(case);
    let scope = case.shared_by.scope(&PolicyName::new(name(case.policy)), &cx.caller).unwrap();
    let (imprint, shared_by) = (name(case.imprint), case.shared_by);
    let circumstances = Circumstances { imprint, route: None, shared_by, steers: true };
    scope.place(question::of(&circumstances, &cx, request, form).question)
}

fn place(case: &Case) -> Place {
    place_of(case, &request(case))
}

proptest! {
    #[test]
    fn two_requests_have_one_place_only_if_they_are_the_same_in_everything(one in case(), other in case()) {
        prop_assert_eq!(place(&one) == place(&other), one == other);
    }

    #[test]
    fn whatever_alone_differs_the_place_is_another(one in case(), which in 0usize..15) {
        let mut other = one.clone();
        let numbers = [
            &mut other.policy, &mut other.key, &mut other.imprint, &mut other.asked, &mut other.model,
            &mut other.beta, &mut other.outgoing, &mut other.system, &mut other.last, &mut other.choice,
            &mut other.temperature, &mut other.seed, &mut other.format, &mut other.user,
        ];
        for (number, changed) in numbers.into_iter().enumerate() {
            if number == which {
                *changed = 1 - *changed;
            }
        }
        if which == 14 {
            other.tags.push((0, 0));
        }
        prop_assert_ne!(place(&one), place(&other));
        prop_assert_eq!(place(&one), place(&one));
    }

    #[test]
    fn of_a_question_known_by_its_form_nothing_but_its_text_is_overlooked(one in case(), other in case()) {
        let formed = |case: &Case| {
            let place = formed_place_of(case, &request(case), Some("form"));
            prop_assert_ne!(&place, &self::place(case));
            Ok(place)
        };
        let is_same = Case { last: 0, ..one.clone() } == Case { last: 0, ..other.clone() };
        prop_assert_eq!(formed(&one)? == formed(&other)?, is_same);
        prop_assert_ne!(formed(&one)?, formed_place_of(&one, &request(&one), Some("forms")));
    }

    #[test]
    fn how_an_answer_is_sent_makes_no_difference(case in case()) {
        let (plain, mut sent) = (request(&case), request(&case));
        sent.stream = true;
        sent.params.wants_usage = true;
        prop_assert_eq!(place_of(&case, &plain), place_of(&case, &sent));
    }
}

fn plain() -> Case {
    Case {
        policy: 0,
        key: 0,
        shared_by: SharedBy::Key,
        imprint: 0,
        asked: 0,
        model: 0,
        beta: 0,
        outgoing: 0,
        tags: Vec::new(),
        system: 0,
        history: Vec::new(),
        last: 0,
        tools: Vec::new(),
        choice: 0,
        temperature: 0,
        seed: 0,
        stop: Vec::new(),
        format: 0,
        user: 0,
        extra: 0,
    }
}

#[test]
fn the_same_said_in_two_dialects_is_one_question_unless_one_says_what_the_other_cannot() {
    for extra in [0, 1] {
        let case = Case { extra, ..plain() };
        let (ours, mut theirs) = (request(&case), request(&case));
        theirs.dialect = DialectId::ANTHROPIC_MESSAGES;
        assert_eq!(place_of(&case, &ours) == place_of(&case, &theirs), extra == 0);
    }
}

#[test]
fn where_users_share_answers_the_name_that_goes_along_does_not_tell_them_apart() {
    let team = |user| Case { shared_by: SharedBy::Policy, user, ..plain() };
    assert_eq!(place(&team(0)), place(&team(1)));
    assert_ne!(place(&Case { user: 1, ..plain() }), place(&plain()));
}

#[test]
fn what_a_plugin_has_tagged_otherwise_is_another_question() {
    let tagged = |tags: &[(u8, u8)]| Case { tags: tags.to_vec(), ..plain() };
    let cases = [&[][..], &[(0, 0)], &[(0, 1)], &[(1, 0)], &[(0, 0), (0, 1)], &[(0, 1), (0, 0)]].map(tagged);
    let places: std::collections::HashSet<_> = cases.iter().map(place).collect();
    assert_eq!(places.len(), cases.len());
}
