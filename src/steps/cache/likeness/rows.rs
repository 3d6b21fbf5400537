//! Vectors of one kind, side by side in memory, to be gone through quickly.
//!
//! Each is cut into a few parts. What the first parts of two vectors come to says how like they can be at the most, whatever
//! the others hold: no more than the product of the others' lengths is to be had from these. Most vectors are told apart by
//! that, so a quarter or two of each is all that is looked at of them. No likeness is missed.
//!
//! What is kept has 128 added to each dimension, and what is sought takes two bytes for each. That costs a subtraction for
//! each part and saves two of three instructions that would only make the dimensions wide enough to be multiplied: without
//! a sign, that is to put a zero beside each.

use super::vector::{Vector, product};

/// Vectors, by their numbers.
#[derive(Default)]
pub struct Rows {
    width: usize,
    parts: Vec<Part>,
    /// One divided by the length of each.
    inverses: Vec<f32>,
}

/// The same part of all vectors.
#[derive(Default)]
struct Part {
    /// How many blocks of each vector.
    blocks: usize,
    values: Vec<[u8; BLOCK]>,
    /// The share of the parts behind it in each vector's length.
    rests: Vec<f32>,
}

/// A part of what is sought.
struct Sought {
    values: Vec<[i16; BLOCK]>,
    /// What the product is too high by for all that was added.
    excess: i64,
    /// The share of the parts behind it in its length.
    rest: f32,
}

impl Part {
    fn row(&self, number: usize) -> Option<&[[u8; BLOCK]]> {
        self.values.get(number * self.blocks..(number + 1) * self.blocks)
    }

    fn push(&mut self, values: &[i8], rest: f32) {
        self.values.extend(blocks(values, |value| value.cast_unsigned() ^ ADDED));
        self.rests.push(rest);
    }
}

impl Sought {
    fn new((values, rest): (&[i8], f32)) -> Self {
        let excess = values.iter().map(|value| i64::from(*value) * i64::from(ADDED)).sum();
        Self { values: blocks(values, i16::from).collect(), excess, rest }
    }

    /// In 32 bits, which do for a part of 65,000 dimensions; this way of writing it, compilers know.
    fn product(&self, row: &[[u8; BLOCK]]) -> i64 {
        let products = row.iter().zip(&self.values).map(|(one, other)| {
            let times = |(one, other): (&u8, &i16)| i32::from(*one) * i32::from(*other);
            one.iter().zip(other).map(times).sum::<i32>()
        });
        i64::from(products.fold(0, i32::wrapping_add)) - self.excess
    }
}

/// What is short of a block is filled up, and comes to nothing since it is zero in what is sought.
fn blocks<T: Default + Copy>(values: &[i8], to: impl Fn(i8) -> T) -> impl Iterator<Item = [T; BLOCK]> {
    values.chunks(BLOCK).map(move |values| {
        let mut block = [T::default(); BLOCK];
        block.iter_mut().zip(values).for_each(|(place, value)| *place = to(*value));
        block
    })
}

/// A vector's parts, each with the share in its length of those behind it; and one divided by that length.
fn cut(vector: &Vector) -> (impl Iterator<Item = (&[i8], f32)>, f32) {
    let values = vector.values();
    let whole = product(values, values);
    let inverse = 1.0 / (whole as f32).sqrt().max(f32::MIN_POSITIVE);
    let mut rest = whole;
    let width = values.len().div_ceil(PARTS).next_multiple_of(BLOCK);
    let parts = values.chunks(width.max(BLOCK)).map(move |part| {
        rest -= product(part, part);
        (part, (rest as f32).sqrt() * inverse)
    });
    (parts, inverse)
}

impl Rows {
    /// None yet, for those that are of one kind with this.
    pub fn like(vector: &Vector) -> Self {
        let part = |(part, _): (&[i8], f32)| Part { blocks: part.len().div_ceil(BLOCK), ..Part::default() };
        Self { width: vector.values().len(), parts: cut(vector).0.map(part).collect(), inverses: Vec::new() }
    }

    /// Whether a vector is of the same kind.
    pub fn takes(&self, vector: &Vector) -> bool {
        vector.values().len() == self.width
    }

    /// Bytes that a vector takes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Puts another one behind the others. It must be of their kind.
    pub fn push(&mut self, vector: &Vector) {
        let (parts, inverse) = cut(vector);
        for (part, (values, rest)) in self.parts.iter_mut().zip(parts) {
            part.push(values, rest);
        }
        self.inverses.push(inverse);
    }

    /// Takes one out. The last is in its place then.
    pub fn swap_remove(&mut self, number: usize) {
        if number >= self.inverses.len() {
            return;
        }
        self.inverses.swap_remove(number);
        let last = self.inverses.len();
        for Part { blocks, values, rests } in &mut self.parts {
            rests.swap_remove(number);
            values.copy_within(last * *blocks.., number * *blocks);
            values.truncate(last * *blocks);
        }
    }

    /// Those that are at least so like another one, and how like; in no order.
    pub fn alike(&self, vector: &Vector, least: f32) -> Vec<(usize, f32)> {
        if !self.takes(vector) {
            return Vec::new();
        }
        let (parts, inverse) = cut(vector);
        let sought: Vec<_> = self.parts.iter().zip(parts.map(Sought::new)).collect();
        let enough = least - ROUNDING;
        let like = |(number, of_row): (usize, &f32)| {
            let (mut sum, mut likeness) = (0, 0.0);
            let scale = of_row * inverse;
            for (part, sought) in &sought {
                sum += sought.product(part.row(number)?);
                likeness = sum as f32 * scale;
                if likeness + part.rests.get(number)? * sought.rest < enough {
                    return None;
                }
            }
            (likeness >= least).then_some((number, likeness.min(1.0)))
        };
        self.inverses.iter().enumerate().filter_map(like).collect()
    }
}

/// How many parts a vector has, if it is long enough.
const PARTS: usize = 4;
/// Dimensions that are gone through at once. Compilers turn so many into a few instructions, of more they make a mess.
const BLOCK: usize = 32;
/// What makes an unsigned number of any dimension.
const ADDED: u8 = 128;
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
        for width in [1, 2, 3, 7, 31, 32, 48, 130, 384, 385, 1_536] {
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
