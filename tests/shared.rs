//! Several gateways, as processes, that share one store.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tidegate::base::ids::AccountId;
use tidegate::base::secret::Secret;
use tidegate::state::shared::{OnLoss, Settings};
use tidegate::state::{CostLine, Ledger as _, Shared, Slot, read};

use support::redis::Redis;
use support::running::{Running, ask, ask_on, flood, get};

mod support;

/// A dollar for a million tokens in, and ten for a million out.
const SIMULATOR: &str = "providers: { sim: { kind: simulator, price: { in: 1, out: 10 } } }
";
const STRICT: &str = "budgets: { all: { per: policy, usd: 0.20, window: total, mode: strict, max_output: 100 } }
policies: [{ policy: p, steps: [{ budget: [all] }], route: sim }]
";
const CAP: i64 = 200_000_000;

/// A gateway in a folder of its own, with a log of its own lines.
struct Member {
    folder: TempDir,
    running: Running,
}

impl Member {
    fn start(redis: &Redis, state: &str, rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "version: 1\ncallers: {{ anonymous: true }}\nstate: {{ redis: \"{}\", dir: state, {state} }}\n{SIMULATOR}{rest}",
            redis.url()
        );
        std::fs::write(folder.path().join("tidegate.yaml"), text).unwrap();
        let running = Running::start(folder.path());
        Self { folder, running }
    }

    /// Ends in good order, which waits for the books; what is on its bill.
    fn stop(self) -> Vec<CostLine> {
        self.running.stop();
        self.running.wait();
        lines(&self.folder.path().join("state"))
    }

    fn status(&self, model: &str) -> String {
        let answer = ask(&self.running.address, model).unwrap();
        answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }
}

fn lines(state: &Path) -> Vec<CostLine> {
    read::records(state).unwrap().flat_map(|record| record.unwrap().entry.lines().to_vec()).collect()
}

fn cost(lines: &[CostLine]) -> i64 {
    lines.iter().map(|line| line.cost.0).sum()
}

async fn store(redis: &Redis) -> Shared {
    let settings = Settings {
        url: Secret::new(redis.url()),
        prefix: "tidegate".into(),
        on_loss: OnLoss::Refuse,
        timeout: Duration::from_secs(10),
        gone_after: Duration::from_secs(2),
    };
    Shared::open(&settings, None).await.unwrap()
}

