//! What loading says of whole configurations, good and broken.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A folder of files to load.
struct House {
    folder: TempDir,
}

impl House {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    fn load(&self, names: &[&str]) -> Loaded {
        let files: Vec<PathBuf> = names.iter().map(|name| self.folder.path().join(name)).collect();
        let mut loaded = load(&files, &Environment::of([("SET".to_owned(), "x".to_owned())], ""));
        loaded.sources = loaded.sources.without(self.folder.path());
        loaded
    }
}

fn load_text(text: &str) -> Loaded {
    House::new(&[("t.yaml", text)]).load(&["t.yaml"])
}

fn sound(text: &str) -> Config {
    let loaded = load_text(text);
    let shown = shown(&loaded);
    loaded.config.unwrap_or_else(|| panic!("{shown}"))
}

fn shown(loaded: &Loaded) -> String {
    loaded.problems.iter().map(|problem| problem.render(&loaded.sources, Ink::Plain) + "\n\n").collect()
}

fn lines(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(|problem| problem.line(&loaded.sources)).collect()
}

const TEN_LINES: &str = r#"# tidegate.yaml
version: 1
listen: 127.0.0.1:4000
providers:
  openai: { kind: openai, key: "${env:OPENAI_API_KEY}" }
policies:
  - policy: default
    route: openai            # whatever model the caller names, at this provider
telemetry: { otlp: "${env:OTEL_EXPORTER_OTLP_ENDPOINT:-}" }
"#;

const BASE: &str = r#"version: 1
callers: { keys: keys.yaml }
providers:
  openai: { kind: openai, key: "${env:OPENAI}" }
  anthropic: { kind: anthropic, key: "${env:ANTHROPIC}" }
"#;

