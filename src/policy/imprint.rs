//! What of the files bears on a policy's answers, as a hash: as long as it is the same, answers of before may be given.
//!
//! Everything bears on them but what is known not to: who is told of requests, what they may cost, how many there may be,
//! how often they are tried. A section, a field or a kind of step that nobody has thought of here counts, so what is new
//! to the language can only make answers be asked for anew. Comments, and how YAML is laid out, are nothing that is said.
//!
//! Files that steps are made with count by what is in them, and references by what they stand for, but for those to keys
//! of providers.

use std::collections::HashMap;
use std::fs;

use sha2::{Digest as _, Sha256};

use super::config::{Config, PolicyConfig};
use super::reference::Environment;
use super::source::Span;
use super::tree::{Form, Node, Value};
use crate::base::ids::RequestId;

/// Hashes all that bears on a policy's answers, as the tree of all files says it.
pub(super) fn of(tree: &Node, config: &Config, policy: &PolicyConfig, environment: &Environment) -> String {
    hashed(tree, config, policy, environment, Scope::Own)
}

/// The same but for its name and whom it is for: two policies with one imprint answer alike. No two have one where a step
/// hears the policy's name, or a guard does.
pub(super) fn in_common(tree: &Node, config: &Config, policy: &PolicyConfig, environment: &Environment) -> String {
    let guard = |name: &str| config.screens.get(name).map(|screen| &screen.kind);
    let hears_its_name = policy.steps.iter().any(|step| step.value.hears_its_policys_name(guard));
    hashed(tree, config, policy, environment, if hears_its_name { Scope::Own } else { Scope::Common })
}

/// Whose answers are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Own,
    /// Those of all policies that answer alike.
    Common,
}

fn hashed(tree: &Node, config: &Config, policy: &PolicyConfig, environment: &Environment, scope: Scope) -> String {
    let templates = config.templates().into_iter().filter_map(|template| {
        let stands_for = template.value.resolve(environment).ok()?;
        (!template.value.is_literal()).then(|| (template.span, stands_for.expose().to_owned()))
    });
    let mut imprint = Imprint { hash: Sha256::new(), stands_for: templates.collect() };
    // Another release may guard otherwise.
    imprint.text(env!("CARGO_PKG_VERSION"));
    for entry in tree.entries().iter().filter(|entry| !SECTIONS.contains(&entry.key.text.as_str())) {
        imprint.text(&entry.key.text);
        match entry.key.text.as_str() {
            "providers" => imprint.each(&entry.value, PROVIDER),
            "state" => imprint.node_but(&entry.value, STATE),
            "targets" => imprint.each(&entry.value, TARGET),
            "policies" => imprint.policies(&entry.value, policy, scope),
            _ => imprint.node(&entry.value),
        }
    }
    for file in policy.steps.iter().flat_map(|step| step.value.files()) {
        imprint.text("file");
        imprint.bytes(&fs::read(file).unwrap_or_default());
    }
    if policy.steps.iter().any(|step| step.value.may_change_unseen()) {
        imprint.text(RequestId::fresh(0).as_str());
    }
    imprint.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Imprint {
    hash: Sha256,
    /// What references stand for, by where they are written.
    stands_for: HashMap<Span, String>,
}

impl Imprint {
    fn bytes(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn node(&mut self, node: &Node) {
        self.node_but(node, &[]);
    }

    /// A value; of a map all but some fields.
    fn node_but(&mut self, node: &Node, ignored: &[&str]) {
        match &node.value {
            Value::Scalar(scalar) => {
                // `"1"` is not `1`.
                self.text(if scalar.form == Form::Plain { "plain" } else { "text" });
                self.text(&scalar.text);
                if let Some(stands_for) = self.stands_for.get(&node.span).cloned() {
                    self.text("stands for");
                    self.text(&stands_for);
                }
            }
            Value::Seq(items) => {
                self.text("list");
                self.hash.update((items.len() as u64).to_be_bytes());
                items.iter().for_each(|item| self.node(item));
            }
            Value::Map(entries) => {
                self.text("map");
                for entry in entries.iter().filter(|entry| !ignored.contains(&entry.key.text.as_str())) {
                    self.text(&entry.key.text);
                    self.node(&entry.value);
                }
                self.text("end");
            }
        }
    }

    /// A map from names, each with fields of which some do not count.
    fn each(&mut self, node: &Node, ignored: &[&str]) {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries {
                    self.text(&entry.key.text);
                    self.node_but(&entry.value, ignored);
                }
                self.text("end");
            }
            _ => self.node(node),
        }
    }

    /// The policy alone. If it is not to be found among them, all.
    fn policies(&mut self, node: &Node, policy: &PolicyConfig, scope: Scope) {
        let name = policy.name.value.as_str();
        match node.items().iter().find(|item| item.get("policy").and_then(Node::text) == Some(name)) {
            Some(policy) => self.policy(policy, scope),
            None => self.node(node),
        }
    }

    fn policy(&mut self, policy: &Node, scope: Scope) {
        for entry in policy.entries() {
            if scope == Scope::Common && WHOSE.contains(&entry.key.text.as_str()) {
                continue;
            }
            self.text(&entry.key.text);
            match entry.key.text.as_str() {
                "steps" => entry.value.items().iter().for_each(|step| self.step(step)),
                "route" => self.node_but(&entry.value, ROUTE),
                _ => self.node(&entry.value),
            }
        }
    }

    fn step(&mut self, step: &Node) {
        match step.entries() {
            [entry] if STEPS.contains(&entry.key.text.as_str()) => {}
            // That it stands where it stands does count: before it, answers are treated once more.
            [entry] if entry.key.text == "cache" => {
                self.text("cache");
                self.node_but(&entry.value, CACHE);
            }
            _ => self.node(step),
        }
    }
}

