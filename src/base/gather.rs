//! Gathering a body that comes in pieces. One that comes in a single piece, as most do, is not copied.

use bytes::{Bytes, BytesMut};

/// The pieces so far.
#[derive(Debug, Default)]
pub struct Gather {
    first: Bytes,
    rest: BytesMut,
    expected: usize,
}

impl Gather {
    /// `expected` bytes will come, as far as is known; room is made for so many when the second piece is
    /// here.
    pub fn expecting(expected: usize) -> Self {
        Self { expected, ..Self::default() }
    }

    pub fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
            return;
        }
        if self.rest.is_empty() {
            self.rest.reserve(self.expected.max(self.first.len() + piece.len()));
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&piece);
    }

    pub fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All pieces in one.
    pub fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(pieces: &[&'static str]) -> Bytes {
        let mut gather = Gather::expecting(3);
        pieces.iter().for_each(|piece| gather.push(Bytes::from_static(piece.as_bytes())));
        gather.finish()
    }

    #[test]
    fn pieces_are_put_together_in_their_order() {
        assert_eq!(gathered(&[]), "");
        assert_eq!(gathered(&["", "ab", "", "c", "defg"]), "abcdefg");
    }

    #[test]
    fn a_single_piece_is_not_copied() {
        let piece = Bytes::from_static(b"whole");
        let mut gather = Gather::default();
        gather.push(piece.clone());
        assert_eq!(gather.finish().as_ptr(), piece.as_ptr());
    }
}
