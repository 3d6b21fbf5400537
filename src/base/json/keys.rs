//! The keys of one object, each of which may be there once.

use std::borrow::Cow;
use std::collections::HashSet;

use smallvec::SmallVec;

/// Keys by their characters. The few of a usual object are gone through, which allocates nothing; those of a large one
/// are looked up, so that each takes as long as the one before it however many there are.
#[derive(Default)]
pub(super) struct Keys<'a> {
    few: SmallVec<[Cow<'a, str>; FEW]>,
    /// All of them, once they are many.
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// False if it was there before.
    pub fn add(&mut self, key: Cow<'a, str>) -> bool {
        if self.few.len() == FEW {
            if self.many.is_empty() {
                self.many.extend(self.few.iter().cloned());
            }
            return self.many.insert(key);
        }
        let is_new = !self.few.contains(&key);
        if is_new {
            self.few.push(key);
        }
        is_new
    }
}

/// More than a request, a message or a tool usually has.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again_however_many_came_between() {
        for count in [1, FEW - 1, FEW, FEW + 1, 3 * FEW, 100_000] {
            let mut keys = Keys::default();
            assert!((0..count).all(|n| keys.add(Cow::Owned(n.to_string()))), "{count}");
            assert!(!keys.add(Cow::Borrowed("0")) && !keys.add(Cow::Owned((count - 1).to_string())), "{count}");
            assert!(keys.add(Cow::Borrowed("")) && !keys.add(Cow::Borrowed("")), "{count}");
        }
    }

    #[test]
    fn few_keys_are_kept_without_an_allocation_and_many_are_not_gone_through() {
        let mut keys = Keys::default();
        (0..FEW).for_each(|n| assert!(keys.add(Cow::Owned(n.to_string()))));
        assert_eq!((keys.few.spilled(), keys.many.capacity()), (false, 0));
        keys.add(Cow::Borrowed("one more"));
        assert_eq!((keys.few.len(), keys.many.len()), (FEW, FEW + 1));
    }
}