const PRODUCTION: &str = r#"version: 1
listen: 0.0.0.0:4000
admin: 127.0.0.1:4001
tls: { cert: /etc/tls/tls.crt, key: /etc/tls/tls.key, client_ca: /etc/tls/ca.crt }
import: [policies/*.yaml]
providers:
  openai:    { kind: openai, keys: ["${env:OPENAI_A}", "${env:OPENAI_B}"], pick: least_busy }
  azure-eu:  { kind: azure_openai, url: "https://eu.openai.azure.com", key: "${file:/run/secrets/azure}" }
  anthropic: { kind: anthropic, key: "${env:ANTHROPIC_API_KEY}" }
  local:     { kind: openai_compatible, url: "http://127.0.0.1:8000/v1", price: { in: 0, out: 0 } }
targets:
  gpt-eu: { provider: azure-eu, model: gpt-4.1-prod, max_concurrent: 64 }
models:
  chat-large: { targets: [gpt-eu, openai/gpt-4.1, anthropic/claude-sonnet-4-5] }
callers:
  keys: ${file:/run/secrets/keys.yaml}
  jwt:  { issuer: "https://sso.example", jwks: "https://sso.example/jwks.json", team: "groups.0", user: sub }
  user:    [header x-user-id, body metadata.user_id]
  session: [header x-session-id, body metadata.session_id]
limits: { body: 32MiB, drain: 1m }
log: { format: pretty, level: debug }
telemetry:
  headers: { Authorization: "Basic ${env:LANGFUSE_BASIC}" }
  dialects: [genai, langfuse, openinference]
  content: redacted
policies:
  - policy: local
    for: { endpoints: [embeddings] }
    route: { cheapest: [local] }
"#;

const SUPPORT: &str = r#"policy: support
for: { team: support, models: [chat-large, "gpt-4.1*"] }
when: caller.tags.exists(t, t == "prod") && request.input_tokens < 100000
mode: enforce
steps:
  - rewrite: { set: { temperature: 0 }, cap: { max_tokens: 4096 } }
route:
  fallback: [gpt-eu, openai/gpt-4.1, anthropic/claude-sonnet-4-5]
  retry_on: [connect, timeout, rate_limited, server_error, cut_before_first_token]
  attempts_per_target: 2
  timeouts: { connect: 2s, headers: 20s, first_token: 30s, between_tokens: 20s, total: 5m }
---
policy: large
for: { models: chat-large }
"#;

#[test]
fn the_ten_line_file_loads_with_a_warning_that_anyone_may_call() {
    let loaded = load_text(TEN_LINES);
    assert_eq!(lines(&loaded), ["t.yaml:3:9: whoever reaches the port may call [TG0501]"]);
    let config = loaded.config.unwrap();
    assert_eq!(config.listen, "127.0.0.1:4000".parse().unwrap());
    assert!(config.callers.anonymous);
    let policy = &config.policies[0];
    let config::Way::Target(target) = &policy.route.as_ref().unwrap().route.way.value else { panic!("no target") };
    let target = &config.targets[target];
    assert_eq!((target.provider.as_str(), &target.model), ("openai", &None));
    assert_eq!(loaded.revision.len(), 64);
}

#[test]
fn a_production_file_loads_with_everything_resolved() {
    let house = House::new(&[
        ("tidegate.yaml", PRODUCTION),
        ("policies/support.yaml", SUPPORT),
        ("policies/support.test.yaml", "not: a policy"),
    ]);
    let loaded = house.load(&["tidegate.yaml"]);
    assert_eq!(shown(&loaded), "");
    assert_eq!(loaded.files.len(), 2);
    let config = loaded.config.unwrap();
    let names: Vec<_> = config.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["support", "large", "local"]);
    let route = config.policies[0].route.as_ref().unwrap();
    assert_eq!(route.retry_on.as_ref().map(Vec::len), Some(5));
    assert_eq!(route.timeouts.total, Some(std::time::Duration::from_secs(300)));
    assert!(config.policies[1].route.is_none());
    let model = &config.targets[&crate::base::ids::TargetName::new("anthropic/claude-sonnet-4-5")];
    assert_eq!(model.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(config.models["chat-large"].targets.len(), 3);
    assert_eq!(config.limits.body, 32 << 20);
    assert_eq!(config.callers.user[1], config::Stated::Body(vec!["metadata".into(), "user_id".into()]));
    assert_eq!(config.providers.values().map(|provider| provider.keys.len()).sum::<usize>(), 4);
}

#[test]
fn every_problem_of_a_file_is_found_at_once() {
    let loaded = load_text(
        "version: 1
listn: 127.0.0.1:4000
providers:
  openai: { kind: opnai, key: '${env:K}' }
  other: { kidn: openai }
targets:
  fast: { provider: opena, model: m }
limits: { idle: 60, body: 5 }
policies:
  - policy: a
    for: { taem: x }
    when: caller.teem == 'x' && request.model < 5
    steps: [{ rewriet: {} }, { cache: [team] }]
    route: { fallback: [openai, opnai/m], retry_on: [conect], timeouts: { total: 5 } }
  - policy: b
    route: nowhere
",
    );
    assert_eq!(
        lines(&loaded),
        [
            "t.yaml:2:1: unknown field `listn` [TG0101]",
            "t.yaml:4:19: unknown kind of provider `opnai` [TG0102]",
            "t.yaml:5:12: unknown field `kidn` [TG0101]",
            "t.yaml:7:21: there is no provider `opena` [TG0201]",
            "t.yaml:8:17: `60` has no unit; write `60s` or another of: us, ms, s, m, h, d [TG0105]",
            "t.yaml:8:27: `5` has no unit; write `5KiB` or another of: B, KiB, MiB, GiB, kB, MB, GB [TG0105]",
            "t.yaml:11:12: unknown field `taem` [TG0101]",
            "t.yaml:12:18: `caller` has no member `teem` [TG0302]",
            "t.yaml:12:47: `<` cannot compare a text with a whole number [TG0304]",
            "t.yaml:13:15: unknown step `rewriet` [TG0102]",
            "t.yaml:13:39: expected a map, found a list [TG0104]",
            "t.yaml:14:33: there is no target `opnai/m`, nor a provider `opnai` [TG0201]",
            "t.yaml:14:54: unknown fault `conect` [TG0102]",
            "t.yaml:14:82: `5` has no unit; write `5s` or another of: us, ms, s, m, h, d [TG0105]",
            "t.yaml:16:12: there is no target or provider `nowhere` [TG0201]",
        ]
    );
    assert!(loaded.config.is_none());
}

#[test]
fn a_broken_provider_is_not_reported_as_undefined_where_it_is_used() {
    let loaded =
        load_text("version: 1\nproviders: { openai: { kind: [] } }\npolicies: [{ policy: a, route: openai/m }]\n");
    assert_eq!(lines(&loaded), ["t.yaml:2:30: expected a text, found a list [TG0104]"]);
}

#[test]
fn overlays_change_what_is_there_and_say_where_each_value_comes_from() {
    let base = format!(
        "{BASE}policies:\n  - policy: a\n    for: {{ team: a }}\n    route: {{ fallback: [openai, anthropic], timeouts: {{ total: 5m }} }}\n  - policy: b\n    route: openai\n"
    );
    let overlay = r#"log: { level: debug }
providers:
  remove: [anthropic]
  openai: { url: "https://proxy.internal", key: sk-literal }
  extra: { add: true, kind: ollama }
policies:
  remove: [b]
  a: { route: { fastest: [openai, extra] } }
  c: { add: true, for: { team: c }, route: openai }
"#;
    let house = House::new(&[("base.yaml", &base), ("env/prod.yaml", overlay)]);
    let loaded = house.load(&["base.yaml", "env/prod.yaml"]);
    assert_eq!(lines(&loaded), ["env/prod.yaml:4:49: a key is written into the file [TG0502]"]);
    insta::assert_snapshot!(print(&loaded).unwrap());
    let config = loaded.config.unwrap();
    let names: Vec<_> = config.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["c", "a"]);
}

#[test]
fn what_is_printed_loads_as_the_same() {
    let house = House::new(&[("tidegate.yaml", PRODUCTION), ("policies/support.yaml", SUPPORT)]);
    let printed = print(&house.load(&["tidegate.yaml"])).unwrap();
    let again = load_text(&printed);
    assert_eq!(shown(&again), "");
    let strip = |text: String| -> String {
        text.lines().map(|line| line.split("  # ").next().unwrap_or_default().to_owned() + "\n").collect()
    };
    assert_eq!(strip(print(&again).unwrap()), strip(printed));
}

#[test]
fn a_misspelt_name_in_an_overlay_does_not_become_a_new_one() {
    let base = format!("{BASE}policies: [{{ policy: a, route: {{ fallback: [openai, anthropic] }} }}]\n");
    let overlay = "providers: { opnai: { kind: openai } }\ntargets: { fast: { provider: openai } }\npolicies: [{ policy: b, route: openai }, { policy: a, remove: [mode] }]\n";
    let house = House::new(&[("base.yaml", &base), ("prod.yaml", overlay)]);
    let found = lines(&house.load(&["base.yaml", "prod.yaml"]));
    for expected in [
        "prod.yaml:1:14: `opnai` is not in the files before this one [TG0401]",
        "prod.yaml:3:22: `b` is not in the files before this one [TG0401]",
        "prod.yaml:3:64: there is no `mode` to remove here [TG0402]",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected} is not in {found:#?}");
    }
}

#[test]
fn the_first_file_is_no_overlay() {
    let text =
        format!("{BASE}add: true\npolicies: {{ remove: [b], a: {{ route: {{ fallback: [openai, anthropic] }} }} }}\n");
    assert_eq!(
        lines(&load_text(&text)),
        [
            "t.yaml:6:6: there is nothing before this file to add to [TG0401]",
            "t.yaml:7:22: there is nothing before this file to remove from [TG0402]",
        ]
    );
}

#[test]
fn the_revision_changes_with_any_byte_and_with_nothing_else() {
    let revision = |text: &str| load_text(text).revision;
    assert_eq!(revision(TEN_LINES), revision(TEN_LINES));
    assert_ne!(revision(TEN_LINES), revision(&format!("{TEN_LINES}# a comment\n")));
}

#[test]
fn a_route_may_nest() {
    let config = sound(&format!(
        "{BASE}policies:
  - policy: a
    route:
      first:
        - when: request.input_tokens > 1000
          to: {{ canary: {{ stable: openai, candidate: {{ weighted: {{ openai/a: 90, anthropic/b: 10 }} }}, percent: 5%, abort_if: {{ error_rate: 2% }} }} }}
        - {{ when: time.weekday == 0, to: {{ deny: {{ status: 451, message: closed }} }} }}
        - {{ to: {{ fallback: [{{ least_busy: [openai, anthropic] }}, openai/a], shadow: {{ to: anthropic, percent: 1% }} }} }}
      sticky: session
"
    ));
    let route = &config.policies[0].route.as_ref().unwrap().route;
    assert_eq!(route.sticky, Some(Sticky::Session));
    let config::Way::First { cases, otherwise } = &route.way.value else { panic!("not `first`") };
    assert_eq!(cases.len(), 2);
    let config::Way::Canary(canary) = &cases[0].1.way.value else { panic!("not a canary") };
    assert_eq!(canary.abort_if, Some(config::Abort { error_rate: 0.02, min_requests: 20 }));
    assert!(otherwise.shadow.is_some());
}

#[test]
fn references_are_refused_where_nobody_reads_them() {
    let text = format!(
        "{BASE}policies:\n  - policy: \"${{env:SET}}\"\n    steps: [{{ rewrite: {{ system: \"${{env:SET}}\" }} }}]\n    route: {{ fallback: [openai, anthropic] }}\n"
    );
    assert_eq!(lines(&load_text(&text)), ["t.yaml:7:13: references are not read here [TG0107]"]);
}

#[test]
fn secrets_are_resolved_on_demand_and_from_the_folder_of_their_file() {
    let house = House::new(&[(
        "t.yaml",
        &format!("{BASE}policies: [{{ policy: a, route: {{ fallback: [openai, anthropic] }} }}]\n"),
    )]);
    let config = house.load(&["t.yaml"]).config.unwrap();
    let environment = Environment::of([("OPENAI".to_owned(), "sk".to_owned())], "");
    let keys: Vec<_> = config.providers.values().map(|provider| provider.keys[0].resolve(&environment)).collect();
    assert!(keys[0].is_err());
    assert_eq!(keys[1].as_ref().unwrap().expose(), "sk");
    assert_eq!(config.callers.keys.unwrap().path(&environment).unwrap(), house.folder.path().join("keys.yaml"));
}

#[test]
fn a_secret_in_a_file_is_seen_in_no_output() {
    let text = format!(
        "{BASE}  x: {{ kind: opena, key: sk-canary, headers: {{ x-team: canary-2 }} }}\nstate: {{ redis: \"redis://:canary@x\" }}\npolicies: []\n"
    );
    let loaded = load_text(&text);
    let all = shown(&loaded) + &print(&loaded).unwrap() + &format!("{:?}", Template::parse("canary${env:A}"));
    assert!(all.contains("key: *********,") && !all.contains("canary"), "{all}");
}

#[test]
fn a_secret_in_the_wrong_form_is_not_repeated_in_the_message() {
    let text = format!(
        "{BASE}  x: {{ kind: openai, keys: sk-canary }}\n  w: {{ kind: openai, key: 774411 }}\n  z: {{ kind: ollama, headers: sk-canary }}\npolicies: []\n"
    );
    let loaded = load_text(&text);
    let all = shown(&loaded) + &lines(&loaded).concat();
    assert!(all.contains("expected a list") && !all.contains("canary") && !all.contains("774411"), "{all}");
}

#[test]
fn a_secret_on_a_line_that_is_not_yaml_is_not_shown() {
    for line in [
        "key: \"canary, url: y",
        "key: [canary, canary",
        "url: x, key: *canary",
        "key: canary: canary",
        "headers: { Authorization: \"Bearer canary\"\"canary\" }",
    ] {
        let loaded = load_text(&format!("{BASE}  x: {{ kind: openai, {line} }}\npolicies: []\n"));
        let all = shown(&loaded) + &lines(&loaded).concat();
        assert!(all.contains("TG0002") && !all.contains("canary"), "{all}");
    }
}

#[test]
fn what_stands_under_a_wrong_name_is_not_missing_too() {
    let text = format!(
        "{BASE}  x: {{ kind: openai, api_key: '${{env:K}}' }}\n  w: {{ knd: ollama }}\npolicies: [{{ policy: a, route: {{ fallback: [openai, anthropic, x, w] }} }}]\n"
    );
    assert_eq!(
        lines(&load_text(&text)),
        ["t.yaml:6:22: unknown field `api_key` [TG0101]", "t.yaml:7:8: unknown field `knd` [TG0101]"]
    );
}

#[test]
fn folders_in_which_imports_were_looked_for_can_be_watched() {
    let house = House::new(&[("tidegate.yaml", PRODUCTION), ("policies/support.yaml", SUPPORT)]);
    assert_eq!(house.load(&["tidegate.yaml"]).folders, [house.folder.path().join("policies")]);
}

#[test]
fn json_names_the_place_the_code_and_the_help() {
    let loaded = load_text(&format!("{BASE}policies: [{{ policy: a, route: opnai }}]\n"));
    let problem = loaded.problems.iter().find(|problem| problem.code == codes::UNDEFINED).unwrap();
    let json = problem.json(&loaded.sources);
    assert_eq!(
        (json["file"].as_str(), json["line"].as_u64(), json["column"].as_u64()),
        (Some("t.yaml"), Some(6), Some(32))
    );
    assert_eq!((json["end"]["column"].as_u64(), json["code"].as_str()), (Some(37), Some("TG0201")));
    assert_eq!(json["help"][0], "known are: openai, anthropic");
}

/// Each broken input, by what is broken about it. What stands in the files is added to [`BASE`].
const BROKEN: &[(&str, &str)] = &[
    ("a list that is not closed", "log: { level: [info }\n"),
    ("a duplicate key", "log:\n  level: info\n  format: json\n  level: debug\n"),
    ("a boolean word", "callers2: {}\nlog: { level: on }\n"),
    ("a tag", "log: { level: !debug x }\n"),
    ("an unknown section", "polices: []\n"),
    ("a planned section", "budgets: { team: {} }\nprices: {}\n"),
    (
        "settings of a cache",
        "policies:\n  - policy: a\n    steps:\n      - cache: { keep: 60, shared_by: all, ttl: 1h }\n    route: openai\n",
    ),
    (
        "policies that keep answers in one place otherwise",
        "policies:\n  - policy: a\n    for: { team: x }\n    steps: [ cache: { shared_by: everyone, keep: 1h } ]\n    route: openai\n  - policy: b\n    steps: [ cache: { shared_by: everyone, keep: 2h } ]\n    route: openai\n",
    ),
    ("an unknown step", "policies:\n  - policy: a\n    steps:\n      - rewirte: {}\n    route: openai\n"),
    (
        "a wrong setting of a step",
        "policies:\n  - policy: a\n    steps:\n      - rewrite: { cap: { max_tokens: lots }, sytem: x }\n    route: openai\n",
    ),
    (
        "a step of two keys",
        "policies:\n  - policy: a\n    steps:\n      - rewrite: {}\n        limit: {}\n    route: openai\n",
    ),
    ("a bare port", "listen: 4000\n"),
    ("a planned kind of provider", "version: 2\nproviders: { b: { kind: bedrock }, c: { kind: openai_compatible } }\n"),
    ("telemetry that is wanted", "telemetry: { otlp: \"https://collector\", content: all }\n"),
    (
        "metrics that are wanted too often",
        "telemetry: { metrics: [{ endpoint: \"http://collector:4317\", protocol: grpc, interval: 10ms, every: 1s }] }\n",
    ),
    (
        "a record of decisions that holds none",
        "telemetry: { decisions: { dir: \"\", size: 1KiB }, baggage: [tenant, \"a b\"] }\n",
    ),
    (
        "a target like a provider",
        "targets: { openai: { provider: openai, model: m } }\npolicies: [{ policy: a, route: openai }]\n",
    ),
    ("an unused target", "targets: { fast: { provider: openai, max_concurrent: 0 } }\n"),
    (
        "an unused target alone",
        "targets: { fast: { provider: openai } }\npolicies: [{ policy: a, route: { fallback: [openai, anthropic] } }]\n",
    ),
    ("a model in a route", "models: { big: { targets: [openai/a] } }\npolicies: [{ policy: a, route: big }]\n"),
    (
        "a model without targets",
        "models: { big: { targets: [] } }\npolicies: [{ policy: a, for: { models: [big, small] } }]\n",
    ),
    ("a provider and no model", "policies: [{ policy: a, route: openai/ }]\n"),
    ("a price without decimals", "targets: { t: { provider: openai, price: { in: cheap, out: 1 } } }\n"),
    (
        "a condition over lines",
        "policies:\n  - policy: a\n    when: |\n      caller.team == \"a\" &&\n      request.strem\n    route: openai\n",
    ),
    (
        "a case without end",
        "policies:\n  - policy: a\n    route:\n      first:\n        - { to: openai }\n        - { when: request.stream, to: anthropic }\n",
    ),
    (
        "nested timeouts",
        "policies:\n  - policy: a\n    route:\n      fallback:\n        - { target: openai, timeouts: { total: 1s } }\n        - anthropic\n",
    ),
    ("no way at all", "policies: [{ policy: a, route: { retry_on: [timeout] } }]\n"),
    ("weights of zero", "policies: [{ policy: a, route: { weighted: { openai: 0, anthropic: 0 } } }]\n"),
    (
        "a share without percent",
        "policies: [{ policy: a, route: { canary: { stable: openai, candidate: anthropic, percent: 5 } } }]\n",
    ),
    (
        "a wide policy first",
        "policies:\n  - { policy: all, for: { models: \"gpt*\" }, route: openai }\n  - { policy: some, for: { models: [gpt-4.1], team: a }, route: anthropic }\n",
    ),
    (
        "two policies of a name",
        "policies:\n  - { policy: a, when: request.stream, route: openai }\n  - { policy: a, route: anthropic }\n",
    ),
    ("an unknown dialect", "policies: [{ policy: a, for: { dialects: openai_chatt, tags: [] }, route: openai }]\n"),
    ("an import that is no list", "import: nowhere\n"),
    ("a list for a map", "callers2: x\nlimits: [1]\nlog: pretty\n"),
    ("a faulty item of a list", "policies: [{ policy: a, route: { fallback: [5] } }, { policy: b, route: 7 }]\n"),
    ("no policy", ""),
];

#[test]
fn broken_files_are_explained() {
    for (name, text) in BROKEN {
        let is_whole_file = text.starts_with("version:");
        let loaded = load_text(&if is_whole_file { (*text).to_owned() } else { format!("{BASE}{text}") });
        assert!(loaded.config.is_none(), "`{name}` was accepted");
        insta::assert_snapshot!(name.replace(' ', "_"), shown(&loaded), text);
    }
}

#[test]
fn similar_questions_are_looked_for_whatever_keeps_the_answers() {
    for state in
        ["", "state: { dir: s }\n", "state: { redis: \"redis://h\" }\n", "state: { redis: \"redis://h\", dir: s }\n"]
    {
        let text = format!(
            "version: 1\ncallers: {{ anonymous: true }}\n{state}providers: {{ openai: {{ kind: openai, key: k }} }}\npolicies:\n  - policy: a\n    steps: [ cache: {{ canonical: true, similar: {{ by: openai/text-embedding-3-small }} }} ]\n    route: openai\n"
        );
        sound(&text);
    }
}

#[test]
fn imports_that_do_not_fit_are_explained() {
    let root = "version: 1\nimport: [a.yaml, b.yaml, missing.yaml]\nproviders: { openai: { kind: ollama } }\npolicies: [{ policy: z, route: openai }]\n";
    let house = House::new(&[
        ("t.yaml", root),
        ("a.yaml", "providers: { openai: { kind: ollama } }\nlisten: 127.0.0.1:1\n"),
        ("b.yaml", "- a list\n"),
    ]);
    insta::assert_snapshot!(shown(&house.load(&["t.yaml"])));
}

#[test]
fn shared_headers_that_no_collector_gets_are_refused() {
    let headers = "headers: { x-tenant: acme }";
    for telemetry in [r#"metrics: "http://m:4318""#, r#"otlp: { endpoint: "http://t:4318" }, metrics: "http://m:4318""#]
    {
        let text =
            format!("{BASE}telemetry: {{ {telemetry}, {headers} }}\npolicies: [{{ policy: p, route: openai }}]\n");
        let said = shown(&load_text(&text));
        assert!(said.contains("for collectors of traces that are written as a URL, and there is none"), "{said}");
    }
    let text = format!(
        "{BASE}telemetry: {{ otlp: \"http://t:4318\", metrics: \"http://m:4318\", {headers} }}\npolicies: [{{ policy: p, route: openai }}]\n"
    );
    assert!(!shown(&load_text(&text)).contains("and there is none"));
}

#[test]
fn callers_must_be_able_to_show_who_they_are() {
    let with = |callers: &str| {
        let text = format!(
            "version: 1\nlisten: 0.0.0.0:4000\nproviders: {{ openai: {{ kind: ollama }} }}\n{callers}policies: [{{ policy: a, route: openai }}]\n"
        );
        lines(&load_text(&text))
    };
    let open = "t.yaml:2:9: whoever reaches `0.0.0.0:4000` may call, and that is not only this machine [TG0501]";
    assert_eq!(with(""), [open]);
    assert_eq!(with("callers: { anonymous: true }\n").len(), 1);
    assert_eq!(with("callers: { anonymous: everywhere }\n"), Vec::<String>::new());
    assert_eq!(with("callers: { keys: k.yaml }\n"), Vec::<String>::new());
    assert_eq!(
        with("callers: { user: header x-user }\n"),
        ["t.yaml:4:1: nobody can call: there is no way to show who one is [TG0110]"]
    );
    assert_eq!(
        with("callers: { mtls: { user: uri } }\n"),
        ["t.yaml:4:18: `mtls` needs `tls` with a `client_ca` [TG0110]"]
    );
    assert_eq!(
        with("callers: { keys: k, user: cookie x }\n"),
        ["t.yaml:4:27: `cookie x` is not a place to look [TG0104]"]
    );
}

proptest::proptest! {
    #[test]
    fn no_mutation_of_a_file_makes_loading_panic(
        edits in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0usize..12, "[ -~]{1,3}|\n|\t|é|: |\\{|\\}|\\[|- "), 1..6)
    ) {
        let mut text = format!("{PRODUCTION}---\n{SUPPORT}");
        for (at, cut, put) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + cut).min(text.len())).max(start);
            text.replace_range(start..end, &put);
        }
        let loaded = load_text(&text);
        proptest::prop_assert_eq!(loaded.config.is_none(), loaded.has_errors());
        let _ = (shown(&loaded), print(&loaded));
    }

    #[test]
    fn no_bytes_make_loading_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yaml");
        std::fs::write(&path, bytes).unwrap();
        let loaded = load(&[path], &Environment::of([], ""));
        proptest::prop_assert!(loaded.has_errors() && loaded.config.is_none());
    }
}
