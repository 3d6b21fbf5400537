//! Digests of long texts, which need not be made anew each time a text comes again.
//!
//! What is long comes again more often than not: a system prompt with each of its conversations, a document with each
//! question on it, all that has been said with each turn. Each thread remembers the digests of a few texts that came to it
//! twice, and the texts, which are compared to the last byte: to read a text once more takes an eighth of what its digest
//! does. What is remembered is at most [`SLOTS`] texts of [`MOST`] bytes, a MiB in all, until others take their places.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};

/// The BLAKE3 digest of a text.
pub fn of(text: &[u8]) -> [u8; 32] {
    if text.len() > MOST {
        return blake3::hash(text).into();
    }
    LATELY.with_borrow_mut(|lately| lately.digest(text))
}

thread_local! {
    static LATELY: RefCell<Lately> = RefCell::default();
}

/// Texts that came lately, each where its sample says.
#[derive(Default)]
struct Lately {
    slots: [Slot; SLOTS],
    /// Nobody can say beforehand which texts displace each other.
    samples: RandomState,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// The sample of the last text that came here and was not held.
    passed: Option<u64>,
}

struct Held {
    text: Vec<u8>,
    digest: [u8; 32],
}

impl Lately {
    fn digest(&mut self, text: &[u8]) -> [u8; 32] {
        let sample = self.samples.hash_one(sample(text));
        let Some(slot) = self.slots.get_mut(sample as usize % SLOTS) else { return blake3::hash(text).into() };
        match &slot.held {
            Some(held) if held.text == text => held.digest,
            _ => slot.pass(text, sample),
        }
    }
}

impl Slot {
    /// A text that is not held here takes the place of the one that is when it comes twice in a row.
    fn pass(&mut self, text: &[u8], sample: u64) -> [u8; 32] {
        let digest = blake3::hash(text).into();
        if self.passed.replace(sample) == Some(sample) {
            let mut place = self.held.take().map(|held| held.text).unwrap_or_default();
            place.clear();
            place.extend_from_slice(text);
            self.held = Some(Held { text: place, digest });
        }
        digest
    }
}

/// Enough of a text to tell most others from it: its length, and some of its bytes.
fn sample(text: &[u8]) -> (usize, [Option<&[u8; 8]>; SAMPLES], Option<&[u8; 8]>) {
    let nth = |nth: usize| text.get(text.len() / SAMPLES * nth..)?.first_chunk();
    (text.len(), std::array::from_fn(nth), text.last_chunk())
}

const SLOTS: usize = 32;
/// Longer texts are not remembered; bytes.
const MOST: usize = 32 * 1024;
const SAMPLES: usize = 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_held(text: &[u8]) -> bool {
        LATELY.with_borrow(|lately| lately.slots.iter().flat_map(|slot| &slot.held).any(|held| held.text == text))
    }

    #[test]
    fn a_text_that_comes_twice_is_held_until_another_does_in_its_place() {
        let (text, others) = (vec![b'a'; 5_000], (0..2_000).map(|n| format!("{n:05000}").into_bytes()));
        let digest = of(&text);
        assert!(!is_held(&text));
        assert_eq!(of(&text), digest);
        assert!(is_held(&text));
        let others: Vec<_> = others.collect();
        others.iter().for_each(|other| drop(of(other)));
        assert!(is_held(&text), "none of them has come twice");
        others.iter().for_each(|other| drop([of(other), of(other)]));
        assert!(!is_held(&text));
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
