//! Texts as the machines read them: characters that only look like ASCII are ASCII, and invisible ones are gone.
//!
//! `４１１１`, `٤١١١` and `4<zero width space>111` are the same number to a reader, and must be to a detector.
//! Folding looks at one character at a time, so it is the same for every chunking. Runs of invisible
//! characters longer than [`MOST_INVISIBLE`] are text: what is held back of a stream must stay bounded.
//!
//! It does not fold letters of other scripts (a Cyrillic `а`), digits in circles or above the line, which are
//! notes as often as numbers, nor undo encodings such as base64.

use std::borrow::Cow;

/// How many invisible characters in a row are passed over.
pub const MOST_INVISIBLE: u8 = 8;

/// What a character is to the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// Itself.
    Same,
    /// This ASCII character.
    Ascii(u8),
    /// Nothing to be seen.
    Invisible,
}

/// Folds one character.
pub fn fold(c: char) -> Folded {
    if c.is_ascii() {
        return Folded::Same;
    }
    let code = u32::from(c);
    let ascii = |code: u32| u8::try_from(code).map_or(Folded::Same, Folded::Ascii);
    match code {
        0xAD | 0x34F | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064 | 0xFE00..=0xFE0F | 0xFEFF => {
            Folded::Invisible
        }
        // The frame of a key around a digit.
        0x20E3 => Folded::Invisible,
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Folded::Ascii(b' '),
        0x2010..=0x2015 | 0x2212 | 0x2E3A | 0x2E3B | 0xFE58 | 0xFE63 => Folded::Ascii(b'-'),
        0xFF01..=0xFF5E => ascii(code - 0xFEE0),
        0xFE52 | 0x2024 => Folded::Ascii(b'.'),
        0xFE6B => Folded::Ascii(b'@'),
        0x1D7CE..=0x1D7FF => ascii(u32::from(b'0') + (code - 0x1D7CE) % 10),
        _ => digit(code).map_or(Folded::Same, |digit| Folded::Ascii(b'0' + digit)),
    }
}

/// The zeros of the scripts whose decimal digits are in use.
const ZEROS: [u32; 22] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0, 0x1810, 0x1946, 0x19D0, 0xA8D0, 0x1FBF0,
];

fn digit(code: u32) -> Option<u8> {
    let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
    u8::try_from(code - zero).ok()
}

/// A whole text, folded, with the way back to its own places.
pub struct Folding<'a> {
    pub text: Cow<'a, [u8]>,
    /// For each byte of `text` and its end, where it is in the original; none if nothing was folded.
    places: Option<Vec<usize>>,
}

impl<'a> Folding<'a> {
    pub fn of(original: &'a str) -> Self {
        if !may_fold(original.as_bytes()) {
            return Self { text: Cow::Borrowed(original.as_bytes()), places: None };
        }
        let mut text = Vec::with_capacity(original.len());
        let mut places = Vec::with_capacity(original.len() + 1);
        let mut run = Run::default();
        let mut from = 0;
        for (at, c) in original.char_indices() {
            let mut utf8 = [0; 4];
            let bytes = run.read(c, &mut utf8);
            if bytes.is_empty() {
                continue;
            }
            text.extend_from_slice(bytes);
            places.push(from);
            places.extend(std::iter::repeat_n(at + c.len_utf8(), bytes.len() - 1));
            from = at + c.len_utf8();
        }
        places.push(from);
        Self { text: Cow::Owned(text), places: Some(places) }
    }

    /// Where a place of the folded text is in the original.
    pub fn original(&self, place: usize) -> usize {
        match &self.places {
            None => place,
            Some(places) => places.get(place).copied().unwrap_or_default(),
        }
    }
}

/// Whether a text has a byte that begins a character which folds.
fn may_fold(text: &[u8]) -> bool {
    let begins = |byte: &u8| matches!(byte, 0xC2 | 0xCD | 0xD9 | 0xDB | 0xDF..=0xE3 | 0xEA | 0xEF | 0xF0);
    !text.is_ascii() && text.iter().any(begins)
}

/// Folds the characters of a text one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    invisible: u8,
}

impl Run {
    /// The bytes the machines read for a character; none for an invisible one.
    pub fn read<'a>(&mut self, c: char, utf8: &'a mut [u8; 4]) -> &'a [u8] {
        match fold(c) {
            Folded::Invisible if self.invisible < MOST_INVISIBLE => {
                self.invisible += 1;
                return &[];
            }
            Folded::Ascii(byte) => {
                self.invisible = 0;
                utf8[0] = byte;
                return utf8.split_at(1).0;
            }
            Folded::Same => self.invisible = 0,
            Folded::Invisible => {}
        }
        c.encode_utf8(utf8).as_bytes()
    }
}
