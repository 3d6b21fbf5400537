//! No answer crosses from one question or caller to another, whatever it is that differs: random requests through the
//! whole gateway, each answer of which says for which of them it was made.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use tidegate::auth::{KeyHash, VirtualKey};

use crate::support::{FakeUpstream, House, chat, completion, whole};

/// A request and how things stand when it is made, each by a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    /// Two keys of two teams.
    key: u8,
    user: u8,
    policy: u8,
    revision: u8,
    model: u8,
    beta: u8,
    system: u8,
    history: Vec<bool>,
    last: u8,
    tools: Vec<u8>,
    choice: u8,
    temperature: u8,
    seed: u8,
    max_tokens: u8,
    stop: Vec<u8>,
    format: u8,
    own: u8,
    stream: u8,
}

/// What tells requests apart, of which each [`step`](walk) changes one.
const PARTS: usize = 18;

fn plain() -> Asked {
    Asked {
        key: 0,
        user: 0,
        policy: 0,
        revision: 0,
        model: 0,
        beta: 0,
        system: 0,
        history: Vec::new(),
        last: 0,
        tools: Vec::new(),
        choice: 0,
        temperature: 0,
        seed: 0,
        max_tokens: 0,
        stop: Vec::new(),
        format: 0,
        own: 0,
        stream: 0,
    }
}

impl Asked {
    fn change(&mut self, part: usize, to: u8) {
        let few = (to / 3 % 3).into();
        match part {
            0 => self.key = to % 4,
            1 => self.user = to % 2,
            2 => self.policy = to % 3,
            3 => self.revision = to % 2,
            4 => self.model = to % 2,
            5 => self.beta = to % 2,
            6 => self.system = to % 3,
            7 => self.history = vec![to.is_multiple_of(2); few],
            8 => self.last = to % 3,
            9 => self.tools = vec![to % 2; few],
            10 => self.choice = to % 2,
            11 => self.temperature = to % 3,
            12 => self.seed = to % 2,
            13 => self.max_tokens = to % 2,
            14 => self.stop = vec![to % 2; few],
            15 => self.format = to % 2,
            16 => self.own = to % 2,
            _ => self.stream = to % 2,
        }
    }

    fn body(&self) -> Value {
        let turn = |role: &str, text: &str| json!({"role": role, "content": text});
        let mut messages = Vec::new();
        if self.system > 0 {
            messages.push(turn("system", name(self.system - 1)));
        }
        messages.extend(self.history.iter().map(|user| turn(if *user { "user" } else { "assistant" }, "a")));
        messages.push(turn("user", LAST[usize::from(self.last)]));
        let mut body = json!({"model": name(self.model), "messages": messages, "stream": self.stream > 0});
        let mut set = |field: &str, is_set: bool, value: Value| {
            if is_set {
                body[field] = value;
            }
        };
        let tool = |tool: &u8| json!({"type": "function", "function": {"name": name(*tool), "parameters": {}}});
        set("tools", !self.tools.is_empty(), self.tools.iter().map(tool).collect());
        set("tool_choice", self.choice > 0, json!("required"));
        set("temperature", self.temperature > 0, json!(f64::from(self.temperature) / 4.0));
        set("seed", true, json!(9_007_199_254_740_992_u64 + u64::from(self.seed)));
        set("max_tokens", self.max_tokens > 0, json!(7));
        set("stop", !self.stop.is_empty(), self.stop.iter().map(|stop| name(*stop)).collect());
        set("response_format", self.format > 0, json!({"type": "json_object"}));
        set("verbosity", self.own > 0, json!("low"));
        body
    }

    /// What it may share an answer with, as somebody says who knows nothing of the cache but what its manual says.
    fn shares(&self, house: &Settings) -> Self {
        let mut shares = Self { stream: 0, ..self.clone() };
        match house.shared_by {
            // Two keys of a team are two, and whoever shows one may be any user.
            "key" => shares.user = 0,
            "user" => shares.key = self.key / 2,
            "team" => (shares.key, shares.user) = (self.key / 2, 0),
            // Of the policies two say the same but for their names and whom they are for.
            "everyone" => (shares.key, shares.user, shares.policy) = (0, 0, self.policy / 2),
            _ => (shares.key, shares.user) = (0, 0),
        }
        if house.canonical && self.history.is_empty() && self.format == 0 {
            shares.last = [0, 0, 1][usize::from(self.last)];
        }
        shares
    }
}

/// Names that run into each other if nothing keeps them apart.
fn name(number: u8) -> &'static str {
    if number == 0 { "a" } else { "aa" }
}

const LAST: [&str; 3] =
    ["How do I reset my password?", "Hi, how can I reset my password", "How do I reset your password?"];

#[derive(Debug, Clone)]
struct Settings {
    shared_by: &'static str,
    canonical: bool,
}

impl Settings {
    fn gateway(&self, url: &str, revision: u8) -> String {
        let Self { shared_by, canonical } = self;
        let policy = |name: &str, when: &str, more: &str| {
            format!(
                "  - policy: {name}\n{when}    steps: [ cache: {{ shared_by: {shared_by}, canonical: {canonical} }}{more} ]\n    route: up\n"
            )
        };
        format!(
            "version: 1\ncallers: {{ keys: keys.yaml, user: [header x-user-id] }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{url}\", headers: {{ x-revision: \"{revision}\" }}, key: \"${{env:NOT_SET:-sk-upstream}}\" }}\npolicies:\n{}{}{}",
            policy("q", "    when: 'request.header(\"x-policy\") == \"1\"'\n", ""),
            policy("r", "    when: 'request.header(\"x-policy\") == \"2\"'\n", ", rewrite: { system: \"Be kind.\" }"),
            policy("p", "", ""),
        )
    }
}

