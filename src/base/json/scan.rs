//! Looking for the few bytes that mean something inside a JSON string.

/// Where the first byte stands that means something inside a string: a quote, a backslash, a control character.
///
/// Most strings end within sixteen bytes and some are very long: the first bytes are looked at in words of eight,
/// further ones are passed by in blocks of 64 as long as there is nothing in them.
///
/// What the processor has for two kinds of bytes is no faster over all: it looks far ahead for the one while another one is
/// near, as in lines of plain text.
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
    let (blocks, _) = bytes.get(from..).unwrap_or_default().as_chunks::<64>();
    // Without a branch for each byte, so that it compiles to a few vector instructions.
    let is_clean = |block: &&[u8; 64]| !block.iter().fold(false, |found, byte| found | is_special(*byte));
    let from = from + 64 * blocks.iter().take_while(is_clean).count();
    let (words, rest) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    let in_rest = || rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len());
    let in_words = words.iter().enumerate().find_map(|(nth, word)| Some(8 * nth + first_in(*word)?));
    from + in_words.unwrap_or_else(|| 8 * words.len() + in_rest())
}

fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
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
        | (word.wrapping_sub(ONES * 0x20) & !word);
    (found & HIGH != 0).then(|| (found & HIGH).trailing_zeros() as usize / 8)
}
