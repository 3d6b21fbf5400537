//! Which three bytes may begin a match. Most words of prose end here, before any automaton is run.

use std::collections::HashMap;

use super::machine::Machine;

/// The first three bytes of all matches of some machines, by classes of bytes that none of them tells apart.
pub struct Heads {
    classes: [u8; 256],
    count: usize,
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
        let mut heads = Self { classes, count, bits: vec![0; count.pow(3).div_ceil(64)], first };
        for a in bytes.iter().filter(|a| lives(machines, &[**a])) {
            for b in bytes.iter().filter(|b| lives(machines, &[*a, **b])) {
                for c in bytes.iter().filter(|c| lives(machines, &[*a, *b, **c])) {
                    heads.add([*a, *b, *c]);
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
                let place = self.place([*a, *b, *c]);
                self.bits.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
            }
            [a, ..] => self.first.get(usize::from(*a)).copied().unwrap_or(false),
            [] => false,
        }
    }

    fn add(&mut self, head: [u8; 3]) {
        let place = self.place(head);
        if let Some(bits) = self.bits.get_mut(place / 64) {
            *bits |= 1 << (place % 64);
        }
    }

    #[inline]
    fn place(&self, head: [u8; 3]) -> usize {
        let class = |byte: u8| self.classes.get(usize::from(byte)).copied().map_or(0, usize::from);
        let [a, b, c] = head;
        (class(a) * self.count + class(b)) * self.count + class(c)
    }

    /// What it takes, in bytes.
    pub fn memory(&self) -> usize {
        self.bits.len() * 8
    }
}

fn lives(machines: &[&Machine], head: &[u8]) -> bool {
    machines.iter().any(|machine| machine.lives(head))
}
