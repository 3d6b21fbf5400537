//! Where a question lies, kept beside its answer: what other questions are held against.

use super::standing::EmbedderHash;
use super::{Place, Question};

/// Where a question lies whose answer is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearing {
    /// Who says so.
    pub embedder: EmbedderHash,
    /// What it has in common with those that may be like it.
    pub frame: Question,
    /// Its text, in canonical form.
    pub form: Box<str>,
    /// Its direction, a byte for each dimension.
    pub vector: Box<[i8]>,
}

/// Questions must not reach a log by way of a `{:?}`.
impl std::fmt::Debug for Bearing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bearing({} dimensions)", self.vector.len())
    }
}

impl Bearing {
    /// As a store may write it, for the answer in a place.
    pub(in crate::state) fn write(&self, place: &[[u8; 32]; 2]) -> Vec<u8> {
        let length = u32::try_from(self.form.len()).unwrap_or(u32::MAX).to_be_bytes();
        let vector: Vec<u8> = self.vector.iter().map(|value| value.cast_unsigned()).collect();
        let rest = [self.embedder.as_slice(), &self.frame.0, &length, self.form.as_bytes(), &vector].concat();
        [[VERSION].as_slice(), &sum(place, &rest), &rest].concat()
    }

    /// Reads what [`write`](Self::write) wrote for that place. `None` for anything else: another version's, another place's,
    /// and what is damaged.
    pub(in crate::state) fn read(stored: &[u8], place: &[[u8; 32]; 2]) -> Option<Self> {
        let (version, rest) = stored.split_first()?;
        let (checked, rest) = rest.split_first_chunk::<4>()?;
        if *version != VERSION || *checked != sum(place, rest) {
            return None;
        }
        let (embedder, rest) = rest.split_first_chunk::<32>()?;
        let (frame, rest) = rest.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (form, vector) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        Some(Self {
            embedder: *embedder,
            frame: Question(*frame),
            form: std::str::from_utf8(form).ok()?.into(),
            vector: vector.iter().map(|byte| byte.cast_signed()).collect(),
        })
    }
}

/// What is kept of a policy's questions, by one embedder.
#[derive(Debug, Default)]
pub struct Recalled {
    /// The oldest first, each with where its answer lies.
    pub questions: Vec<(Place, Bearing)>,
    /// How such answers have fared, by those who share them.
    pub standings: Vec<(super::Ground, super::Standing)>,
}

fn sum([scope, question]: &[[u8; 32]; 2], rest: &[u8]) -> [u8; 4] {
    let mut hash = crc32fast::Hasher::new();
    [scope.as_slice(), question, rest].into_iter().for_each(|part| hash.update(part));
    hash.finalize().to_be_bytes()
}

/// Another one whenever what is written means something else.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_that_is_damaged_or_anothers() {
        let bearing = Bearing {
            embedder: [1; 32],
            frame: Question([2; 32]),
            form: "wie heißt das".into(),
            vector: vec![-127, 0, 127, -1].into(),
        };
        let place = [[3; 32], [4; 32]];
        let written = bearing.write(&place);
        assert_eq!(Bearing::read(&written, &place), Some(bearing.clone()));
        assert_eq!(Bearing::read(&written, &[[3; 32], [5; 32]]), None);
        assert_eq!(Bearing::read(&written, &[[4; 32], [4; 32]]), None);
        for at in 0..written.len() {
            let mut damaged = written.clone();
            damaged[at] ^= 1;
            assert_eq!(Bearing::read(&damaged, &place), None, "byte {at}");
            assert_eq!(Bearing::read(&written[..at], &place), None, "the first {at} bytes");
        }
        assert!(!format!("{bearing:?}").contains("hei"), "{bearing:?}");
    }
}