/// Requests, each of which differs from one before in a few things or in none: two that are drawn apart would hardly
/// ever be alike.
fn walk() -> impl Strategy<Value = Vec<Asked>> {
    let step = (any::<Index>(), prop::collection::vec((0..PARTS, any::<u8>()), 0..3));
    prop::collection::vec(step, 8..40).prop_map(|steps| {
        let mut walk = vec![plain()];
        for (from, changes) in steps {
            let mut next = walk[from.index(walk.len())].clone();
            changes.into_iter().for_each(|(part, to)| next.change(part, to));
            walk.push(next);
        }
        walk
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let shared_by = prop::sample::select(vec!["key", "user", "team", "policy", "everyone"]);
    (shared_by, any::<bool>()).prop_map(|(shared_by, canonical)| Settings { shared_by, canonical })
}

/// Makes the requests one after the other; how many were answered by what was kept.
async fn go(settings: &Settings, walk: &[Asked]) -> Result<usize, TestCaseError> {
    let scripts = (0..walk.len()).map(|number| whole(200, &completion(&number.to_string()))).collect();
    let upstream = FakeUpstream::start(scripts).await;
    let keys: Vec<_> = (0..4).map(|_| VirtualKey::generate().unwrap()).collect();
    let written = keys.iter().enumerate().map(|(number, key)| {
        let (hash, team) = (KeyHash::of(key.secret().expose()), name(u8::try_from(number / 2).unwrap()));
        format!("  k{number}: {{ hash: {hash}, team: {team} }}\n")
    });
    let key_file = format!("version: 1\nkeys:\n{}", written.collect::<String>());
    let files = [0, 1].map(|revision| settings.gateway(&upstream.url(), revision));
    let house = House::with_files(&[("tidegate.yaml", &files[0]), ("keys.yaml", &key_file)]).await;
    let (mut revision, mut made_for, mut known, mut hits) = (0, Vec::new(), HashMap::new(), 0);
    for asked in walk {
        if std::mem::replace(&mut revision, asked.revision) != asked.revision {
            house.write("tidegate.yaml", &files[usize::from(asked.revision)]);
            prop_assert!(house.reloader.reload(&house.gateway));
        }
        let bearer = format!("Bearer {}", keys[usize::from(asked.key)].secret().expose());
        let policy = asked.policy.to_string();
        let mut headers =
            vec![("authorization", bearer.as_str()), ("x-user-id", name(asked.user)), ("x-policy", &policy)];
        headers.extend((asked.beta > 0).then_some(("openai-beta", "x")));
        let answer = house.http.post_with("/v1/chat/completions", &headers, asked.body().to_string()).await;
        prop_assert_eq!(answer.status, 200, "{}", answer.text());
        if upstream.count() > made_for.len() {
            made_for.push(asked.clone());
        } else {
            hits += 1;
        }
        let says: usize = answer.says().parse().unwrap();
        prop_assert_eq!(
            asked.shares(settings),
            made_for[says].shares(settings),
            "{:?} was given what is not its own",
            asked
        );
        // And what was asked before is asked no more, so that there are hits at all.
        let first = known.entry(Asked { stream: 0, ..asked.shares(settings) }).or_insert(says);
        prop_assert_eq!(*first, says, "{:?} was asked again", asked);
    }
    Ok(hits)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_crosses_from_one_request_to_another_that_is_not_the_same(settings in settings(), walk in walk()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(go(&settings, &walk))?;
    }
}

/// What differs in one thing alone, for everything there is: nothing of it is left to chance.
#[tokio::test]
async fn whatever_single_thing_differs_it_is_another_question() {
    let mut walk = vec![plain(), plain()];
    for part in 0..PARTS {
        for to in 1..9 {
            let mut other = plain();
            other.change(part, to);
            walk.extend([other, plain()]);
        }
    }
    for shared_by in ["key", "user", "team", "policy", "everyone"] {
        let settings = Settings { shared_by, canonical: false };
        let hits = go(&settings, &walk).await.unwrap();
        assert!(hits > walk.len() / 2, "{hits} hits of {} requests", walk.len());
    }
}

/// A guard that hears for which policy it is asked may refuse one what it lets another have.
#[tokio::test]
async fn what_a_webhook_let_pass_for_one_policy_is_not_given_to_another() {
    for (kind, verdict, shared) in [
        ("kind: webhook", json!({"action": "allow"}), "miss"),
        // This one is not told.
        ("kind: openai_moderation, key: \"${env:PATH}\"", json!({"results": [{"categories": {"hate": false}}]}), "hit"),
    ] {
        let (guard, up) =
            (FakeUpstream::answering(&verdict.to_string()).await, FakeUpstream::answering(&completion("hi")).await);
        let policy = |name: &str, when: &str| {
            format!(
                "  - policy: {name}\n{when}    steps: [ cache: {{ shared_by: everyone }}, screen: {{ by: ours, where: [answer] }} ]\n    route: up\n"
            )
        };
        let house = House::with(&format!(
            "screens:\n  ours: {{ {kind}, url: \"{}\" }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n{}{}",
            guard.url(),
            up.url(),
            policy("strict", "    when: 'request.header(\"x-policy\") == \"strict\"'\n"),
            policy("lax", ""),
        ))
        .await;
        let ask = async |policy: &str| {
            let headers = [("x-policy", policy)];
            let answer = house.http.post_with("/v1/chat/completions", &headers, chat("m").to_string()).await;
            answer.header("x-tidegate-cache").to_owned()
        };
        assert_eq!([ask("lax").await, ask("lax").await], ["miss", "hit"], "{kind}");
        assert_eq!(ask("strict").await, shared, "{kind}");
    }
}
