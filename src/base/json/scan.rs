//! Looking for the few bytes that mean something inside a JSON string.

/// Where the first byte stands that means something inside a string: a quote, a backslash, a control character.
///
/// Most strings end within sixteen bytes and some are very long: the first bytes are looked at in words of eight,
/// further ones are looked through by what the processor has for it.
#[inline]
pub(in crate::base) fn next_special(bytes: &[u8], from: usize) -> usize {
    let (words, _) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    // Only the last strings of a document have less behind them.
    let [first, second, ..] = words else { return next_special_far(bytes, from) };
    if let Some(within) = first_in(*first) {
        return from + within;
    }
    if let Some(within) = first_in(*second) {
        return from + 8 + within;
    }
    next_special_far(bytes, from + 16)
}

fn next_special_far(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let mark = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
    let plain = rest.get(..mark).unwrap_or_default();
    // Control characters are all but never there. Without a branch for each byte, so that it compiles to a few vector
    // instructions.
    let least = plain.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    let control = || plain.iter().position(|byte| *byte < FIRST_PLAIN);
    from + if least < FIRST_PLAIN { control().unwrap_or(mark) } else { mark }
}

/// Each of the three tests sets the high bit of the bytes it finds. A borrow may set a bit too many, but only above
/// the first.
#[inline]
fn first_in(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(word);
    let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * FIRST_PLAIN as u64) & !word);
    (found & HIGH != 0).then(|| (found & HIGH).trailing_zeros() as usize / 8)
}

/// Whatever is less is a control character.
const FIRST_PLAIN: u8 = 0x20;
