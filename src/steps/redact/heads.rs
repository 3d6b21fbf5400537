//! Which three bytes may begin a match. Most words of prose end here, before any automaton is run.

use std::collections::HashMap;

use super::machine::Machine;

/// The first three bytes of all matches of some machines, by classes of bytes that none of them tells apart.
pub struct Heads {
    classes: [u8; 256],
    /// The class of a first byte, times the number of classes.
    rows: [u16; 256],
    count: usize,
    /// Of the first two bytes: a small table, which stays at hand, and where most words end.
    pairs: Vec<u64>,
    bits: Vec<u64>,
    /// Whether a match may begin with this byte, for places near the end of a text.
    first: [bool; 256],
}

impl Heads {
    pub fn of(machines: &[&Machine]) -> Self {
        let mut known: HashMap<Vec<u8>, u8> = HashMap::new();
        let mut bytes = Vec::new();
        let classes = std::array::from_fn(|byte| {
            let Ok(byte) = u8::try_from(byte) else { return 0 };
            let next = u8::try_from(known.len()).unwrap_or_default();
            let class: Vec<u8> = machines.iter().map(|machine| machine.class(byte)).collect();
            *known.entry(class).or_insert_with(|| {
                bytes.push(byte);
                next
            })
        });
        let first = std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(|byte| lives(machines, &[byte])));
        let count = bytes.len();
        let table = |bits: usize| vec![0; bits.div_ceil(64)];
        let row = |class: u8| u16::try_from(usize::from(class) * count).unwrap_or(u16::MAX);
        let rows = classes.map(row);
        let mut heads = Self { classes, rows, count, pairs: table(count.pow(2)), bits: table(count.pow(3)), first };
        for a in bytes.iter().filter(|a| lives(machines, &[**a])) {
            for b in bytes.iter().filter(|b| lives(machines, &[*a, **b])) {
                let pair = heads.pair([*a, *b]);
                set(&mut heads.pairs, pair);
                for c in bytes.iter().filter(|c| lives(machines, &[*a, *b, **c])) {
                    let place = pair * count + heads.class(*c);
                    set(&mut heads.bits, place);
                }
            }
        }
        heads
    }

    /// Whether a match may begin here.
    #[inline]
    pub fn may_begin(&self, here: &[u8]) -> bool {
        match here {
            [a, b, c, ..] => {
                let pair = self.pair([*a, *b]);
                is_set(&self.pairs, pair) && is_set(&self.bits, pair * self.count + self.class(*c))
            }
            [a, ..] => self.first.get(usize::from(*a)).copied().unwrap_or(false),
            [] => false,
        }
    }

    #[inline]
    fn class(&self, byte: u8) -> usize {
        self.classes.get(usize::from(byte)).copied().map_or(0, usize::from)
    }

    #[inline]
    fn pair(&self, [a, b]: [u8; 2]) -> usize {
        self.rows.get(usize::from(a)).copied().map_or(0, usize::from) + self.class(b)
    }

    /// What it takes, in bytes.
    pub fn memory(&self) -> usize {
        (self.pairs.len() + self.bits.len()) * 8
    }
}

#[inline]
fn is_set(table: &[u64], place: usize) -> bool {
    table.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
}

fn set(table: &mut [u64], place: usize) {
    if let Some(bits) = table.get_mut(place / 64) {
        *bits |= 1 << (place % 64);
    }
}

fn lives(machines: &[&Machine], head: &[u8]) -> bool {
    machines.iter().any(|machine| machine.lives(head))
}
