//! Pairs of questions, made by templates: the same in other words, and near-misses.

/// Two questions and whether they ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    pub category: &'static str,
    pub a: String,
    pub b: String,
    pub same: bool,
}

/// What pairs are made of.
pub struct Templates {
    /// What somebody may want to do.
    pub deeds: &'static [&'static str],
    /// Ways to ask for how; any two are paraphrases.
    pub ways: &'static [&'static str],
    /// Other paraphrases; `{}` is a thing.
    pub alike: &'static [(&'static str, &'static str)],
    pub things: &'static [&'static str],
    pub names: &'static [&'static str],
    pub numbers: &'static [(&'static str, &'static str)],
    pub counted: &'static [&'static str],
    pub units: &'static [(&'static str, &'static str)],
    pub measured: &'static [&'static str],
    pub named: &'static [&'static str],
    /// Two sides that cannot be exchanged, as `{x}` and `{y}`.
    pub sided: &'static [&'static str],
    /// Aimed at what the canonical form overlooks.
    pub near: &'static [(&'static str, &'static str)],
    pub turned: &'static [(&'static str, &'static str)],
    pub denied: &'static [(&'static str, &'static str)],
    pub timed: &'static [(&'static str, &'static str)],
    pub quantified: &'static [(&'static str, &'static str)],
    pub asked: &'static [(&'static str, &'static str)],
    pub modifiers: &'static [&'static str],
    pub languages: &'static [(&'static str, &'static str)],
    pub spoken: &'static [&'static str],
}

impl Templates {
    pub fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        self.paraphrases(&mut pairs);
        self.exchanges(&mut pairs);
        self.insertions(&mut pairs);
        pairs
    }

    fn paraphrases(&self, pairs: &mut Vec<Pair>) {
        for (number, deed) in self.deeds.iter().enumerate() {
            for step in 1..=26 {
                let one = pick(self.ways, number);
                let other = pick(self.ways, number + step);
                if one != other {
                    pairs.push(pair("paraphrase: way", fill(one, deed), fill(other, deed), true));
                }
            }
        }
        for (a, b) in self.alike {
            for thing in self.things {
                pairs.push(pair("paraphrase: frame", fill(a, thing), fill(b, thing), true));
            }
        }
    }

    fn exchanges(&self, pairs: &mut Vec<Pair>) {
        let mut exchange = |category, templates: &[&str], words: &[(&str, &str)]| {
            for template in templates {
                for (one, other) in words {
                    pairs.push(pair(category, fill(template, one), fill(template, other), false));
                }
            }
        };
        exchange("number", self.counted, self.numbers);
        exchange("unit", self.measured, self.units);
        exchange("language", self.spoken, self.languages);
        let neighbours: Vec<_> =
            (0..self.names.len()).map(|at| (*pick(self.names, at), *pick(self.names, at + 1))).collect();
        exchange("entity", self.named, &neighbours);
        for (category, words) in [
            ("near", self.near),
            ("antonym", self.turned),
            ("negation", self.denied),
            ("time", self.timed),
            ("quantifier", self.quantified),
            ("wh", self.asked),
        ] {
            for (one, other) in words {
                for thing in self.things {
                    pairs.push(pair(category, fill(one, thing), fill(other, thing), false));
                }
            }
        }
        for template in self.sided {
            for at in 0..self.names.len() {
                let (x, y) = (pick(self.names, at), pick(self.names, at + 3));
                let said = |x: &str, y: &str| template.replace("{x}", x).replace("{y}", y);
                pairs.push(pair("order", said(x, y), said(y, x), false));
            }
        }
    }

    fn insertions(&self, pairs: &mut Vec<Pair>) {
        for (number, thing) in self.things.iter().enumerate() {
            for step in 0..self.modifiers.len() {
                let way = pick(self.alike, number + step).0;
                let modified = format!("{} {thing}", pick(self.modifiers, number + step));
                pairs.push(pair("modifier", fill(way, thing), fill(way, &modified), false));
            }
        }
    }
}

fn pair(category: &'static str, a: String, b: String, same: bool) -> Pair {
    Pair { category, a, b, same }
}

fn fill(template: &str, word: &str) -> String {
    template.replace("{}", word)
}

fn pick<T>(from: &[T], at: usize) -> &T {
    &from[at % from.len()]
}
