use proptest::prelude::*;

use super::*;

fn hash(pieces: &[Vec<u8>]) -> Question {
    let mut said = Said::default();
    pieces.iter().for_each(|piece| said.bytes(piece));
    said.question()
}

/// Pieces of one letter, so that they differ by their lengths alone: about the borders of what a length says in a byte,
/// and of what is hashed together.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop::sample::select(vec![0, 1, 2, 127, 128, 129, 1023, 1024, 1025, 2047, 2048, 16_384]);
    prop::collection::vec(length.prop_map(|length| vec![b'a'; length]), 0..6)
}

proptest! {
    #[test]
    fn no_two_things_run_into_one(one in pieces(), other in pieces()) {
        prop_assert_eq!(hash(&one) == hash(&other), one == other);
    }

    #[test]
    fn pieces_are_hashed_in_their_order_however_large(pieces in pieces(), letters in prop::collection::vec(any::<u8>(), 6)) {
        let pieces: Vec<Vec<u8>> =
            pieces.iter().zip(letters).map(|(piece, letter)| vec![letter; piece.len()]).collect();
        let mut all = Vec::new();
        for piece in &pieces {
            let mut left = piece.len();
            while left > 127 {
                all.push((left % 128) as u8 + 128);
                left /= 128;
            }
            all.push(left as u8);
            match piece.len() {
                2048.. => all.extend(blake3::hash(piece).as_bytes()),
                _ => all.extend(piece),
            }
        }
        prop_assert_eq!(hash(&pieces), Question(Sha256::digest(&all).into()));
    }
}

#[test]
fn what_ends_in_one_thing_does_not_begin_another() {
    let hash = |pieces: [&str; 2]| hash(&pieces.map(|piece| piece.as_bytes().to_vec()));
    assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
    assert_ne!(hash(["", "abc"]), hash(["abc", ""]));
}
