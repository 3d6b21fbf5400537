//! Checks on matches: checksums, formats and floors.
//!
//! A check is handed the text of a match, separators included, and says whether it can be a value of its
//! kind. Passing one is no proof: one ten-digit number in eleven has a valid NHS checksum.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

pub type Digits = SmallVec<[u32; 24]>;

/// The decimal digits of a text.
pub fn digits(text: &str) -> Digits {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// Letters and digits in upper case, without separators.
pub fn compact(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// ISO/IEC 7812-1, annex B.
pub fn luhn(text: &str) -> bool {
    let digits = digits(text);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    digits.len() > 1 && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// The sum of digits times weights, over as many as there are weights.
pub fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// ISO 7064 mod 97-10 over letters and digits, letters counting 10 to 35.
pub fn mod97(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, digit| {
        let shift = if digit > 9 { 100 } else { 10 };
        (rest * shift + digit) % 97
    })
}

/// J. Verhoeff, 1969: the dihedral group of ten elements and a permutation.
pub fn verhoeff(text: &str) -> bool {
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let multiply = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permute = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| STEP.get(digit as usize).copied().unwrap_or_default())
    };
    let digits = digits(text);
    digits.iter().rev().enumerate().fold(0, |rest, (at, digit)| multiply(rest, permute(*digit, at))) == 0
}

/// ISO 7064 mod 11-10, as in the German tax number.
pub fn mod11_10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// Whether all digits are one and the same.
pub fn is_one_digit(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// Whether digits count up or down all the way.
pub fn is_run(digits: &[u32]) -> bool {
    let step = |up: u32| digits.windows(2).all(|pair| matches!(pair, [a, b] if (a + up) % 10 == *b));
    step(1) || step(9)
}

/// Base58 with a checksum of four bytes, as Bitcoin addresses have it.
pub fn base58check(text: &str) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for c in text.bytes() {
        let Some(digit) = ALPHABET.iter().position(|known| *known == c) else { return false };
        let mut carry = digit;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry & 0xFF).unwrap_or_default();
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (payload, sum) = bytes.split_at(21);
    Sha256::digest(Sha256::digest(payload)).get(..4).is_some_and(|expected| expected == sum)
}

/// BIP 173 and BIP 350: bech32 and bech32m.
pub fn bech32(text: &str) -> bool {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const STEPS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let is_mixed = text.bytes().any(|c| c.is_ascii_lowercase()) && text.bytes().any(|c| c.is_ascii_uppercase());
    let text = text.to_ascii_lowercase();
    let Some((prefix, data)) = text.rsplit_once('1') else { return false };
    let high = prefix.bytes().map(|c| u32::from(c >> 5));
    let low = prefix.bytes().map(|c| u32::from(c & 31));
    let mut values: Vec<u32> = high.chain([0]).chain(low).collect();
    for c in data.chars() {
        let Some(value) = ALPHABET.find(c) else { return false };
        values.push(u32::try_from(value).unwrap_or_default());
    }
    let sum = values.into_iter().fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x1ff_ffff) << 5 ^ value;
        STEPS.iter().enumerate().fold(shifted, |sum, (bit, step)| if top >> bit & 1 == 1 { sum ^ step } else { sum })
    });
    !is_mixed && data.len() >= 6 && matches!(sum, 1 | 0x2bc8_30a3)
}

/// Shannon's entropy of the characters, in bits per character.
pub fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = text.len().max(1) as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}

/// Days, months and years of a calendar date that a living person may have been born on.
pub fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// The number that digits write.
pub fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Digits `from..to` as a small number.
pub fn part(digits: &[u32], from: usize, to: usize) -> u32 {
    digits.get(from..to).map_or(0, |part| u32::try_from(number(part)).unwrap_or(u32::MAX))
}

/// One digit; 0 where there is none.
pub fn nth(digits: &[u32], at: usize) -> u32 {
    digits.get(at).copied().unwrap_or_default()
}

/// Whether a run of digits is rather a point in time: seconds, milli- or microseconds since 1970, or `YYYYMMDD…`.
pub fn is_time(text: &str) -> bool {
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return false;
    }
    let digits = digits(text);
    let seconds = match digits.len() {
        10 => number(&digits),
        13 => number(&digits) / 1_000,
        16 => number(&digits) / 1_000_000,
        8 | 12 | 14 => return is_stamp(&digits),
        _ => return false,
    };
    (1_000_000_000..2_200_000_000).contains(&seconds)
}

fn is_stamp(digits: &[u32]) -> bool {
    let (year, month, day) = (part(digits, 0, 4), part(digits, 4, 6), part(digits, 6, 8));
    let time = digits.len() == 8 || (part(digits, 8, 10) < 24 && part(digits, 10, 12) < 60);
    (1900..2100).contains(&year) && is_day(year, month, day) && time
}

/// The checks that a policy may put on a type of its own, by name.
pub const NAMED: [(&str, super::kind::Check); 9] = [
    ("luhn", luhn),
    ("mod97", |text| mod97(&compact(text)) == 1),
    ("verhoeff", verhoeff),
    ("mod11_10", |text| mod11_10(&digits(text))),
    ("iban", super::kinds::iban::iban),
    ("base58check", base58check),
    ("bech32", bech32),
    ("entropy", |text| entropy(text) >= 3.0),
    ("not_a_time", |text| !is_time(text)),
];
