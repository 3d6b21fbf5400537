//! What happens while the server cannot be reached, and afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::redis::Redis;
use super::{open, settings};
use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::contract::{claim, hold, leg, noon, settlement, standing};
use crate::state::shared::{OnLoss, Settings};
use crate::state::{Claim, Denied, Durability, Full, Ledger, NoPlace, Settlement, Slot};

/// Cuts connections after the server has answered and before the answer is passed on, so many times.
pub(super) struct Cutter {
    folder: tempfile::TempDir,
    left: Arc<AtomicUsize>,
}

impl Cutter {
    pub fn before(server: PathBuf) -> Self {
        let (folder, left) = (tempfile::tempdir().unwrap(), Arc::new(AtomicUsize::new(0)));
        let listener = UnixListener::bind(folder.path().join("proxy.sock")).unwrap();
        let cuts = Arc::clone(&left);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), Arc::clone(&cuts)));
            }
        });
        Self { folder, left }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("proxy.sock").display())
    }

    pub fn cut(&self, times: usize) {
        self.left.store(times, Ordering::SeqCst);
    }
}

async fn pass(mut client: UnixStream, server: impl AsRef<Path>, cuts: Arc<AtomicUsize>) {
    let mut server = UnixStream::connect(server).await.unwrap();
    let (mut up, mut down) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(read) if read > 0 => server.write_all(&up[..read]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                let is_cut = cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                if is_cut.is_ok() || client.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn hasty(url: &str) -> Settings {
    Settings { timeout: Duration::from_millis(200), ..settings(url) }
}

fn soon(hold: crate::state::HoldId, cap: i64, amount: i64) -> Claim {
    Claim { durability: Durability::Soon, ..claim(hold, [leg("a", cap, amount)]) }
}

/// Asks until the store is back.
async fn back(ledger: &dyn Ledger) {
    while ledger.standing(&AccountId::new("nobody"), Slot::FIRST).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_not_counted_twice() {
    let redis = Redis::start();
    let cutter = Cutter::before(redis.socket());
    let ledger = open(&settings(&cutter.url())).await;
    for round in 1..=20 {
        let hold = hold();
        cutter.cut(1);
        ledger.reserve(claim(hold, [leg("a", 1_000, 10)])).await.unwrap();
        assert_eq!(cutter.left.load(Ordering::SeqCst), 0, "nothing was cut");
        assert_eq!(standing(&ledger, "a").await, ((round - 1) * 7, 10));
        cutter.cut(1);
        ledger.settle(settlement(hold, 7));
        assert_eq!(standing(&ledger, "a").await, (round * 7, 0));
    }
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_told_again() {
    let redis = Redis::start();
    let ledger = open(&settings(&redis.url())).await;
    let hold = hold();
    redis.ask(&["SCRIPT", "FLUSH"]);
    ledger.reserve(claim(hold, [leg("a", 100, 10)])).await.unwrap();
    redis.ask(&["SCRIPT", "FLUSH"]);
    ledger.settle(settlement(hold, 7));
    assert_eq!(standing(&ledger, "a").await, (7, 0));
}

#[tokio::test]
async fn a_gateway_starts_without_the_store_and_promises_nothing() {
    let mut redis = Redis::start();
    redis.stop();
    let ledger = open(&hasty(&redis.url())).await;
    assert!(matches!(ledger.reserve(soon(hold(), 100, 1)).await, Err(Denied::Unavailable(_))));
    redis.start_again();
    back(&ledger).await;
    ledger.reserve(soon(hold(), 100, 1)).await.unwrap();
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_waited_for_once() {
    let redis = Redis::start();
    let ledger = open(&hasty(&redis.url())).await;
    ledger.reserve(soon(hold(), 100, 1)).await.unwrap();
    redis.freeze();
    let lost = hold();
    assert!(matches!(ledger.reserve(soon(lost, 100, 50)).await, Err(Denied::Unavailable(_))));
    // The settler finds out, and from then on nobody waits.
    assert!(ledger.flush().await.is_err());
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        assert!(ledger.reserve(soon(hold(), 100, 1)).await.is_err());
    }
    assert!(begun.elapsed() < Duration::from_millis(200), "a hundred waited {:?}", begun.elapsed());
    redis.thaw();
    back(&ledger).await;
    // The claim that was frozen half-way was given back, whichever of the two the server saw first.
    ledger.flush().await.unwrap();
    assert_eq!(standing(&ledger, "a").await, (0, 1));
}

#[tokio::test]
async fn a_settlement_waits_for_the_store_to_be_back() {
    let mut redis = Redis::start();
    let ledger = open(&hasty(&redis.url())).await;
    let hold = hold();
    ledger.reserve(soon(hold, 100, 50)).await.unwrap();
    redis.stop();
    ledger.settle(settlement(hold, 30));
    assert!(ledger.flush().await.is_err());
    redis.start_again();
    back(&ledger).await;
    assert_eq!(standing(&ledger, "a").await, (30, 0));
}

#[tokio::test]
async fn a_share_of_what_was_left_is_spent_alone_and_booked_afterwards() {
    let mut redis = Redis::start();
    let alone = Settings { on_loss: OnLoss::LocalShare, ..hasty(&redis.url()) };
    let (first, second) = (open(&alone).await, open(&alone).await);
    // The first hears of the second with its next sign of life.
    first.hub.are_alive(2);
    ledger_spends(&first, 1_000, 200).await;
    redis.stop();
    assert!(first.flush().await.is_err() || first.reserve(soon(hold(), 1_000, 1_000)).await.is_err());
    let taken = hold();
    first.reserve(soon(taken, 1_000, 400)).await.unwrap();
    assert!(matches!(first.reserve(soon(hold(), 1_000, 1)).await, Err(Denied::Overdrawn(_))), "400 is half of 800");
    first.settle(settlement(taken, 100));
    let open = hold();
    first.reserve(soon(open, 1_000, 300)).await.unwrap();
    let strict = Claim { durability: Durability::Now, ..soon(hold(), 1_000, 0) };
    assert!(matches!(first.reserve(strict).await, Err(Denied::Unavailable(_))));
    let unseen = Claim { durability: Durability::Soon, ..claim(hold(), [leg("never seen", 100, 1)]) };
    assert!(matches!(first.reserve(unseen).await, Err(Denied::Unavailable(_))));
    redis.start_again();
    back(&first).await;
    back(&second).await;
    assert_eq!(standing(&second, "a").await, (300, 300));
    first.settle(settlement(open, 250));
    assert_eq!(standing(&first, "a").await, (550, 0));
}

async fn ledger_spends(ledger: &dyn Ledger, cap: i64, cost: i64) {
    let hold = hold();
    ledger.reserve(soon(hold, cap, cost)).await.unwrap();
    ledger.settle(settlement(hold, cost));
    // Seen again, with all of it spent.
    let look = self::hold();
    ledger.reserve(soon(look, cap, 0)).await.unwrap();
    ledger.settle(Settlement { hold: look, at: noon(0), lines: Vec::new() });
}

#[tokio::test]
async fn what_a_dead_gateway_held_is_spent_and_a_late_settlement_still_counts_once() {
    let redis = Redis::start();
    let brief = Settings { gone_after: Duration::from_millis(600), ..settings(&redis.url()) };
    let (dead, alive) = (open(&brief).await, open(&brief).await);
    let (never, late) = (hold(), hold());
    dead.reserve(soon(never, 1_000, 30)).await.unwrap();
    dead.reserve(soon(late, 1_000, 20)).await.unwrap();
    let live = hold();
    alive.reserve(soon(live, 1_000, 5)).await.unwrap();
    // Not heard of for long: as if its time had passed.
    dead.hub.queue.close();
    while standing(&alive, "a").await != (50, 5) {
        tokio::task::yield_now().await;
    }
    let again = open(&brief).await;
    again.hub.holds.add(late);
    again.settle(settlement(late, 7));
    assert_eq!(standing(&again, "a").await, (37, 5));
    drop(dead);
}

#[tokio::test]
async fn places_of_a_dead_gateway_are_free_again_and_those_of_a_living_one_are_not() {
    let redis = Redis::start();
    let brief = Settings { gone_after: Duration::from_millis(600), ..settings(&redis.url()) };
    let (dead, alive) = (open(&brief).await, open(&brief).await);
    let (theirs, ours) = (dead.places(), alive.places());
    let _kept = ours.enter("k", 2, Duration::ZERO).await.ok().unwrap();
    let lost = theirs.enter("k", 2, Duration::ZERO).await.ok().unwrap();
    assert_eq!(ours.enter("k", 2, Duration::ZERO).await.err(), Some(NoPlace::Taken));
    dead.hub.queue.close();
    let _second = ours.enter("k", 2, Duration::from_secs(20)).await.ok().unwrap();
    // By now the lease of the first would be over, if nobody had renewed it.
    assert_eq!(ours.enter("k", 2, Duration::from_secs(1)).await.err(), Some(NoPlace::Taken));
    drop(lost);
}

#[tokio::test]
async fn two_gateways_share_a_rate_and_places() {
    let redis = Redis::start();
    let shared = settings(&redis.url());
    let (first, second) = (open(&shared).await, open(&shared).await);
    let rate = crate::base::units::Rate { amount: 10.try_into().unwrap(), per: Duration::from_secs(3600) };
    let (ours, theirs) = (first.windows(), second.windows());
    for left in (0..5).rev() {
        ours.take("k", rate, 1).await.unwrap();
        assert_eq!(theirs.take("k", rate, 1).await.unwrap().remaining, left * 2);
    }
    assert!(matches!(ours.take("k", rate, 1).await, Err(Full::Wait(_, wait)) if wait.as_secs() > 300));
    assert!(matches!(theirs.take("k", rate, 11).await, Err(Full::Never(_))));
    theirs.correct("k", rate, -3);
    second.flush().await.unwrap();
    assert!(ours.take("k", rate, 3).await.is_ok());
    let place = first.places().enter("p", 1, Duration::ZERO).await.ok().unwrap();
    assert_eq!(second.places().enter("p", 1, Duration::ZERO).await.err(), Some(NoPlace::Taken));
    drop(place);
    assert!(second.places().enter("p", 1, Duration::from_secs(10)).await.is_ok());
}

#[tokio::test]
async fn limits_without_the_store_are_unavailable_or_a_share() {
    let mut redis = Redis::start();
    let refusing = open(&hasty(&redis.url())).await;
    let sharing = open(&Settings { on_loss: OnLoss::LocalShare, ..hasty(&redis.url()) }).await;
    sharing.hub.are_alive(2);
    redis.stop();
    let rate = crate::base::units::Rate { amount: 4.try_into().unwrap(), per: Duration::from_secs(3600) };
    assert!(matches!(refusing.windows().take("k", rate, 1).await, Err(Full::Unavailable(_))));
    let places = refusing.places();
    assert!(matches!(places.enter("k", 1, Duration::ZERO).await.err(), Some(NoPlace::Unavailable(_))));
    let (windows, places) = (sharing.windows(), sharing.places());
    assert!(windows.take("k", rate, 1).await.is_ok() && windows.take("k", rate, 1).await.is_ok());
    assert!(matches!(windows.take("k", rate, 1).await, Err(Full::Wait(..))));
    let _kept = places.enter("k", 3, Duration::ZERO).await.ok().unwrap();
    assert_eq!(places.enter("k", 3, Duration::ZERO).await.err(), Some(NoPlace::Taken));
    redis.start_again();
}

#[tokio::test]
async fn what_is_older_than_four_hundred_days_is_one_sum() {
    let redis = Redis::start();
    let ledger = open(&settings(&redis.url())).await;
    let account = AccountId::new("a");
    for day in 0..3_i64 {
        let hold = hold();
        let at = noon(24 * 250 * day);
        let leg = crate::state::Leg { since: Slot::FIRST, ..leg("a", 1_000, 10) };
        ledger
            .reserve(Claim { at, lapses: at + jiff::SignedDuration::from_hours(1), ..claim(hold, [leg]) })
            .await
            .unwrap();
        ledger.settle(settlement(hold, 10));
    }
    assert_eq!(ledger.standing(&account, Slot::FIRST).await.unwrap(), (Nanos(30), Nanos(0)));
    assert_eq!(ledger.standing(&account, Slot::of(noon(24 * 200))).await.unwrap(), (Nanos(20), Nanos(0)));
    let key = redis.ask(&["--scan", "--pattern", "*:a:a"]);
    let fields = redis.ask(&["HKEYS", &key]);
    assert_eq!(fields.lines().filter(|field| field.starts_with('s')).count(), 3, "{fields}");
    assert!(fields.lines().any(|field| field == "s0"), "{fields}");
}
