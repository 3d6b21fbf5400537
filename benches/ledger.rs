//! What keeping books costs: the decision alone, the way to the disk, and promises that wait for it.
//!
//! Run `cargo bench --bench ledger`; a name after `--` picks benches, as criterion does. The folder is made
//! where temporary files are (`TMPDIR`); what a promise costs is what that disk's `fdatasync` costs. Those of the shared
//! store start a `redis-server` of their own, on a socket, so there is no network in their numbers.
#![expect(clippy::unwrap_used, reason = "a bench that cannot open its own books shall stop")]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use smallvec::smallvec;

use tidegate::base::ids::{AccountId, RequestId};
use tidegate::base::money::Nanos;
use tidegate::base::secret::Secret;
use tidegate::state::shared::{OnLoss, Settings};
use tidegate::state::{
    Books, Claim, CostLine, Counts, Durability, Embedded, HoldId, Ledger, Leg, Options, Settlement, Shared, Slot,
};

use redis::Redis;

#[path = "../tests/support/redis.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod redis;

/// Pairs of a reservation and its settlement between two looks at the clock.
const PAIRS: usize = 4096;
const RESERVERS: usize = 64;

/// Asks and answers like a gateway with two budgets on each request.
struct Caller {
    accounts: [AccountId; 2],
    now: Timestamp,
}

impl Caller {
    fn new() -> Self {
        Self { accounts: ["team/search", "key/ci"].map(AccountId::new), now: Timestamp::now() }
    }

    fn claim(&self, durability: Durability) -> Claim {
        let [team, key] = self.accounts.clone().map(|account| Leg {
            account,
            since: Slot(Slot::of(self.now).0 / 96 * 96),
            cap: Nanos(i64::MAX),
            amount: Nanos(30_000_000),
        });
        let hold = HoldId { request: RequestId::fresh(1), attempt: 0 };
        Claim {
            hold,
            at: self.now,
            legs: smallvec![team, key],
            lapses: self.now + SignedDuration::from_hours(1),
            durability,
        }
    }

    fn settlement(&self, hold: HoldId) -> Settlement {
        let line = CostLine {
            request: hold.request,
            attempt: hold.attempt,
            at: self.now,
            key: None,
            team: Some("search".into()),
            user: None,
            policy: None,
            model: "gpt-4.1".into(),
            target: None,
            provider: None,
            priced: None,
            usage: Counts { text_in: Some(1200), out: Some(300), ..Counts::default() },
            cost: Nanos(4_800_000),
            marks: Vec::new(),
        };
        Settlement { hold, at: self.now, lines: vec![line] }
    }
}

fn decide(criterion: &mut Criterion) {
    let (caller, mut books) = (Caller::new(), Books::default());
    criterion.bench_function("decide a reservation and its settlement", |bencher| {
        bencher.iter(|| {
            let claim = caller.claim(Durability::Soon);
            books.reserve(&claim).unwrap();
            books.settle(caller.settlement(claim.hold))
        });
    });
}

fn write(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (caller, ledger) = (Caller::new(), open(folder.path()));
    let mut group = criterion.benchmark_group("embedded");
    group.throughput(Throughput::Elements(PAIRS as u64)).sample_size(20);
    group.bench_function("reserve for soon, settle, all on disk in the end", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                for _ in 0..PAIRS {
                    let claim = caller.claim(Durability::Soon);
                    let hold = claim.hold;
                    ledger.reserve(claim).await.unwrap();
                    ledger.settle(caller.settlement(hold));
                }
                ledger.flush().await.unwrap();
            });
        });
    });
    group.throughput(Throughput::Elements(RESERVERS as u64));
    group.bench_function(format!("{RESERVERS} at a time reserve for now, then settle"), |bencher| {
        bencher.iter(|| {
            runtime.block_on(join_all((0..RESERVERS).map(|_| async {
                let claim = caller.claim(Durability::Now);
                let hold = claim.hold;
                ledger.reserve(claim).await.unwrap();
                ledger.settle(caller.settlement(hold));
            })));
        });
    });
    group.finish();
    ledger.close();
}

fn start(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (caller, ledger) = (Caller::new(), open(folder.path()));
    runtime.block_on(async {
        for _ in 0..PAIRS {
            let claim = caller.claim(Durability::Soon);
            let hold = claim.hold;
            ledger.reserve(claim).await.unwrap();
            ledger.settle(caller.settlement(hold));
        }
        ledger.flush().await.unwrap();
    });
    ledger.close();
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    group.bench_function("with sums at hand", |bencher| bencher.iter(|| open(folder.path()).close()));
    group.throughput(Throughput::Elements(2 * PAIRS as u64));
    group.bench_function("with sums made anew", |bencher| {
        bencher.iter(|| {
            std::fs::remove_dir_all(folder.path().join("sums")).unwrap();
            open(folder.path()).close();
        });
    });
    group.finish();
}

fn share(criterion: &mut Criterion) {
    let (redis, runtime) =
        (Redis::start(), tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let settings = Settings {
        url: Secret::new(redis.url()),
        prefix: "bench".into(),
        on_loss: OnLoss::Refuse,
        timeout: Duration::from_secs(10),
        gone_after: Duration::from_secs(30),
    };
    let (caller, ledger) = (Caller::new(), runtime.block_on(Shared::open(&settings, None)).unwrap());
    let pair = async || {
        let claim = caller.claim(Durability::Now);
        let hold = claim.hold;
        ledger.reserve(claim).await.unwrap();
        ledger.settle(caller.settlement(hold));
    };
    let mut group = criterion.benchmark_group("shared");
    group.bench_function("reserve, settle, and be sure of both", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                pair().await;
                ledger.flush().await.unwrap();
            });
        });
    });
    group.throughput(Throughput::Elements(RESERVERS as u64)).sample_size(20);
    group.bench_function(format!("{RESERVERS} at a time reserve, then settle"), |bencher| {
        bencher.iter(|| runtime.block_on(join_all((0..RESERVERS).map(|_| pair()))));
    });
    group.finish();
}

fn open(folder: &std::path::Path) -> Embedded {
    Embedded::open(folder, &Options::default(), Timestamp::now()).unwrap()
}

criterion_group!(benches, decide, write, start, share);
criterion_main!(benches);
