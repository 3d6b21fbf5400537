//! Strings and numbers, passed by.

use super::Reader;
use crate::base::json::Result;
use crate::base::json::scan::next_special;

impl Reader<'_> {
    /// Passes a string by; true if it has escapes.
    #[inline(always)]
    pub(super) fn skip_string(&mut self) -> Result<bool> {
        let bytes = self.source.as_bytes();
        let at = next_special(bytes, self.at + 1);
        if bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            return Ok(false);
        }
        self.skip_rest_of_string(at).map(|()| true)
    }

    /// From a byte at `at` that is no quote.
    #[inline(never)]
    fn skip_rest_of_string(&mut self, mut at: usize) -> Result<()> {
        let bytes = self.source.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += self.check_escape(bytes.get(at + 1..).unwrap_or_default())?,
                Some(_) => return Err(self.not_json("a control character in a string must be escaped")),
                None => return Err(self.not_json("a string has no end")),
            }
            at = next_special(bytes, at);
        }
        self.at = at + 1;
        Ok(())
    }

    /// The length of an escape, backslash included, whose rest is `after`.
    fn check_escape(&self, after: &[u8]) -> Result<usize> {
        match after {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|hex| hex.is_ascii_hexdigit()) => Ok(6),
            _ => Err(self.not_json("an escape in a string is not valid")),
        }
    }

    pub(super) fn skip_number(&mut self) -> Result<()> {
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(self.not_json("a number is not valid"));
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(self.not_json("a number is not valid"));
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return Err(self.not_json("a number is not valid"));
            }
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }
}