/// Sections that say nothing of answers.
const SECTIONS: [&str; 10] =
    ["listen", "admin", "tls", "prices", "budgets", "lints", "alerts", "limits", "log", "telemetry"];
/// Steps that let requests pass or refuse them, and leave what they say alone.
const STEPS: [&str; 2] = ["limit", "budget"];
/// Where answers are kept, and not with what placeholders.
const STATE: &[&str] = &["dir", "redis", "prefix", "on_loss", "timeout", "gone_after"];
const PROVIDER: &[&str] = &["key", "keys", "pick", "price", "discount"];
const TARGET: &[&str] = &["price", "max_concurrent", "breaker"];
/// Which policy it is, and which requests it is for.
const WHOSE: [&str; 3] = ["policy", "for", "when"];
/// What holds for attempts, wherever they go.
const ROUTE: &[&str] = &["retry_on", "attempts_per_target", "timeouts", "on_disconnect", "shadow"];
/// Whether answers that call tools are kept is not among these: they would be given still.
const CACHE: &[&str] = &[
    "keep",
    "stale",
    "charge",
    "pace",
    "size",
    "entries",
    "largest",
    // Each is a part of where an answer lies, or only of how it is found there.
    "shared_by",
    "canonical",
    "similar",
    "max_temperature",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load::load;

    const FILES: [(&str, &str); 3] = [
        (
            "tidegate.yaml",
            "version: 1
import: [policies/*.yaml]
callers: { anonymous: true }
limits: { body: 1MiB }
state: { dir: one, placeholder_key: 0123456789abcdef0123456789abcdef }
log: { level: info }
telemetry: { otlp: \"http://127.0.0.1:4318\" }
providers:
  up: { kind: openai_compatible, url: \"${env:UP:-http://127.0.0.1:9/v1}\", key: \"${env:KEY:-k}\", price: { in: 1, out: 2 } }
  near: { kind: openai_compatible, url: \"http://127.0.0.1:8/v1\" }
targets: { main: { provider: up, model: m, max_concurrent: 9 } }
models: { chat: { targets: [main] } }
budgets: { all: { per: policy, usd: 5, window: month } }
",
        ),
        (
            "policies/p.yaml",
            "policy: p
for: { models: chat }
mode: enforce
steps:
  - limit: { per: key, requests: 60/min }
  - budget: [all]
  - redact: { find: [email], topics: { staff: { file: staff.txt } } }
  - rewrite: { system: \"Be brief.\" }
  - cache: { keep: 1h, tool_calls: false, canonical: true, similar: { by: near/small } }
route: { fallback: [main, near/m], timeouts: { whole: 2m } }
",
        ),
        ("policies/staff.txt", "Ada\n"),
    ];

    /// The imprint, once `from` in some file is `to`.
    fn imprint_with(from: &str, to: &str, environment: &[(&str, &str)]) -> String {
        let [own, _] = imprints_with(from, to, environment);
        own
    }

    /// The same, and the one that it has in common with others.
    fn imprints_with(from: &str, to: &str, environment: &[(&str, &str)]) -> [String; 2] {
        let folder = tempfile::tempdir().unwrap();
        let has = FILES.iter().filter(|(_, text)| text.contains(from)).count();
        assert!(has > 0, "`{from}` stands nowhere");
        for (name, text) in FILES {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replacen(from, to, 1)).unwrap();
        }
        let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded = load(&[folder.path().join("tidegate.yaml")], &Environment::of(variables, "/"));
        let Some(config) = &loaded.config else { panic!("{}", loaded.report(&loaded.problems)) };
        let policy = config.policies.iter().find(|policy| policy.name.value.as_str() != "q").unwrap();
        [policy.imprint.clone(), policy.common_imprint.clone()]
    }

    fn keeps(from: &str, to: &str) -> bool {
        imprint_with(from, to, &[]) == imprint_with("version: 1", "version: 1", &[])
    }

    #[test]
    fn what_bears_on_no_answer_keeps_them() {
        for (from, to) in [
            ("version: 1", "# more\nversion:   1"),
            ("mode: enforce", "# a comment\nmode: \n  enforce  # another"),
            ("1MiB", "2MiB"),
            ("level: info", "level: debug"),
            ("dir: one", "dir: another"),
            ("dir: one", "redis: \"redis://h\", prefix: x"),
            ("4318", "4319"),
            ("telemetry: { otlp: \"http://127.0.0.1:4318\" }\n", ""),
            ("usd: 5", "usd: 6"),
            ("in: 1", "in: 3"),
            ("${env:KEY:-k}", "${env:OTHER:-l}"),
            ("max_concurrent: 9", "max_concurrent: 8"),
            ("60/min", "61/min"),
            ("  - limit: { per: key, requests: 60/min }\n", ""),
            ("keep: 1h", "keep: 2h, size: 9MiB, stale: 1m, pace: 9ms"),
            ("canonical: true, similar: { by: near/small }", "canonical: false"),
            ("2m }", "3m, total: 9m }"),
            // Another policy.
            ("budgets:", "policies: [ { policy: q, for: { models: x }, route: main } ]\nbudgets:"),
        ] {
            assert!(keeps(from, to), "`{from}` → `{to}`");
        }
    }

    #[test]
    fn whatever_else_changes_starts_them_afresh() {
        for (from, to) in [
            ("find: [email]", "find: [email, phone]"),
            ("Ada", "Ada\nBob"),
            ("  - redact: { find: [email], topics: { staff: { file: staff.txt } } }\n", ""),
            ("Be brief.", "Be long."),
            (
                "  - rewrite: { system: \"Be brief.\" }\n  - cache: { keep: 1h, tool_calls: false, canonical: true, similar: { by: near/small } }\n",
                "  - cache: { keep: 1h, tool_calls: false, canonical: true, similar: { by: near/small } }\n  - rewrite: { system: \"Be brief.\" }\n",
            ),
            ("tool_calls: false", "tool_calls: true"),
            ("mode: enforce", "mode: observe"),
            ("mode: enforce", "when: 'request.model == \"m\"'"),
            ("[main, near/m]", "[near/m, main]"),
            ("[main, near/m]", "[main, near/n]"),
            ("[main, near/m], timeouts", "[main, near/m], losses: refuse, timeouts"),
            ("model: m,", "model: other,"),
            ("targets: [main]", "targets: [main, up/x]"),
            ("127.0.0.1:8", "127.0.0.1:7"),
            ("127.0.0.1:9", "127.0.0.1:7"),
            (
                "kind: openai_compatible, url: \"${env:UP:-",
                "kind: openai_compatible, headers: { a: b }, url: \"${env:UP:-",
            ),
            ("anonymous: true", "anonymous: true, user: header x-user"),
            ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeg"),
        ] {
            assert!(!keeps(from, to), "`{from}` → `{to}`");
        }
    }

    #[test]
    fn policies_that_would_answer_alike_have_an_imprint_in_common() {
        let common = |from: &str, to: &str| {
            let [_, common] = imprints_with(from, to, &[]);
            common
        };
        let plain = common("version: 1", "version: 1");
        for (from, to) in [
            ("policy: p", "policy: another"),
            ("for: { models: chat }", "for: { team: x }"),
            ("mode: enforce", "when: 'request.model == \"m\"'\nmode: enforce"),
        ] {
            assert_eq!(common(from, to), plain, "`{from}` → `{to}`");
        }
        for (from, to) in
            [("Be brief.", "Be long."), ("mode: enforce", "mode: observe"), ("[main, near/m]", "[near/m, main]")]
        {
            assert_ne!(common(from, to), plain, "`{from}` → `{to}`");
        }
    }

    #[test]
    fn a_reference_counts_by_what_it_stands_for_but_for_a_providers_key() {
        let with = |environment: &[(&str, &str)]| imprint_with("version: 1", "version: 1", environment);
        let plain = with(&[]);
        assert_eq!(with(&[("KEY", "another")]), plain);
        assert_ne!(with(&[("UP", "http://127.0.0.1:5/v1")]), plain);
    }

    #[test]
    fn what_nobody_has_thought_of_counts() {
        let span = Span::new(crate::policy::source::FileId::default(), 0, 0);
        let text = |text: &str| Node {
            value: Value::Scalar(super::super::tree::Scalar { text: text.into(), form: Form::Plain }),
            span,
        };
        let map = |key: &str, value: Node| {
            let key = super::super::tree::Key { text: key.into(), span };
            Node { value: Value::Map(vec![super::super::tree::Entry { key, value }]), span }
        };
        let hash = |say: &dyn Fn(&mut Imprint)| {
            let mut imprint = Imprint { hash: Sha256::new(), stands_for: HashMap::new() };
            say(&mut imprint);
            imprint.hash.finalize()
        };
        let step = |kind: &str, value: &str| hash(&|imprint| imprint.step(&map(kind, text(value))));
        assert_ne!(step("novel", "a"), step("novel", "b"));
        assert_eq!(step("limit", "a"), step("limit", "b"));
        let setting = |name: &str, value: &str| hash(&|imprint| imprint.step(&map("cache", map(name, text(value)))));
        assert_ne!(setting("novel", "a"), setting("novel", "b"));
        assert_eq!(setting("keep", "a"), setting("keep", "b"));
        let both = Node {
            value: Value::Map(
                [map("limit", text("a")), map("novel", text("b"))]
                    .iter()
                    .flat_map(|map| map.entries().to_vec())
                    .collect(),
            ),
            span,
        };
        assert_ne!(hash(&|imprint| imprint.step(&both)), step("limit", "a"));
    }
}