async fn standing(store: &Shared, account: &str) -> (i64, i64) {
    let (spent, held) = store.standing(&AccountId::new(account), Slot::FIRST).await.unwrap();
    (spent.0, held.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_gateways_spend_no_more_together_than_there_is() {
    let redis = Redis::start();
    let members = [0, 1, 2].map(|_| Member::start(&redis, "timeout: 30s", STRICT));
    let addresses = members.each_ref().map(|member| member.running.address.as_str());
    let (answered, refused) = flood(&addresses).await;
    assert!(answered > 100 && refused > 100 && answered + refused == 2_000, "{answered} answered, {refused} refused");
    let shown = get(&members[0].running.admin, "/budgets");
    assert!(shown.contains(r#""account":"all/p""#), "{shown}");
    let bills = members.map(Member::stop);
    assert!(bills.iter().all(|bill| !bill.is_empty()), "somebody was never asked");
    let store = store(&redis).await;
    let account = &store.accounts().await.unwrap()[0];
    assert_eq!(account.held.0, 0);
    assert_eq!(account.spent.0, bills.iter().map(|bill| cost(bill)).sum::<i64>());
    assert_eq!(bills.iter().map(Vec::len).sum::<usize>(), answered);
    assert!(account.spent.0 <= CAP, "{} of {CAP}", account.spent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_held_is_booked_once() {
    let redis = Redis::start();
    let members = [0, 1, 2].map(|_| Member::start(&redis, "timeout: 10s, gone_after: 2s", STRICT));
    let (answered, refused, is_over) = (Mutex::new(HashSet::new()), AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for member in &members {
            (0..4).for_each(|_| drop(scope.spawn(|| ask_on(&member.running.address, &answered, &refused, &is_over))));
        }
        while answered.lock().unwrap().len() < 30 {
            std::thread::yield_now();
        }
        members[0].running.kill();
        let then = answered.lock().unwrap().len();
        while answered.lock().unwrap().len() < then + 30 {
            std::thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let store = store(&redis).await;
    let name = store.accounts().await.unwrap()[0].account.to_string();
    while standing(&store, &name).await.1 > 0 {
        tokio::task::yield_now().await;
    }
    let [dead, second, third] = members;
    dead.running.wait();
    let (second, third) = (second.stop(), third.stop());
    let each = second[0].cost.0;
    assert!(second.iter().chain(&third).all(|line| line.cost.0 == each), "requests do not all cost the same");
    let (settled, late, assumed) = ended(&redis);
    assert_eq!(standing(&store, &name).await, (settled * each + assumed, 0));
    assert!(standing(&store, &name).await.0 <= CAP);
    // Whatever was answered is settled or assumed, and nothing else is but for what was under way.
    let answered = answered.lock().unwrap().len() as i64;
    assert!(
        answered <= settled + late && settled <= answered + 12,
        "{answered} answered, {settled} settled, {late} late"
    );
    assert!((second.len() + third.len()) as i64 <= settled, "{settled} settled");
}

/// How many holds were settled, how many are over all the same, and what those are assumed to have cost.
fn ended(redis: &Redis) -> (i64, i64, i64) {
    let (mut settled, mut late, mut assumed) = (0, 0, 0);
    for key in redis.ask(&["--scan", "--pattern", "{tidegate}:h:*"]).lines() {
        let hold: serde_json::Value = serde_json::from_str(&redis.ask(&["GET", key])).unwrap();
        match hold["s"].as_str() {
            Some("done") => settled += 1,
            Some("late") => {
                late += 1;
                assumed += hold["l"][0][1].as_str().unwrap().parse::<i64>().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    (settled, late, assumed)
}

const TWO_WAYS: &str = "budgets:
  tight: { per: policy, usd: 5, window: total }
  loose: { per: policy, usd: 5, window: total, when_unavailable: allow }
policies:
- policy: tight
  for: { models: [tight] }
  steps: [{ budget: [tight] }]
  route: sim
- policy: loose
  for: { models: [loose] }
  steps: [{ budget: [loose] }]
  route: sim
";

/// Asks until the gateway has its store again.
fn back(member: &Member) {
    while member.status("tight") != "200" {
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_each_budget_says_what_happens_and_nothing_is_lost() {
    let mut redis = Redis::start();
    let member = Member::start(&redis, "timeout: 1s", TWO_WAYS);
    let is_over = AtomicBool::new(false);
    for round in 0..4 {
        std::thread::scope(|scope| {
            is_over.store(false, Ordering::Relaxed);
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = ask(&member.running.address, "tight").unwrap();
                    assert!(answer.starts_with("HTTP/1.1 200") || answer.contains("budget_unavailable"), "{answer}");
                }
            });
            back(&member);
            if round % 2 == 0 {
                redis.freeze()
            } else {
                redis.stop()
            }
            while member.status("tight") != "503" {}
            assert_eq!(member.status("loose"), "200");
            assert!(get(&member.running.admin, "/readyz").starts_with("HTTP/1.1 200"));
            let told = get(&member.running.admin, "/budgets");
            assert!(told.starts_with("HTTP/1.1 503"), "{told}");
            if round % 2 == 0 {
                redis.thaw()
            } else {
                redis.start_again()
            }
            back(&member);
            is_over.store(true, Ordering::Relaxed);
        });
    }
    let bill = member.stop();
    let tight: Vec<CostLine> =
        bill.into_iter().filter(|line| line.policy.as_ref().is_some_and(|policy| policy.as_str() == "tight")).collect();
    let store = store(&redis).await;
    let account =
        store.accounts().await.unwrap().into_iter().find(|account| account.account.as_str().starts_with("tight"));
    let account = account.unwrap();
    assert_eq!((account.spent.0, account.held.0), (cost(&tight), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_alone_spends_its_share_and_books_it_afterwards() {
    let mut redis = Redis::start();
    let small = TWO_WAYS.replace("usd: 5", "usd: 0.02");
    let member = Member::start(&redis, "timeout: 1s, on_loss: local_share", &small);
    assert_eq!(member.status("tight"), "200");
    redis.stop();
    let passed = (0..1_000).take_while(|_| member.status("tight") == "200").count();
    assert!((1..999).contains(&passed), "{passed} have passed alone");
    assert_eq!(member.status("tight"), "402");
    redis.start_again();
    while get(&member.running.admin, "/budgets").starts_with("HTTP/1.1 503") {
        std::thread::yield_now();
    }
    let store = store(&redis).await;
    let bill = member.stop();
    let account = &store.accounts().await.unwrap()[0];
    assert_eq!((account.spent.0, account.held.0), (cost(&bill), 0));
    assert_eq!(bill.len(), passed + 1);
    assert!(account.spent.0 <= 20_000_000, "{}", account.spent);
}

const LIMITED: &str = "policies:
- policy: p
  steps: [{ limit: { per: policy, requests: 10/h } }]
  route: sim
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_holds_for_two_gateways_together() {
    let redis = Redis::start();
    let (first, second) =
        (Member::start(&redis, "timeout: 10s", LIMITED), Member::start(&redis, "timeout: 10s", LIMITED));
    let passed = (0..10).flat_map(|_| [first.status("chat"), second.status("chat")]).filter(|status| status == "200");
    assert_eq!(passed.count(), 10);
}
