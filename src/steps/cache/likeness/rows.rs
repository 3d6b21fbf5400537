//! Vectors of one kind, side by side in memory, to be gone through quickly.
//!
//! Each is cut in two. What the first parts of two vectors come to says how like they can be at the most, whatever their
//! second parts hold: no more than the product of these parts' lengths is to be had from them. Most vectors are told apart
//! by that, so a third of each is all that is looked at of them. No likeness is missed.

use super::vector::{Vector, product};

/// Vectors, by their numbers.
#[derive(Default)]
pub struct Rows {
    head: usize,
    tail: usize,
    heads: Vec<i8>,
    tails: Vec<i8>,
    lengths: Vec<Lengths>,
}

/// What is known of a vector without a look at it.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    /// One divided by the vector's length.
    inverse: f32,
    /// The share of its second part in its length.
    tail: f32,
}

impl Lengths {
    fn of(head: &[i8], tail: &[i8]) -> Self {
        let (head, tail) = (product(head, head) as f32, product(tail, tail) as f32);
        let length = (head + tail).sqrt().max(f32::MIN_POSITIVE);
        Self { inverse: 1.0 / length, tail: tail.sqrt() / length }
    }
}

impl Rows {
    /// None yet, for those that are of one kind with this.
    pub fn like(vector: &Vector) -> Self {
        let width = vector.values().len();
        let head = width / 3;
        Self { head, tail: width - head, ..Self::default() }
    }

    /// Whether a vector is of the same kind.
    pub fn takes(&self, vector: &Vector) -> bool {
        vector.values().len() == self.head + self.tail
    }

    /// Bytes that a vector takes.
    pub fn width(&self) -> usize {
        self.head + self.tail
    }

    /// Puts another one behind the others. It must be of their kind.
    pub fn push(&mut self, vector: &Vector) {
        let (head, tail) = vector.values().split_at(self.head.min(vector.values().len()));
        self.heads.extend_from_slice(head);
        self.tails.extend_from_slice(tail);
        self.lengths.push(Lengths::of(head, tail));
    }

    /// Takes one out. The last is in its place then.
    pub fn swap_remove(&mut self, number: usize) {
        if number >= self.lengths.len() {
            return;
        }
        self.lengths.swap_remove(number);
        let last = self.lengths.len();
        for (values, width) in [(&mut self.heads, self.head), (&mut self.tails, self.tail)] {
            values.copy_within(last * width.., number * width);
            values.truncate(last * width);
        }
    }

    /// Those that are at least so like another one, and how like; in no order.
    pub fn alike(&self, vector: &Vector, least: f32) -> Vec<(usize, f32)> {
        if !self.takes(vector) || self.tail == 0 {
            return Vec::new();
        }
        let (head, tail) = vector.values().split_at(self.head);
        let sought = Lengths::of(head, tail);
        let mut found = Vec::new();
        for (number, lengths) in self.lengths.iter().enumerate() {
            let of = |values: &'_ [i8], width: usize, part: &[i8]| {
                values.get(number * width..(number + 1) * width).map_or(0, |row| product(row, part)) as f32
            };
            let inverse = lengths.inverse * sought.inverse;
            let begin = of(&self.heads, self.head, head) * inverse;
            if begin + lengths.tail * sought.tail < least - ROUNDING {
                continue;
            }
            let likeness = begin + of(&self.tails, self.tail, tail) * inverse;
            if likeness >= least {
                found.push((number, likeness.min(1.0)));
            }
        }
        found
    }
}

/// What sums of floating numbers may be wrong by.
const ROUNDING: f32 = 1e-4;

#[cfg(test)]
mod tests {
    use super::*;

    fn around(random: &mut fastrand::Rng, centre: &[f32], spread: f32) -> Vector {
        Vector::of(&centre.iter().map(|value| value + (random.f32() - 0.5) * spread).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn all_that_are_alike_are_found_and_none_else_however_near_the_others_lie() {
        let mut random = fastrand::Rng::with_seed(3);
        for width in [1, 2, 3, 7, 48, 384, 385] {
            let centre: Vec<f32> = (0..width).map(|_| random.f32() - 0.5).collect();
            let vectors: Vec<_> = (0..200).map(|n| around(&mut random, &centre, n as f32 / 50.0)).collect();
            let mut rows = Rows::like(&vectors[0]);
            vectors.iter().for_each(|vector| rows.push(vector));
            for least in [0.5, 0.9, 0.99] {
                let sought = around(&mut random, &centre, 0.3);
                // What lies on the border itself may fall on either side.
                let clear = |vector: &&Vector| (vector.likeness(&sought).unwrap() - least).abs() > 1e-5;
                let known = |number: usize| clear(&&vectors[number]);
                let found: Vec<_> =
                    rows.alike(&sought, least).into_iter().map(|(number, _)| number).filter(|n| known(*n)).collect();
                let expected: Vec<_> = (0..vectors.len())
                    .filter(|number| known(*number) && vectors[*number].likeness(&sought).unwrap() >= least)
                    .collect();
                assert_eq!(found, expected, "{width} {least}");
            }
        }
    }

    #[test]
    fn the_last_takes_the_place_of_one_that_goes() {
        let vector = |x: f32| Vector::of(&[x, 1.0, 0.0, -x]).unwrap();
        let mut rows = Rows::like(&vector(1.0));
        for x in [1.0, 2.0, 3.0] {
            rows.push(&vector(x));
        }
        rows.swap_remove(0);
        rows.swap_remove(7);
        let found = |x: f32| rows.alike(&vector(x), 0.999).into_iter().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!((found(1.0), found(2.0), found(3.0)), (vec![], vec![1], vec![0]));
        assert!(rows.alike(&Vector::of(&[1.0]).unwrap(), 0.0).is_empty());
    }
}
