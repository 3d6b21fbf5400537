//! What a plugin reaches: exactly what its policy grants.

use tidegate::base::ids::AccountId;
use tidegate::base::money::Nanos;
use tidegate::state::Slot;

use crate::probe::{Hooks, built, file, house};
use crate::support::{FakeUpstream, House, chat, completion, whole, whole_with};

const CHAT: &str = "/v1/chat/completions";

async fn said(grants: &str, act: &str) -> String {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let step = format!("grants: [{grants}], config: {{ request: {act} }}");
    let answer = house(&upstream, Hooks::Request, &step).await.http.post(CHAT, &chat("m")).await;
    if answer.status == 200 { answer.says() } else { format!("refused: {}", answer.json()["error"]["message"]) }
}

#[tokio::test]
async fn what_is_not_granted_says_so() {
    assert_eq!(said("", "{ do: keep, text: get k }").await, "Error::Denied");
    assert!(said("", "{ do: fetch, text: 'https://example.org/' }").await.starts_with("Error::Denied"));
    assert!(said("", "{ do: ask, text: up }").await.starts_with("Error::Denied"));
    assert_eq!(said("", "{ do: sign, text: SIGNING }").await, "Err(Error::Denied) Err(Error::Denied)");
    for act in ["{ do: time }", "{ do: random }", "{ do: count, text: seen }"] {
        assert!(said("", act).await.contains("broke off"), "{act}");
    }
    assert!(said("{ metrics: [other] }", "{ do: count, text: seen }").await.contains("broke off"));
}

#[tokio::test]
async fn time_randomness_and_counters_work_where_granted() {
    assert!(said("clock", "{ do: time }").await.parse::<u64>().unwrap() > 1_700_000_000);
    assert_eq!(said("random", "{ do: random }").await, "16");
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let step = "grants: [{ metrics: [seen] }], config: { request: { do: count, text: seen } }";
    let house = house(&upstream, Hooks::Request, step).await;
    house.http.post(CHAT, &chat("m")).await;
    let metrics = house.admin.get("/metrics").await.text().to_owned();
    let count = "tidegate_plugin_count_total{plugin=\"probe\",policy=\"p\",name=\"seen\",label=\"a label\"} 2";
    assert!(metrics.contains(count), "{metrics}");
}

#[tokio::test]
async fn a_secret_signs_and_is_shown_only_where_that_is_granted() {
    let signed = said("{ secrets: [SIGNING] }", "{ do: sign, text: SIGNING }").await;
    assert!(signed.starts_with("Ok(\"") && signed.ends_with("Err(Error::Denied)"), "{signed}");
    let revealed = said("{ secrets.reveal: [SIGNING] }", "{ do: sign, text: SIGNING }").await;
    assert!(revealed.contains(&std::env::var("PATH").unwrap()), "{revealed}");
}

/// Two policies with the same plugin, and one with another of its kind.
#[tokio::test]
async fn what_is_kept_is_kept_and_no_other_plugin_or_policy_comes_upon_it() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let step = |name: &str, act: &str| {
        format!(
            "{{ plugin: {{ wasm: \"{}\", name: {name}, grants: [kv], config: {{ request: {{ do: keep, text: {act} }} }} }} }}",
            crate::probe::built(Hooks::Request).display()
        )
    };
    let policies =
        [("set", "a", "set k mine"), ("get", "a", "get k"), ("other-get", "b", "get k"), ("add", "a", "add n")];
    let text: String = policies
        .iter()
        .map(|(model, name, act)| {
            // One policy of one name would be one scope; here each model is a policy of its own.
            format!(
                "  - policy: {model}\n    for: {{ models: [{model}] }}\n    steps: [{}]\n    route: up\n",
                step(name, act)
            )
        })
        .collect();
    let text =
        format!("providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n{text}", upstream.url());
    let house = House::with(&text).await;
    let ask = async |model: &str| house.http.post(CHAT, &chat(model)).await.says();
    assert_eq!(ask("set").await, "Ok(())");
    assert_eq!((ask("get").await.as_str(), ask("other-get").await.as_str()), ("nothing", "nothing"));
    assert_eq!((ask("add").await.as_str(), ask("add").await.as_str()), ("Ok(1)", "Ok(2)"));
    // The same policy, changed: what it has set before is still there.
    house.write("tidegate.yaml", &text.replace("set k mine", "get k"));
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(ask("set").await, "mine");
}

