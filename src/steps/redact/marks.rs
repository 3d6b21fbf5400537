//! Where in a text a finding may begin, by a byte and the one before it: most bytes of prose are passed by with one look at
//! a table each.

use super::escape;

/// What is known of each byte.
pub struct Marks {
    /// [`BEHIND_LETTER`], [`BEHIND_OTHER`], [`LETTER`] and [`ESCAPES`].
    marks: [u8; 256],
    /// The same marks, each as the lowest bit of a byte of its own, in the order of their bits.
    spread: [u32; 256],
}

/// Whether a finding may begin with a byte.
pub struct Beginning {
    /// Behind a letter or digit.
    pub behind_letter: bool,
    pub behind_other: bool,
}

/// A finding may begin with this byte behind a letter or digit.
const BEHIND_LETTER: u8 = 1;
/// A finding may begin with this byte behind anything else.
const BEHIND_OTHER: u8 = 2;
/// A letter or digit.
const LETTER: u8 = 4;
/// It begins an escape.
const ESCAPES: u8 = 8;

/// So many places are looked at together.
pub const BLOCK: usize = u64::BITS as usize;

impl Marks {
    pub fn of(begins: impl Fn(u8) -> Beginning) -> Self {
        let marks = std::array::from_fn(|byte| {
            let Ok(byte) = u8::try_from(byte) else { return 0 };
            let Beginning { behind_letter, behind_other } = begins(byte);
            let mark = |holds: bool, mark: u8| if holds { mark } else { 0 };
            mark(byte.is_ascii_alphanumeric(), LETTER)
                | mark(behind_letter, BEHIND_LETTER)
                | mark(behind_other, BEHIND_OTHER)
                | mark(byte == b'\\', ESCAPES)
        });
        let spread = marks.map(|marks| (0..4).map(|mark| u32::from(marks >> mark & 1) << (8 * mark)).sum());
        Self { marks, spread }
    }

    /// The next place, from `at` on, where a finding may begin: by its byte and the one before it.
    #[inline]
    pub fn next(&self, text: &[u8], at: usize) -> usize {
        let (past, mut rest) = text.split_at_checked(at).unwrap_or((text, &[]));
        let mut wanted = self.wanted(past, &mut rest);
        while let Some((byte, behind)) = rest.split_first() {
            let mark = self.mark(*byte);
            if mark & wanted != 0 {
                break;
            }
            rest = behind;
            wanted = if mark & LETTER == 0 { BEHIND_OTHER } else { BEHIND_LETTER };
            if *byte == b'\\' {
                let escape = escape::length(rest);
                rest = rest.get(escape..).unwrap_or_default();
            }
        }
        text.len() - rest.len()
    }

    /// The same of all places of a block from `at` on, a bit for each: without a branch for each word. `None` where there is
    /// no whole block, or an escape in it.
    #[inline]
    pub fn next_block(&self, text: &[u8], at: usize) -> Option<u64> {
        let (past, mut rest) = text.split_at_checked(at)?;
        let block: &[u8; BLOCK] = rest.first_chunk()?;
        if past.last() == Some(&b'\\') {
            return None;
        }
        let is_behind_letter = self.wanted(past, &mut rest) == BEHIND_LETTER;
        let mut masks = [0_u64; 4];
        for (number, eight) in block.as_chunks::<8>().0.iter().enumerate() {
            let mut of_eight = 0;
            for (bit, byte) in eight.iter().enumerate() {
                of_eight |= self.spread.get(usize::from(*byte)).copied().unwrap_or_default() << bit;
            }
            for (mask, part) in masks.iter_mut().zip(of_eight.to_le_bytes()) {
                *mask |= u64::from(part) << (8 * number);
            }
        }
        let [behind_letter, behind_other, letters, escapes] = masks;
        let past_letter = letters << 1 | u64::from(is_behind_letter);
        (escapes == 0).then_some(behind_letter & past_letter | behind_other & !past_letter)
    }

    /// Which mark the byte at a place must have. If the place is inside of an escape, that is skipped.
    fn wanted(&self, past: &[u8], rest: &mut &[u8]) -> u8 {
        let Some(last) = past.last() else { return BEHIND_OTHER };
        if *last == b'\\' {
            let escape = escape::length(rest);
            *rest = rest.get(escape..).unwrap_or_default();
        }
        if self.mark(*last) & LETTER == 0 || escape::is_behind(past) { BEHIND_OTHER } else { BEHIND_LETTER }
    }

    #[inline]
    fn mark(&self, byte: u8) -> u8 {
        self.marks.get(usize::from(byte)).copied().unwrap_or_default()
    }
}
