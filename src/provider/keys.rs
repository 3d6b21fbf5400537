//! Which of its keys a provider uses next.
//!
//! A key that the provider refuses is *benched*: passed over for a while that doubles with each refusal
//! in a row, until it is accepted once. When all are benched, the one benched longest ago is tried:
//! a provider is never given up silently.
//!
//! The state of a key belongs to the process, so a reload forgets neither a refused key nor what is in
//! flight with it. Keys are known here by their hash; nothing that is logged tells more than a key's index.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::base::ids::ProviderName;
use crate::base::secret::Secret;
use crate::provider::spec::Pick;

const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The states of all keys of the process.
#[derive(Debug)]
pub(super) struct Bench {
    began: Instant,
    keys: Mutex<HashMap<KeyId, Weak<Key>>>,
}

/// A key of a provider, by its hash.
type KeyId = (ProviderName, [u8; 32]);

/// A key's state. Times are milliseconds since the bench began; 0 is never.
#[derive(Debug, Default)]
struct Key {
    in_flight: AtomicUsize,
    refusals: AtomicU32,
    benched_at: AtomicU64,
    benched_until: AtomicU64,
}

/// The keys of one provider in the order they were written.
#[derive(Debug)]
pub(super) struct KeyRing {
    provider: ProviderName,
    pick: Pick,
    keys: Vec<Arc<Key>>,
    turn: AtomicUsize,
    began: Instant,
}

/// One exchange's use of a key. It counts as in flight until this is dropped: keep it as long as the answer.
#[derive(Debug)]
pub struct KeyUse(Option<(Arc<KeyRing>, usize)>);

impl Bench {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), keys: Mutex::default() }
    }

    /// The ring of a provider's keys, with what is already known of each.
    pub(super) fn ring(&self, provider: &ProviderName, keys: &[Secret], pick: Pick) -> KeyRing {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, key| key.strong_count() > 0);
        let mut state = |secret: &Secret| {
            let id = (provider.clone(), Sha256::digest(secret.expose()).into());
            let entry = known.entry(id).or_default();
            entry.upgrade().unwrap_or_else(|| {
                let key = Arc::default();
                *entry = Arc::downgrade(&key);
                key
            })
        };
        let keys = keys.iter().map(&mut state).collect();
        KeyRing { provider: provider.clone(), pick, keys, turn: AtomicUsize::new(0), began: self.began }
    }
}

impl KeyRing {
    /// Takes the key whose turn it is.
    pub(super) fn take(self: &Arc<Self>) -> KeyUse {
        let Some(index) = self.choose() else { return KeyUse(None) };
        if let Some(key) = self.keys.get(index) {
            key.in_flight.fetch_add(1, Ordering::Relaxed);
        }
        KeyUse(Some((Arc::clone(self), index)))
    }

    fn choose(&self) -> Option<usize> {
        if self.keys.len() < 2 {
            return (!self.keys.is_empty()).then_some(0);
        }
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % self.keys.len();
        let in_turn = || self.keys.iter().enumerate().cycle().skip(start).take(self.keys.len());
        let mut playing = in_turn().filter(|(_, key)| !self.is_benched(key));
        let chosen = match self.pick {
            Pick::RoundRobin => playing.next(),
            Pick::LeastBusy => playing.min_by_key(|(_, key)| key.in_flight.load(Ordering::Relaxed)),
        };
        let longest_benched = || in_turn().min_by_key(|(_, key)| key.benched_at.load(Ordering::Relaxed));
        chosen.or_else(longest_benched).map(|(index, _)| index)
    }

    fn is_benched(&self, key: &Key) -> bool {
        let until = key.benched_until.load(Ordering::Relaxed);
        until != 0 && until > self.now()
    }

    /// Puts a key on the bench. Refusals of requests that were under way when it was benched count once.
    fn bench(&self, index: usize, key: &Key) {
        let now = self.now();
        key.benched_at.store(now, Ordering::Relaxed);
        if self.is_benched(key) {
            return;
        }
        let before = key.refusals.fetch_add(1, Ordering::Relaxed);
        let pause = FIRST_PAUSE.saturating_mul(1 << before.min(16)).min(LONGEST_PAUSE);
        key.benched_until.store(now.saturating_add(pause.as_millis() as u64), Ordering::Relaxed);
        tracing::warn!(provider = %self.provider, key = index, pause_s = pause.as_secs(), "a key was refused; it is passed over for a while");
    }

