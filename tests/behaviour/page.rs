//! The page of the admin port: it has everything in it, and shows what is there as text.

use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::support::{Answered, FakeUpstream, House, chat, completion, whole};

/// A gateway with some traffic behind it, of a model whose name would be markup.
async fn busy() -> (FakeUpstream, House, String) {
    let failing = whole(500, r#"{"error":{"message":"oh","type":"x"}}"#);
    let up = FakeUpstream::start(vec![failing, whole(200, &completion("hi"))]).await;
    let house = House::with(&format!(
        "telemetry: {{ decisions: {{ dir: kept }} }}\n\
         providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }}\n\
         budgets: {{ all: {{ per: policy, usd: 5, window: day }} }}\n\
         policies: [{{ policy: p, steps: [{{ budget: [all] }}], route: {{ fallback: [up], attempts_per_target: 2, retry_on: [server_error] }} }}]\n",
        up.url()
    ))
    .await;
    let answer = house.http.post("/v1/chat/completions", &chat(MARKUP)).await;
    assert_eq!(answer.status, 200);
    let id = answer.header("x-request-id").to_owned();
    (up, house, id)
}

const MARKUP: &str = "<img src=x onerror=alert(1)>";

async fn page(house: &House) -> Answered {
    let accept = [("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")];
    house.admin.send(http::Method::GET, "/", &accept, Default::default()).await
}

/// What stands between a tag and its end.
fn inside<'a>(html: &'a str, tag: &str) -> &'a str {
    let from = html.find(&format!("<{tag}>")).unwrap() + tag.len() + 2;
    let to = html.rfind(&format!("</{tag}>")).unwrap();
    &html[from..to]
}

#[tokio::test]
async fn the_page_runs_its_own_script_and_nothing_else() {
    let (_up, house, _) = busy().await;
    let page = page(&house).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    for (directive, tag) in [("script-src", "script"), ("style-src", "style")] {
        let hash = BASE64_STANDARD.encode(Sha256::digest(inside(page.text(), tag)));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{directive} is not of the page: {policy}");
        assert_eq!(page.text().matches(&format!("<{tag}")).count(), 1);
    }
    for expected in ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"] {
        assert!(policy.contains(expected), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn the_page_refers_to_nothing_outside_and_makes_no_markup() {
    let (_up, house, _) = busy().await;
    let page = page(&house).await;
    let (script, style) = (inside(page.text(), "script"), inside(page.text(), "style"));
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link rel=\"stylesheet\"", " style="] {
        assert!(!page.text().contains(outside), "`{outside}` is in the page");
    }
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "import("] {
        assert!(!script.contains(markup), "`{markup}` is in the script");
    }
    assert!(!style.contains("//"));
}

#[tokio::test]
async fn whoever_does_not_ask_for_a_page_gets_the_paths_as_text() {
    let (_up, house, _) = busy().await;
    let answer = house.admin.get("/").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(answer.text().contains("/decisions"));
}

/// What a browser makes of a page, and what it has to complain about; `None` where there is no browser.
async fn browsed(house: &House, fragment: &str) -> Option<(String, Vec<String>)> {
    let url = format!("http://{}/{fragment}", house.admin.address());
    let output = tokio::task::spawn_blocking(move || chromium(&url)).await.unwrap()?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints = complaints.lines().filter(|line| line.contains("CONSOLE")).map(ToOwned::to_owned).collect();
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), complaints))
}

fn chromium(url: &str) -> Option<Output> {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]);
    command.args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
    command.output().ok()
}

#[tokio::test]
async fn a_browser_shows_what_is_going_on_without_a_complaint_where_there_is_one() {
    let (_up, house, id) = busy().await;
    let Some((shown, complaints)) = browsed(&house, "").await else {
        eprintln!("skipped: there is no `chromium`");
        return;
    };
    assert_eq!(complaints, Vec::<String>::new());
    for expected in ["&lt;img src=x onerror=alert(1)&gt;", "200 ok", "policy", "$0.0000300", "closed"] {
        assert!(shown.contains(expected), "no `{expected}` in\n{shown}");
    }
    assert!(!shown.contains("<img"));
    let (decision, complaints) = browsed(&house, &format!("#{id}")).await.unwrap();
    assert_eq!(complaints, Vec::<String>::new());
    for expected in [&id, "1. up", "server error", "2. up", "class=\"track\""] {
        assert!(decision.contains(expected), "no `{expected}` in\n{decision}");
    }
}