#[tokio::test]
async fn another_server_is_called_where_granted_and_only_there() {
    let server = FakeUpstream::start(vec![whole(200, "pong")]).await;
    let url = server.url();
    assert_eq!(
        said(&format!("{{ http: ['POST {url}/check'] }}"), &format!("{{ do: fetch, text: '{url}/check' }}")).await,
        "200 pong"
    );
    assert_eq!(server.received()[0].header("x-from"), Some("probe"));
    for (grant, asked) in [
        (format!("{url}/check"), format!("{url}/other")),
        (format!("GET {url}"), format!("{url}/check")),
        ("https://example.org".to_owned(), format!("{url}/check")),
        (format!("{url}/check"), format!("{url}/check/../other")),
        (url.replace("127.0.0.1", "localhost"), format!("{url}/check")),
    ] {
        let denied = said(&format!("{{ http: ['{grant}'] }}"), &format!("{{ do: fetch, text: '{asked}' }}")).await;
        assert!(denied.starts_with("Error::Denied"), "{grant} {asked}: {denied}");
    }
    assert_eq!(server.count(), 1);
}

/// `localtest.me` and its like lead to this machine; here the hosts file does.
#[tokio::test]
async fn a_name_that_leads_inside_leads_nowhere() {
    let server = FakeUpstream::start(vec![whole(200, "pong")]).await;
    let own_name = std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_owned();
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    for host in
        [own_name.as_str(), "ip6-localhost", "localhost.localdomain"].into_iter().filter(|name| !name.is_empty())
    {
        let url = format!("http://{host}:{port}");
        let failed = said(&format!("{{ http: ['{url}'] }}"), &format!("{{ do: fetch, text: '{url}/x' }}")).await;
        assert!(failed.starts_with("Error::Failed"), "{host}: {failed}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_answer_read_without_end() {
    let other = FakeUpstream::start(vec![whole(200, "inside")]).await;
    let away = whole_with(302, &format!("location: {}/x\r\n", other.url()), "");
    let server = FakeUpstream::start(vec![away, whole(200, &"x".repeat(3 << 20))]).await;
    let url = server.url();
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let step = format!("grants: [{{ http: ['{url}'] }}], config: {{ request: {{ do: fetch, text: '{url}/x' }} }}");
    let house = house(&upstream, Hooks::Request, &step).await;
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "302 ");
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "Error::TooLarge");
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn a_model_is_asked_within_its_budget_and_never_through_the_policy_itself() {
    let upstream = FakeUpstream::answering(&completion("I am")).await;
    let step =
        "grants: [{ model: { ask: [up/small], tokens: 60/h } }], config: { request: { do: ask, text: up/small } }";
    let house = House::with(&file(&upstream, Hooks::Request, step)).await;
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "I am/2");
    // The plugin's own question went out once, as it was: no step has seen it.
    assert_eq!(upstream.count(), 1);
    let asked = upstream.received()[0].json();
    assert_eq!((asked["model"].as_str(), asked["max_tokens"].as_u64()), (Some("small"), Some(9)));
    for _ in 0..6 {
        house.http.post(CHAT, &chat("m")).await;
    }
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "Error::Budget");
    let stranger = step.replace("text: up/small", "text: up/large");
    let house = House::with(&file(&upstream, Hooks::Request, &stranger)).await;
    assert!(house.http.post(CHAT, &chat("m")).await.says().starts_with("Error::Denied"));
}

#[tokio::test]
async fn what_models_are_asked_is_on_the_bill_of_the_request_whenever_it_was_asked() {
    let upstream = FakeUpstream::answering(&completion("I am")).await;
    let (wasm, grants) = (built(Hooks::Response), "[{ model: { ask: [up/small], tokens: 10k/h } }]");
    let gateway = |plugins: &str| {
        format!(
            "budgets:\n  all: {{ per: policy, usd: 1, window: day }}\n\
             providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 2 }} }}\n\
             policies:\n  - policy: p\n    steps:\n      - budget: [all]\n{plugins}    route: up/small\n",
            upstream.url()
        )
    };
    let step = |name: &str| {
        let config = "{ response: { do: ask, text: up/small } }";
        format!(
            "      - plugin: {{ wasm: \"{}\", name: {name}, grants: {grants}, config: {config} }}\n",
            wasm.display()
        )
    };
    let spent = async |plugins: &str| {
        let house = House::with(&gateway(plugins)).await;
        assert!(house.http.post(CHAT, &chat("m")).await.says().starts_with("I am"));
        house.access_lines(1).await;
        let ledger = house.gateway.world().stores.ledger.clone().unwrap();
        ledger.standing(&AccountId::new("all/p"), Slot::FIRST).await.unwrap().0
    };
    let alone = spent("").await;
    assert!(alone > Nanos::ZERO);
    assert_eq!(spent(&step("one")).await.0, 2 * alone.0, "while the answer passes");
    assert_eq!(spent(&(step("one") + &step("two"))).await.0, 3 * alone.0, "by two plugins");
}
