//! What a type of finding is, as data.
//!
//! A [`Kind`] says what it matches, in which shapes, and which words in front of a match speak for or against
//! it. The tables under `kinds/` are written for a reviewer to read: a shape is a regular expression of
//! bounded length over ASCII, and what an expression cannot say (a checksum, an issuer's range) is a check.
//!
//! A kind carries its own examples and counter-examples, and a test holds it to them.

/// A type of personal data or credential that a policy can name.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The name in a policy: `us_ssn`.
    pub name: &'static str,
    /// The name in a placeholder: `SSN`. Capital letters and `_` only.
    pub label: &'static str,
    /// What it matches, in one sentence.
    pub says: &'static str,
    pub profiles: &'static [Profile],
    /// Words that speak for a match when one of them stands within five words before it.
    pub near: &'static [&'static str],
    /// Words that speak against a match, unless one of `near` is there too.
    pub unless: &'static [&'static str],
    pub shapes: &'static [Shape],
    /// Texts with the expected match between `«` and `»`.
    pub examples: &'static [&'static str],
    /// Texts in which this kind finds nothing.
    pub counters: &'static [&'static str],
}

/// A named set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What a policy that names nothing looks for: kinds that are hardly ever something else.
    Default,
    Pii,
    Pci,
    Secrets,
    Eu,
    Us,
    /// Not data: phrases that speak to a model. In no other profile, and not in `all`.
    Injection,
}

impl Kind {
    /// Whether it is a guess at what a text is up to, rather than data.
    pub fn is_heuristic(&self) -> bool {
        self.profiles.contains(&Profile::Injection)
    }
}

/// The profiles by the names policies use.
pub const PROFILES: [(&str, Profile); 7] = [
    ("default", Profile::Default),
    ("pii", Profile::Pii),
    ("pci", Profile::Pci),
    ("secrets", Profile::Secrets),
    ("eu", Profile::Eu),
    ("us", Profile::Us),
    ("injection_heuristic", Profile::Injection),
];

/// One form in which a value of a kind is written.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub regex: &'static str,
    /// What follows the match and belongs to it, however long it is.
    pub tail: Option<&'static str>,
    pub edge: Edge,
    pub check: Check,
    /// How sure a match is without a word of context, in percent.
    pub alone: u8,
    /// How sure it is with one.
    pub near: u8,
    /// Whether it is looked for after `name =` and `name:` only, where the name is one of the kind's words.
    pub keyed: bool,
    /// A byte that every match has, by which most places of a whole text are passed over.
    pub needs: Option<u8>,
}

/// Looks at the text of a match, folded to ASCII where it can be.
pub type Check = fn(&str) -> bool;

/// Which neighbours a match may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Any that are no ASCII letter, digit or underscore.
    Word,
    /// As `Word`, and none that make it a piece of something longer: no `.`, `-`, `/`, `:` or `#` with a
    /// letter or digit behind it. The inside of a UUID, a version, a decimal or a time is no number of its own.
    Number,
    /// As `Number`, and none that make it one of a row of numbers: no space with a digit behind it.
    Lone,
    /// As `Word`, and none of these signs with a letter or digit behind it.
    Apart(&'static str),
    /// No ASCII letter or digit, and not followed by `:` and a path, as in `git@host:path`.
    Address,
    /// As `Word` before, and whatever is there behind.
    Begin,
    /// No letter or digit of any script next to one of its own, unless their script sets no spaces.
    Phrase,
    /// Whatever is there.
    Free,
}

impl Shape {
    /// A shape that is certain wherever it stands.
    pub const fn new(regex: &'static str) -> Self {
        Self { regex, tail: None, edge: Edge::Word, check: any, alone: 90, near: 95, keyed: false, needs: None }
    }

    /// A shape of digits, with the neighbours numbers may have.
    pub const fn number(regex: &'static str) -> Self {
        let mut shape = Self::new(regex);
        shape.edge = Edge::Number;
        shape
    }

    /// A shape of digits in groups, which a row of numbers must not be taken for.
    pub const fn lone(regex: &'static str) -> Self {
        Self::new(regex).edge(Edge::Lone)
    }

    pub const fn edge(mut self, edge: Edge) -> Self {
        self.edge = edge;
        self
    }

    pub const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    pub const fn tail(mut self, tail: &'static str) -> Self {
        self.tail = Some(tail);
        self
    }

    pub const fn sure(mut self, alone: u8, near: u8) -> Self {
        self.alone = alone;
        self.near = near;
        self
    }

    /// Nothing without a word of context before it.
    pub const fn in_context(self) -> Self {
        self.sure(0, 85)
    }

    pub const fn needs(mut self, byte: u8) -> Self {
        self.needs = Some(byte);
        self
    }

    pub const fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }
}

/// Accepts everything.
pub fn any(_: &str) -> bool {
    true
}
