//! What a translation could not say.

use std::borrow::Cow;
use std::collections::HashSet;

/// One thing that a target's dialect cannot express, and so was left out or approximated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Loss {
    /// The canonical or original name of what was lost: `top_k`, `messages[3].audio`.
    pub what: Cow<'static, str>,
    /// What was done instead: `left out`, `sent as text`.
    pub instead: Cow<'static, str>,
}

/// The losses of one translation. A loss that repeats is kept once.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    listed: Vec<Loss>,
    /// Those listed, once they are more than a few: a request may have a hundred thousand fields that nobody knows.
    known: HashSet<Loss>,
}

impl Losses {
    pub fn left_out(&mut self, what: impl Into<Cow<'static, str>>) {
        self.add(what, "left out");
    }

    pub fn add(&mut self, what: impl Into<Cow<'static, str>>, instead: impl Into<Cow<'static, str>>) {
        let loss = Loss { what: what.into(), instead: instead.into() };
        if self.listed.len() < FEW {
            if !self.listed.contains(&loss) {
                self.listed.push(loss);
            }
            return;
        }
        if self.known.is_empty() {
            self.known.extend(self.listed.iter().cloned());
        }
        if self.known.insert(loss.clone()) {
            self.listed.push(loss);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.listed.iter()
    }
}

/// So many are gone through faster than looked up.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_kept_once_and_in_its_turn_however_many_there_are() {
        let mut losses = Losses::default();
        let names: Vec<_> = (0..100_000).map(|n| n.to_string()).collect();
        (0..2).for_each(|_| names.iter().for_each(|name| losses.left_out(name.clone())));
        assert!(losses.iter().map(|loss| &*loss.what).eq(names.iter().map(String::as_str)));
        losses.add("7", "sent as text");
        assert_eq!(losses.iter().count(), names.len() + 1);
    }
}
