//! Digests of long texts, which need not be made anew each time a text comes again.
//!
//! What is long comes again more often than not: a system prompt with each of its conversations, a document with each
//! question on it, all that has been said with each turn. Each thread remembers the digests of texts that came to it twice,
//! and the texts, which are compared to the last byte: to read a text once more takes a tenth of what its digest does. They
//! are at most a MiB for each thread, in memory and nowhere else, until others take their places.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, Hash, RandomState};

/// The BLAKE3 digest of a text.
pub fn of(text: &[u8]) -> [u8; 32] {
    if text.len() > MOST {
        return blake3::hash(text).into();
    }
    LATELY.with_borrow_mut(|lately| lately.digest(text))
}

thread_local! {
    static LATELY: RefCell<Lately> = RefCell::new(Lately::new());
}

/// Texts that came lately, each where its sample says.
struct Lately {
    slots: Vec<Slot>,
    /// Nobody can say beforehand which texts displace each other.
    samples: RandomState,
    /// Bytes of the texts that are held.
    held: usize,
    /// The slot whose text makes room next.
    hand: usize,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// The sample of the last text that came here and was not held.
    passed: Option<u64>,
}

struct Held {
    text: Box<[u8]>,
    digest: [u8; 32],
}

impl Lately {
    fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Slot::default()).collect(), samples: RandomState::new(), held: 0, hand: 0 }
    }

    fn digest(&mut self, text: &[u8]) -> [u8; 32] {
        let sample = self.samples.hash_one(sample(text));
        let nth = sample as usize % SLOTS;
        let Some(slot) = self.slots.get_mut(nth) else { return blake3::hash(text).into() };
        if let Some(held) = slot.held.as_ref().filter(|held| *held.text == *text) {
            return held.digest;
        }
        let digest = blake3::hash(text).into();
        if slot.passed.replace(sample) == Some(sample) {
            self.hold(nth, Held { text: text.into(), digest });
        }
        digest
    }

    /// A text that comes twice in a row takes the place of the one that is there, and of others if there is no room.
    fn hold(&mut self, nth: usize, held: Held) {
        self.drop_text(nth);
        while self.held + held.text.len() > ROOM {
            self.drop_text(self.hand);
            self.hand = (self.hand + 1) % SLOTS;
        }
        if let Some(slot) = self.slots.get_mut(nth) {
            self.held += held.text.len();
            slot.held = Some(held);
        }
    }

    fn drop_text(&mut self, nth: usize) {
        let held = self.slots.get_mut(nth).and_then(|slot| slot.held.take());
        self.held -= held.map_or(0, |held| held.text.len());
    }
}

/// Enough of a text to tell most others from it: its length, and some of its bytes.
fn sample(text: &[u8]) -> impl Hash + use<'_> {
    let nth = |nth: usize| text.get(text.len() / SAMPLES * nth..)?.first_chunk::<8>();
    (text.len(), std::array::from_fn::<_, SAMPLES, _>(nth), text.last_chunk::<8>())
}

const SLOTS: usize = 256;
/// Bytes that all texts of a thread may take.
const ROOM: usize = 1024 * 1024;
/// Longer texts are not remembered.
const MOST: usize = ROOM / 4;
const SAMPLES: usize = 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held() -> Vec<Box<[u8]>> {
        LATELY.with_borrow(|lately| {
            lately.slots.iter().flat_map(|slot| &slot.held).map(|held| held.text.clone()).collect()
        })
    }

    fn is_held(text: &[u8]) -> bool {
        held().iter().any(|held| **held == *text)
    }

    #[test]
    fn a_text_that_comes_twice_is_held_until_another_does_in_its_place() {
        let (text, others) = (vec![b'a'; 5_000], (0..2_000).map(|n| format!("{n:05000}").into_bytes()));
        let digest = of(&text);
        assert!(!is_held(&text));
        assert_eq!(of(&text), digest);
        assert!(is_held(&text));
        let others: Vec<_> = others.collect();
        for other in &others {
            of(other);
        }
        assert!(is_held(&text), "none of them has come twice");
        for other in others.iter().flat_map(|other| [other; 2]) {
            of(other);
        }
        assert!(!is_held(&text));
    }

    #[test]
    fn texts_that_are_held_have_a_room_that_is_never_exceeded() {
        for nth in 0..500_usize {
            let mut text = vec![b'a'; 2_048 + nth * 550];
            text.truncate(MOST);
            text.extend(nth.to_be_bytes());
            text.drain(..8);
            assert_eq!([of(&text), of(&text)], [*blake3::hash(&text).as_bytes(); 2]);
            assert!(is_held(&text));
            let bytes: usize = held().iter().map(|text| text.len()).sum();
            assert!(bytes <= ROOM && (nth < 250 || bytes > ROOM / 2), "{bytes}");
            assert_eq!(bytes, LATELY.with_borrow(|lately| lately.held));
        }
    }

    #[test]
    fn what_is_very_long_is_not_held() {
        let text = vec![b'a'; MOST + 1];
        assert_eq!([of(&text), of(&text)], [*blake3::hash(&text).as_bytes(); 2]);
        assert!(!is_held(&text));
    }

    proptest! {
        /// Of one length and few letters, so that many differ where no sample is taken, or share a place.
        #[test]
        fn a_text_has_its_own_digest_whatever_came_before(
            texts in prop::collection::vec((0_usize..600, 0_usize..600, prop::sample::select(vec![0, 1, 7, 600])), 1..40),
        ) {
            for (one, other, length) in texts {
                let mut text = vec![b'a'; length];
                for at in [one, other] {
                    if let Some(letter) = text.get_mut(at) {
                        *letter = b'b';
                    }
                }
                for _ in 0..2 {
                    prop_assert_eq!(of(&text), *blake3::hash(&text).as_bytes());
                }
            }
        }
    }
}
