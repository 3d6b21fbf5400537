//! The page of the admin port: it has everything in it, and shows what is there as text.

use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::support::browser::Browser;
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

/// Runs this with a browser at the page, on a thread of its own, where there is one.
async fn with_a_browser(house: &House, look: impl FnOnce(&mut Browser) + Send + 'static) {
    let url = format!("http://{}/", house.admin.address());
    let looking = tokio::task::spawn_blocking(move || {
        let Some(mut browser) = Browser::start() else {
            eprintln!("skipped: there is no `chromium`");
            return;
        };
        browser.open(&url);
        browser.wait_for("document.querySelector('#requests table a') !== null");
        look(&mut browser);
        assert_eq!(browser.complaints, Vec::<String>::new());
    });
    looking.await.unwrap();
}

/// What can be got at and is there to be seen, and what of it has the focus.
const REACHABLE: &str = "[...document.querySelectorAll('a[href], button, input')].filter(one => one.checkVisibility())";

#[tokio::test]
async fn everything_that_can_be_done_on_the_page_can_be_done_with_the_keyboard_and_one_sees_where_one_is() {
    let (_up, house, id) = busy().await;
    with_a_browser(&house, move |browser| {
        // What is renewed meanwhile must not matter here.
        browser.see("document.querySelector('#pause').click()");
        let all = browser.see(&format!("{REACHABLE}.length")).as_u64().unwrap();
        assert!(all > 8, "{all}");
        let mut visited = Vec::new();
        for _ in 0..all {
            browser.press("Tab");
            visited.push(browser.see(&format!("{REACHABLE}.indexOf(document.activeElement)")).as_i64().unwrap());
            let outline = browser.see("(style => style.outlineStyle + ' ' + parseFloat(style.outlineWidth))(getComputedStyle(document.activeElement))");
            assert_eq!(outline, "solid 2", "on {}", browser.see("document.activeElement.outerHTML"));
        }
        let order: Vec<i64> = (0..i64::try_from(all).unwrap()).collect();
        assert_eq!(visited, order, "not all are come to, in the order in which they stand");

        browser.see("document.querySelector('#pause').focus()");
        browser.press(" ");
        assert_eq!(browser.see("document.querySelector('#pause').getAttribute('aria-pressed')"), "false");
        browser.see("document.querySelector('#requests table a').focus()");
        browser.press("Enter");
        browser.wait_for("!document.querySelector('#decision').hidden && document.querySelector('#decision h2') !== null");
        assert_eq!(browser.see("location.hash"), format!("#{id}"));
        // Who is brought there by a key is told so: the focus is where the news is.
        browser.wait_for("document.activeElement === document.querySelector('#decision h2')");
        browser.see("document.querySelector('#decision a').focus()");
        browser.press("Enter");
        let there = format!("document.activeElement.getAttribute('href') === '#{id}'");
        browser.wait_for(&there);
        assert_eq!(browser.see("document.querySelector('#overview').hidden"), false);
    })
    .await;
}

/// The contrast of each text with what is behind it, by WCAG 2.2, and the least that is wanted of it.
const CONTRASTS: &str = r"
(() => {
  const numbers = colour => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = colour => {
    const [r, g, b] = numbers(colour).slice(0, 3).map(part => part / 255)
      .map(part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const ratio = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const texts = [...document.querySelectorAll('body *')].filter(one =>
    one.checkVisibility() && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
  const bars = [...document.querySelectorAll('.track i, .share i')].filter(one => one.checkVisibility());
  return [
    ...texts.map(one => [one.textContent.trim().slice(0, 40), ratio(light(getComputedStyle(one).color), light(behind(one))), 4.5]),
    ...bars.map(one => [one.className || 'bar', ratio(light(getComputedStyle(one).backgroundColor), light(behind(one.parentElement))), 3]),
  ];
})()";

#[tokio::test]
async fn every_text_of_the_page_can_be_read_by_day_and_by_night() {
    let (_up, house, id) = busy().await;
    with_a_browser(&house, move |browser| {
        for (place, shown) in [("", "#requests a"), (&id, "#decision .track i")] {
            browser.see(&format!("location.hash = '{place}'"));
            browser.wait_for(&format!("document.querySelector('{shown}')?.checkVisibility() === true"));
            for scheme in ["light", "dark"] {
                browser.prefer(scheme);
                let contrasts = browser.see(CONTRASTS);
                let contrasts = contrasts.as_array().unwrap();
                let weak: Vec<_> = contrasts.iter().filter(|one| one[1].as_f64() < one[2].as_f64()).collect();
                assert!(
                    contrasts.len() > 20 && weak.is_empty(),
                    "{scheme} at `{place}`: {weak:?} of {}",
                    contrasts.len()
                );
            }
        }
    })
    .await;
}
