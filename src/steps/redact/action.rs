//! What is done with a finding.

use std::collections::BTreeMap;

use super::bare;
use super::detector::Detector;
use super::lane::{Found, Judge};
use super::vault::Vault;

/// What leaves in place of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A placeholder that can be given back.
    #[default]
    Replace,
    /// Stars, and the last four letters or digits if there are more than eight.
    Mask,
    /// A keyed hash: the same for the same value, and no way back.
    Hash,
    /// Nothing: the request or the answer ends.
    Refuse,
    /// The value itself; it is only counted.
    Report,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Refuse => "refuse",
            Self::Report => "report",
        }
    }
}

/// Something was found that may not be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text contains `{kind}`, which the policy refuses")]
pub struct Refused {
    pub kind: String,
}

/// A judge that does what a policy says, and counts what it saw.
pub struct Replacer<'a, F> {
    detector: &'a Detector,
    vault: &'a mut Vault,
    action: F,
    /// Whether what replaces a bare number of JSON is put into quotes.
    quotes: bool,
    /// How many findings there were, by the name of their kind.
    pub seen: BTreeMap<String, usize>,
}

impl<'a, F: Fn(&str) -> Action> Replacer<'a, F> {
    /// `action` tells what to do by the name of a kind.
    pub fn new(detector: &'a Detector, vault: &'a mut Vault, action: F) -> Self {
        Self { detector, vault, action, quotes: false, seen: BTreeMap::new() }
    }

    /// The same for texts that may hold JSON: what replaces a bare number is put into quotes.
    #[must_use]
    pub fn quoting(self) -> Self {
        Self { quotes: true, ..self }
    }

    /// Writes what is to leave in place of a value.
    fn put(&mut self, action: Action, kind: &str, label: &str, value: &str, out: &mut String) -> Result<(), Refused> {
        match action {
            Action::Replace => out.push_str(&self.vault.placeholder(label, value)),
            Action::Mask => mask(value, out),
            Action::Hash => {
                let hash = self.vault.key().hash(label, value);
                out.extend(["<", label, ":", &hash, ">"]);
            }
            Action::Refuse => return Err(Refused { kind: kind.to_owned() }),
            Action::Report => out.push_str(value),
        }
        Ok(())
    }
}

impl<F: Fn(&str) -> Action> Judge for Replacer<'_, F> {
    type Stop = Refused;

    fn judge(&mut self, found: Found<'_>, out: &mut String) -> Result<(), Refused> {
        let (name, label) = (self.detector.name(found.shape), self.detector.label(found.shape));
        if self.detector.is_allowed(found.source) {
            out.push_str(found.source);
            return Ok(());
        }
        *self.seen.entry(name.to_owned()).or_default() += 1;
        let action = (self.action)(name);
        let quote = bare::quote(found.past, found.source).filter(|_| self.quotes && action != Action::Report);
        let quote = quote.unwrap_or_default();
        out.push_str(quote);
        self.put(action, name, label, found.source, out)?;
        out.push_str(quote);
        Ok(())
    }
}

fn mask(value: &str, out: &mut String) {
    let count = value.chars().filter(|c| c.is_alphanumeric()).count();
    let shown = if count > 8 { 4 } else { 0 };
    let mut left = count;
    for c in value.chars() {
        let is_hidden = c.is_alphanumeric() && left > shown;
        out.push(if is_hidden { '*' } else { c });
        left -= usize::from(c.is_alphanumeric());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_the_last_four() {
        let mut out = String::new();
        mask("4111 1111 1111 1234", &mut out);
        mask(" 123-456", &mut out);
        assert_eq!(out, "**** **** **** 1234 ***-***");
    }
}
