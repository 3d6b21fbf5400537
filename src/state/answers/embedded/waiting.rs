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
    /// Bytes of one of them, about.
    weigh: fn(&V) -> u64,
    /// Of all of them.
    bytes: u64,
    most: u64,
}

impl<K: Eq + Hash + Clone, V> Waiting<K, V> {
    /// For no more than `most` bytes at a time, weighed like this.
    pub fn with_room(most: u64, weigh: fn(&V) -> u64) -> Self {
        Self(Arc::new(Mutex::new(Line { values: HashMap::new(), order: VecDeque::new(), weigh, bytes: 0, most })))
    }

    /// Puts something in the place of what waits there, of which it may take what it lacks, and otherwise behind the others.
    /// Whether there was room for it; if not, nothing is changed.
    pub fn put(&self, key: K, mut value: V, take: impl FnOnce(&mut V, V)) -> bool {
        let mut line = self.lock();
        let line = &mut *line;
        let before = line.values.get(&key).map_or(0, line.weigh);
        if line.bytes - before + (line.weigh)(&value) > line.most {
            return false;
        }
        match line.values.remove(&key) {
            Some(older) => take(&mut value, older),
            None => line.order.push_back(key.clone()),
        }
        line.bytes = line.bytes - before + (line.weigh)(&value);
        line.values.insert(key, value);
        true
    }

    /// Takes the first one out.
    pub fn next(&self) -> Option<(K, V)> {
        let mut line = self.lock();
        let key = line.order.pop_front()?;
        let next = line.values.remove_entry(&key)?;
        line.bytes -= (line.weigh)(&next.1);
        Some(next)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_key_waits_in_its_turn_and_no_more_than_there_is_room_for() {
        let waiting = Waiting::with_room(4, |value: &String| value.len() as u64);
        let keep_both = |new: &mut String, old: String| new.push_str(&old);
        assert!(waiting.put("a", "1".to_owned(), keep_both));
        assert!(waiting.put("b", "2".to_owned(), keep_both));
        assert!(waiting.put("a", "3".to_owned(), keep_both));
        assert!(!waiting.put("c", "45".to_owned(), keep_both));
        assert!(!waiting.put("b", "6789".to_owned(), keep_both));
        assert_eq!([waiting.next(), waiting.next()], [Some(("a", "31".to_owned())), Some(("b", "2".to_owned()))]);
        assert_eq!(waiting.next(), None);
        assert!(waiting.put("a", "4567".to_owned(), keep_both));
    }
}
