//! What is still to be written, the newest of each key, in turns.
//!
//! Nobody waits for a write, and many threads may do them: one must not overtake another of its key, nor come once what it
//! writes was forgotten. So it waits here, and whoever takes it out holds the books until it is written.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clones are the same.
pub struct Waiting<K, V>(Arc<Mutex<Line<K, V>>>);

struct Line<K, V> {
    values: HashMap<K, V>,
    /// The keys of these, in the order in which they came.
    order: VecDeque<K>,
}

impl<K: Eq + Hash + Clone, V> Waiting<K, V> {
    /// Puts something in the place of what waits there, of which it may take what it lacks, and otherwise behind the others.
    /// Says whether nothing was waiting at all, so that somebody must be sent; if not, whoever is on the way finds it, too.
    pub fn put(&self, key: K, mut value: V, take: impl FnOnce(&mut V, V)) -> bool {
        let mut line = self.lock();
        let was_empty = line.values.is_empty();
        match line.values.remove(&key) {
            Some(older) => take(&mut value, older),
            None => line.order.push_back(key.clone()),
        }
        line.values.insert(key, value);
        was_empty
    }

    /// Takes the first one out.
    pub fn next(&self) -> Option<(K, V)> {
        let mut line = self.lock();
        let key = line.order.pop_front()?;
        line.values.remove_entry(&key)
    }

    fn lock(&self) -> MutexGuard<'_, Line<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Clone for Waiting<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Waiting<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Line { values: HashMap::new(), order: VecDeque::new() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_key_waits_in_its_turn_and_whoever_is_first_is_told_so() {
        let waiting = Waiting::default();
        let keep_both = |new: &mut String, old: String| new.push_str(&old);
        assert!(waiting.put("a", "1".to_owned(), keep_both));
        assert!(!waiting.put("b", "2".to_owned(), keep_both));
        assert!(!waiting.put("a", "3".to_owned(), keep_both));
        assert_eq!([waiting.next(), waiting.next()], [Some(("a", "31".to_owned())), Some(("b", "2".to_owned()))]);
        assert_eq!(waiting.next(), None);
        assert!(waiting.put("a", "4".to_owned(), keep_both));
    }
}
