//! In what two questions differ that nothing surely tells apart.
//!
//! All that is a veto between strict readings is one between loose ones: numbers, negations, names, times, amounts,
//! directions, persons, articles, what is asked for, and the order of words that both have. What is left are other words,
//! and those are counted.

use super::features::{Said, Veto};
use super::kin::{are_opposite, near, root};
use super::words::ARTICLES;

/// What one question says and the other does not, by how much that may matter; counts of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Words that stand where the other has another one.
    pub replaced: u32,
    /// Words that stand where the other has none.
    pub added: u32,
    /// Words that mean nearly the same as one of the other's.
    pub near: u32,
    /// Words in another form.
    pub inflected: u32,
    /// Words that tell little.
    pub light: u32,
    /// Whether they begin in other ways.
    pub opening: bool,
}

/// What a question says, ready to be held against another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    said: Said,
    words: Vec<Word>,
    light: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    said: String,
    root: String,
    /// What means nearly the same, by number.
    near: &'static [u16],
}

impl Reading {
    pub fn of(text: &str) -> Self {
        let said = Said::of(text);
        let is_light = |word: &String| LIGHT.contains(&word.as_str()) || ARTICLES.contains(&word.as_str());
        let (light, words): (Vec<_>, Vec<_>) = said.content.iter().cloned().partition(is_light);
        let word = |said: String| {
            let root = root(&said);
            Word { near: near(&root), said, root }
        };
        Self { words: words.into_iter().map(word).collect(), light, said }
    }
}

impl Difference {
    /// # Errors
    /// Why they are different questions.
    pub(super) fn between(one: &Reading, other: &Reading) -> Result<Self, Veto> {
        if let Some(veto) = one.said.differs(&other.said) {
            return Err(veto);
        }
        if one.said.articles != other.said.articles {
            return Err(Veto::Persons);
        }
        let mut pairs = Pairs {
            one: one.words.iter().map(Some).collect(),
            other: other.words.iter().map(Some).collect(),
            order: Vec::new(),
        };
        let common = pairs.take(|one, other| one.said == other.said);
        let inflected = pairs.take(|one, other| one.root == other.root && is_plain(&one.said) && is_plain(&other.said));
        let near = pairs.take(|one, other| one.near.iter().any(|group| other.near.contains(group)));
        let (left, others) = (Pairs::left(&pairs.one), Pairs::left(&pairs.other));
        let (more, fewer) = (left.len().max(others.len()), left.len().min(others.len()));
        // Signs, short words, other alphabets and names are no other words for the same.
        let is_odd = left.iter().chain(&others).any(|word| !is_plain(word));
        let is_opposite = || left.iter().any(|word| others.iter().any(|other| are_opposite(word, other)));
        if more > MOST_LEFT || common < LEAST_COMMON || is_odd || is_opposite() {
            return Err(Veto::Words);
        }
        if !pairs.are_in_order() {
            return Err(Veto::Order);
        }
        Ok(Self {
            replaced: fewer as u32,
            added: (more - fewer) as u32,
            near,
            inflected,
            light: unlike(&one.light, &other.light),
            opening: false,
        })
    }
}

/// The words of two questions, each until it has found its like.
struct Pairs<'a> {
    one: Vec<Option<&'a Word>>,
    other: Vec<Option<&'a Word>>,
    /// Where those stood that have found each other.
    order: Vec<(usize, usize)>,
}

impl<'a> Pairs<'a> {
    /// Takes out what goes together, in the order of the first; how many pairs that were.
    fn take(&mut self, is_pair: impl Fn(&Word, &Word) -> bool) -> u32 {
        let mut count = 0;
        for (at, word) in self.one.iter_mut().enumerate() {
            let Some(own) = *word else { continue };
            let mut others = self.other.iter_mut().enumerate();
            if let Some((place, like)) = others.find(|(_, like)| like.is_some_and(|like| is_pair(own, like))) {
                (*word, *like) = (None, None);
                self.order.push((at, place));
                count += 1;
            }
        }
        count
    }

    fn left(words: &[Option<&'a Word>]) -> Vec<&'a str> {
        words.iter().flatten().map(|word| word.said.as_str()).collect()
    }

    fn are_in_order(&mut self) -> bool {
        self.order.sort_unstable();
        self.order.is_sorted_by_key(|(_, place)| *place)
    }
}

/// How many words one has that the other has not, at most.
fn unlike(one: &[String], other: &[String]) -> u32 {
    let mut others: Vec<_> = other.iter().collect();
    let mut lone = 0;
    for word in one {
        match others.iter().position(|other| *other == word) {
            Some(at) => drop(others.swap_remove(at)),
            None => lone += 1,
        }
    }
    others.len().max(lone) as u32
}

fn is_plain(word: &str) -> bool {
    word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase()) && !MODAL.contains(&word)
}

/// Of questions with fewer words in common each word may be what they are about.
const LEAST_COMMON: u32 = 3;

/// More words without their like are another question.
const MOST_LEFT: usize = 2;

/// Words that tell little by themselves.
const LIGHT: &[&str] = &["of", "to", "do", "does", "is", "are", "be", "there", "own"];

/// Whether something can be is another question than how.
const MODAL: &[&str] = &["can", "may", "able"];

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(one: &str, other: &str) -> Result<Difference, Veto> {
        Difference::between(&Reading::of(one), &Reading::of(other))
    }

    #[test]
    fn other_words_are_counted_by_what_they_have_to_do_with_each_other() {
        let plain = "how to fix a leaking tap in winter";
        let expected = |replaced, added, near, inflected, light| {
            Ok(Difference { replaced, added, near, inflected, light, opening: false })
        };
        assert_eq!(difference(plain, plain), expected(0, 0, 0, 0, 0));
        assert_eq!(difference(plain, "how to repair a leaking tap in winter"), expected(0, 0, 1, 0, 0));
        assert_eq!(difference(plain, "how to fix a leaking taps in winter"), expected(0, 0, 0, 1, 0));
        assert_eq!(difference(plain, "how to paint a leaking tap in winter"), expected(1, 0, 0, 0, 0));
        assert_eq!(difference(plain, "how to fix a badly leaking tap in winter"), expected(0, 1, 0, 0, 0));
        assert_eq!(difference(plain, "how to fix a leaking tap of own in winter"), expected(0, 0, 0, 0, 2));
    }

    #[test]
    fn what_surely_tells_questions_apart_is_no_difference_but_a_veto() {
        let plain = "how to lock a garden gate";
        for (other, veto) in [
            ("how to lock the garden gate", Veto::Persons),
            ("how to unlock a garden gate", Veto::Words),
            ("how to lock a gate garden", Veto::Order),
            ("how to lock a garden Gate", Veto::Names),
            ("how to lock a café gate", Veto::Words),
            ("how to wash a kitchen rug", Veto::Words),
            ("how can lock a garden gate", Veto::Words),
        ] {
            assert_eq!(difference(plain, other), Err(veto), "{other}");
        }
    }
}