    fn reinstate(&self, index: usize, key: &Key) {
        key.refusals.store(0, Ordering::Relaxed);
        key.benched_until.store(0, Ordering::Relaxed);
        tracing::info!(provider = %self.provider, key = index, "a key that was refused is accepted again");
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

impl KeyUse {
    /// The provider refused this key (401, or a 403 that is about the key).
    pub fn rejected(&self) {
        if let Some((ring, index, key)) = self.key() {
            ring.bench(index, key);
        }
    }

    pub(super) fn accepted(&self) {
        if let Some((ring, index, key)) = self.key()
            && key.refusals.load(Ordering::Relaxed) > 0
        {
            ring.reinstate(index, key);
        }
    }

    /// The place of the key among its provider's; `None` for a provider without keys.
    pub fn index(&self) -> Option<usize> {
        self.0.as_ref().map(|(_, index)| *index)
    }

    fn key(&self) -> Option<(&KeyRing, usize, &Key)> {
        let (ring, index) = self.0.as_ref()?;
        Some((ring, *index, ring.keys.get(*index)?))
    }
}

impl Drop for KeyUse {
    fn drop(&mut self) {
        if let Some((_, _, key)) = self.key() {
            key.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(bench: &Bench, keys: &[&str], pick: Pick) -> Arc<KeyRing> {
        let keys: Vec<_> = keys.iter().map(|key| Secret::new(*key)).collect();
        Arc::new(bench.ring(&ProviderName::new("openai"), &keys, pick))
    }

    fn next(ring: &Arc<KeyRing>) -> usize {
        ring.take().index().unwrap()
    }

    #[test]
    fn round_robin_takes_each_key_in_turn() {
        let ring = ring(&Bench::new(), &["a", "b", "c"], Pick::RoundRobin);
        assert_eq!([next(&ring), next(&ring), next(&ring), next(&ring)], [0, 1, 2, 0]);
    }

    #[test]
    fn least_busy_takes_the_key_with_the_fewest_exchanges() {
        let ring = ring(&Bench::new(), &["a", "b"], Pick::LeastBusy);
        let (first, second) = (ring.take(), ring.take());
        assert_ne!(first.index(), second.index());
        let freed = first.index();
        drop(first);
        assert_eq!(ring.take().index(), freed);
        assert_eq!(ring.take().index(), freed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_is_passed_over_and_comes_back() {
        let ring = ring(&Bench::new(), &["a", "b"], Pick::RoundRobin);
        tokio::time::advance(Duration::from_secs(1)).await;
        ring.take().rejected();
        assert_eq!([next(&ring), next(&ring), next(&ring)], [1, 1, 1]);
        tokio::time::advance(FIRST_PAUSE).await;
        let seen = [next(&ring), next(&ring)];
        assert!(seen.contains(&0));
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_in_a_row_doubles_the_pause_up_to_a_limit() {
        let ring = ring(&Bench::new(), &["a"], Pick::RoundRobin);
        let key = &ring.keys[0];
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let before = ring.now();
            ring.take().rejected();
            let until = key.benched_until.load(Ordering::Relaxed);
            pauses.push((until - before) / 1000);
            tokio::time::advance(LONGEST_PAUSE).await;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 600, 600]);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_one_moment_count_once() {
        let ring = ring(&Bench::new(), &["a"], Pick::RoundRobin);
        let uses: Vec<_> = (0..10).map(|_| ring.take()).collect();
        uses.iter().for_each(KeyUse::rejected);
        assert_eq!(ring.keys[0].refusals.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_benched_the_one_benched_longest_ago_is_tried() {
        let ring = ring(&Bench::new(), &["a", "b"], Pick::RoundRobin);
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(1)).await;
            ring.take().rejected();
        }
        assert_eq!([next(&ring), next(&ring)], [0, 0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        ring.take().rejected();
        assert_eq!(next(&ring), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_accepted_key_is_forgiven() {
        let ring = ring(&Bench::new(), &["a", "b"], Pick::RoundRobin);
        let first = ring.take();
        first.rejected();
        first.accepted();
        assert_eq!([next(&ring), next(&ring)], [1, 0]);
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_a_key() {
        let bench = Bench::new();
        let old = ring(&bench, &["a", "b"], Pick::RoundRobin);
        let _held = old.take();
        let new = ring(&bench, &["c", "a"], Pick::LeastBusy);
        assert_eq!(new.keys[1].in_flight.load(Ordering::Relaxed), 1);
        assert_eq!(new.keys[0].in_flight.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_provider_without_keys_has_nothing_to_refuse() {
        let used = ring(&Bench::new(), &[], Pick::RoundRobin).take();
        used.rejected();
        assert_eq!(used.index(), None);
    }
}
