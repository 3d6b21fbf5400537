//! The sandbox by itself.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use tidegate::wasm::types::{ChatRequest, Context, Message, Part, Role, Verdict};
use tidegate::wasm::{Abilities, Call, Component, Engine, Isolation, Limits, Log, Plugin, Setup, Trouble, log};

use crate::probe::{Hooks, built};

struct Quiet;

impl Log for Quiet {
    fn write(&self, _: log::Level, _: &str) {}
}

fn setup(config: &str, limits: Limits) -> Setup {
    let abilities = Abilities::none(Arc::new(Quiet));
    Setup { limits, abilities, config: config.into(), isolation: Isolation::Pooled }
}

fn plugin(config: &str, limits: Limits) -> Plugin {
    let engine = Engine::of_process().unwrap();
    let bytes = std::fs::read(built(Hooks::Request)).unwrap();
    let component = Component::load(engine, &bytes, &limits).unwrap_or_else(|unfit| panic!("{unfit}"));
    Plugin::new(component, setup(config, limits)).unwrap_or_else(|trouble| panic!("{trouble}"))
}

fn context() -> Context {
    Context {
        request_id: "r".into(),
        policy: "p".into(),
        dialect: "openai_chat".into(),
        key: None,
        team: None,
        user: None,
        caller_tags: vec![],
        claims_json: None,
        headers: vec![],
        tags: vec![],
        deadline_ms: 1_000,
    }
}

fn request(text: &str) -> ChatRequest {
    let message = Message { role: Role::User, name: None, parts: vec![Part::Text(text.into())] };
    ChatRequest {
        model: "m".into(),
        messages: vec![message],
        tools: vec![],
        params_json: "{}".into(),
        streaming: false,
    }
}

#[tokio::test]
async fn a_plugin_does_the_same_every_time_and_takes_as_much_fuel() {
    let limits = Limits { fuel: Some(100_000_000), ..Limits::default() };
    let plugin = plugin(r#"{"request":{"do":"show"}}"#, limits);
    let mut first = None;
    for _ in 0..1_000 {
        let call = Call::within(plugin.limits().wall);
        let mut taken = plugin.take(&call).await.unwrap();
        let outcome = taken.instance().unwrap().on_request(call, &context(), &request("hello")).await.unwrap();
        let fuel = taken.report().fuel;
        let said = format!("{:?} {fuel:?}", outcome.verdict);
        assert!(fuel.is_some_and(|fuel| fuel > 1_000), "{said}");
        taken.give_back();
        assert_eq!(*first.get_or_insert_with(|| said.clone()), said);
    }
}

#[tokio::test]
async fn a_report_tells_what_a_call_took() {
    let plugin = plugin(r#"{"request":{"do":"log","number":2,"text":"x"}}"#, Limits::default());
    let call = Call::within(plugin.limits().wall);
    let mut taken = plugin.take(&call).await.unwrap();
    let outcome = taken.instance().unwrap().on_request(call, &context(), &request("hello")).await.unwrap();
    assert!(matches!(outcome.verdict, Verdict::Pass));
    let report = taken.report();
    assert_eq!((report.host_calls, report.fuel), (2, None));
    assert!(report.memory >= 64 << 10 && !report.took.is_zero(), "{report:?}");
}

#[tokio::test]
async fn more_calls_than_instances_wait_and_then_find_none() {
    let limits = Limits { instances: 1, ..Limits::default() };
    let plugin = plugin("{}", limits);
    let call = Call::within(std::time::Duration::from_millis(50));
    let taken = plugin.take(&call).await.unwrap();
    assert!(matches!(plugin.take(&call).await, Err(Trouble::Unavailable(_))));
    taken.give_back();
    assert!(plugin.take(&Call::within(std::time::Duration::from_millis(50))).await.is_ok());
}

#[test]
fn what_was_compiled_is_kept_for_its_owner_alone_and_taken_back_only_whole() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("plugins");
    let bytes = std::fs::read(built(Hooks::Request)).unwrap();
    let load = || Component::load(&Engine::new(Some(cache.clone())).unwrap(), &bytes, &Limits::default());
    load().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o700);
    let files: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    let code = files.iter().find(|file| file.file_name().unwrap() != "key").unwrap();
    let kept = std::fs::read(code).unwrap();
    let begun = std::time::Instant::now();
    load().unwrap();
    assert!(begun.elapsed().as_millis() < 2_000);
    for at in [0, 40, kept.len() / 2, kept.len() - 1] {
        let mut broken = kept.clone();
        broken[at] ^= 1;
        std::fs::write(code, &broken).unwrap();
        load().unwrap();
        assert_eq!(std::fs::read(code).unwrap(), kept, "what does not hold is compiled anew and kept again");
    }
    std::fs::write(code, &kept[..kept.len() / 2]).unwrap();
    load().unwrap();
    assert_eq!(std::fs::read(code).unwrap().len(), kept.len());
}

#[test]
fn a_folder_that_others_can_write_to_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("plugins");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bytes = std::fs::read(built(Hooks::Request)).unwrap();
    Component::load(&Engine::new(Some(cache.clone())).unwrap(), &bytes, &Limits::default()).unwrap();
    let names: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["key"], "nothing is kept there");
}

#[test]
fn strings_of_another_encoding_are_not_taken() {
    let wat = r#"(component
        (core module $m (func (export "f") (param i32 i32)) (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" string) (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")) string-encoding=utf16))
        (component $c) (instance $e (instantiate $c))
        (export "tidegate:plugin/lifecycle@0.1.0" (instance $e))
        (export "tidegate:plugin/request-hook@0.1.0" (instance $e)))"#;
    let unfit = Component::load(Engine::of_process().unwrap(), &wat::parse_str(wat).unwrap(), &Limits::default());
    assert_eq!(unfit.err().unwrap().to_string(), "its strings are not UTF-8");
}
