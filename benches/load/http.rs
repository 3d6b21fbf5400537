//! The little HTTP/1.1 that a load generator and its mock need: heads, sizes, chunks.
//!
//! Written by hand so that the two cost little beside what they measure. It believes what it reads: no
//! limits, no folding, no trailers worth keeping.

use std::io;

use memchr::memmem;

/// Where the head ends that `bytes` begin with, if all of it is there.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// The status of an answer's head.
pub fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

/// How much of a body is still to come.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    Sized(usize),
    Chunked(Chunk),
}

/// Where in a chunked body the next byte belongs.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// In the size, of which so much is read.
    Size(usize),
    /// Behind the size, in an extension or before the line's end.
    SizeEnd(usize),
    Data(usize),
    /// In the line end behind the data.
    DataEnd,
    /// In a line behind the last chunk; an empty one is the end.
    Trailer {
        is_empty: bool,
    },
    Done,
}

impl Body {
    /// The body that a head announces.
    ///
    /// # Errors
    /// When the head states a length that is none.
    pub fn of(head: &[u8]) -> io::Result<Self> {
        for line in head.split(|byte| *byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"content-length") {
                let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                return length.map(Self::Sized).ok_or_else(|| wrong("a content-length that is no number"));
            }
            if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
                return Ok(Self::Chunked(Chunk::Size(0)));
            }
        }
        Ok(Self::Sized(0))
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Self::Sized(0) | Self::Chunked(Chunk::Done))
    }

    /// Takes what belongs to the body from the beginning of `bytes`, and says how much that was. What is
    /// not framing is shown to `payload`.
    ///
    /// # Errors
    /// When the framing is broken.
    pub fn take(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut rest = bytes;
        while !self.is_done() && !rest.is_empty() {
            match self {
                Self::Sized(left) => {
                    let piece = rest.split_off(..rest.len().min(*left)).unwrap_or_default();
                    *left -= piece.len();
                    payload(piece);
                }
                Self::Chunked(chunk) => chunk.step(&mut rest, &mut payload)?,
            }
        }
        Ok(bytes.len() - rest.len())
    }
}

impl Chunk {
    fn step(&mut self, rest: &mut &[u8], payload: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if let Self::Data(left) = self {
            let piece = rest.split_off(..rest.len().min(*left)).unwrap_or_default();
            payload(piece);
            *self = if piece.len() == *left { Self::DataEnd } else { Self::Data(*left - piece.len()) };
            return Ok(());
        }
        let Some(byte) = rest.split_off_first() else { return Ok(()) };
        *self = match (&*self, byte) {
            (Self::Size(0) | Self::SizeEnd(0), b'\n') => Self::Trailer { is_empty: true },
            (Self::Size(size) | Self::SizeEnd(size), b'\n') => Self::Data(*size),
            (Self::Size(size), digit) => match char::from(*digit).to_digit(16) {
                Some(digit) => Self::Size(*size * 16 + digit as usize),
                None if matches!(digit, b'\r' | b';' | b' ') => Self::SizeEnd(*size),
                None => return Err(wrong("a chunk size that is no number")),
            },
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::Trailer { is_empty: true }, b'\n') => Self::Done,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { is_empty: true },
            (Self::Trailer { is_empty }, byte) => Self::Trailer { is_empty: *is_empty && *byte == b'\r' },
            (Self::SizeEnd(size), _) => Self::SizeEnd(*size),
            (Self::DataEnd, _) => Self::DataEnd,
            (Self::Data(_) | Self::Done, _) => return Ok(()),
        };
        Ok(())
    }
}

pub fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
