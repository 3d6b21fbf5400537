//! Values put back where a model wrote their placeholders.
//!
//! Models do not copy placeholders with care: case, separators and brackets change, an `s` is added, a chunk
//! ends in the middle. The tag decides, and everything around it is tolerated. A placeholder whose tag is not of
//! this request stays as it is.

use std::convert::Infallible;

use super::context::Lexicon;
use super::kind::{Edge, any};
use super::lane::{Found, Judge, Lane};
use super::rules::{Group, Rule, Rules};
use super::settings::Problem;
use super::vault::{TAG, Vault};

/// Finds placeholders, for one set of labels.
pub struct Restorer {
    rules: Rules,
}

impl Restorer {
    /// # Errors
    /// When there are so many labels that no machine can be made of them.
    pub fn new<'a>(labels: impl IntoIterator<Item = &'a str>) -> Result<Self, Problem> {
        let mut labels: Vec<String> =
            labels.into_iter().map(|label| regex_syntax::escape(label).replace('_', SEPARATOR)).collect();
        labels.sort_unstable();
        labels.dedup();
        let core = format!(
            "(?:{}){SEPARATOR}{{1,2}}[0-9]{{1,5}}{SEPARATOR}{{1,2}}[0-9a-hjkmnp-tv-z]{{{TAG}}}",
            labels.join("|")
        );
        let bare = format!("(?i-u:{core})");
        // A backslash belongs to the brackets only where both have one; else it is what stood before the value.
        let whole = format!(r"(?i-u:(?:<|&lt;) ?{core} ?(?:>|&gt;)|\\< ?{core} ?\\>)");
        let rule = |regex| Rule {
            kind: 0,
            regex,
            tail: None,
            edge: Edge::Begin,
            check: any,
            alone: 90,
            near: 90,
            keyed: false,
            needs: None,
        };
        let group =
            Group { name: String::new(), label: String::new(), near: Default::default(), unless: Default::default() };
        let rules = Rules::new(
            vec![group],
            vec![rule(bare), rule(whole)],
            Lexicon::default(),
            &[(vec![0, 1], 32 << 20)],
            None,
            1,
        )
        .map_err(|_| Problem::TooLarge { name: "all placeholders together".into() })?;
        Ok(Self { rules })
    }

    /// The whole text with its values back.
    pub fn restore(&self, vault: &Vault, text: &str) -> String {
        let (mut lane, mut out) = (Lane::default(), String::new());
        self.push(&mut lane, vault, text, &mut out);
        self.end(&mut lane, vault, &mut out);
        out
    }

    /// Takes more of a stream's text, and writes what may leave to `out`. How many values came back.
    pub fn push(&self, lane: &mut Lane, vault: &Vault, text: &str, out: &mut String) -> u64 {
        lane.take_text(text);
        let mut returning = Returning::of(vault);
        let Ok(()) = lane.release(&self.rules, &mut returning, out);
        returning.count
    }

    /// The stream ended: everything leaves. How many values came back.
    pub fn end(&self, lane: &mut Lane, vault: &Vault, out: &mut String) -> u64 {
        let mut returning = Returning::of(vault);
        let Ok(()) = lane.finish(&self.rules, &mut returning, out);
        returning.count
    }

    /// The most that is held back of a stream, in bytes as the machine reads them.
    pub fn hold_back(&self) -> usize {
        self.rules.hold_back()
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// An underscore, as models write it.
const SEPARATOR: &str = r"(?:\\?[_ -])";

/// The judge that gives values back.
pub struct Returning<'a> {
    vault: &'a Vault,
    /// How many it gave back.
    pub count: u64,
}

impl<'a> Returning<'a> {
    pub fn of(vault: &'a Vault) -> Self {
        Self { vault, count: 0 }
    }
}

impl Judge for Returning<'_> {
    type Stop = Infallible;

    fn judge(&mut self, found: Found<'_>, out: &mut String) -> Result<(), Infallible> {
        let core = ["&gt;", "\\>", ">"]
            .iter()
            .find_map(|end| found.source.strip_suffix(end))
            .unwrap_or(found.source)
            .trim_end();
        let tag = core.len().checked_sub(TAG).and_then(|at| core.get(at..)).map(str::to_ascii_lowercase);
        let value = tag.and_then(|tag| self.vault.value(&tag));
        self.count += u64::from(value.is_some());
        out.push_str(value.unwrap_or(found.source));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::redact::vault::Key;

    fn house() -> (Restorer, Vault, String) {
        let mut vault = Vault::new(Key::derive(b"secret", "scope"));
        let placeholder = vault.placeholder("EMAIL", "jo@example.com");
        (Restorer::new(["EMAIL", "CARD", "BIRTH_DATE"]).unwrap(), vault, placeholder)
    }

    #[test]
    fn what_models_make_of_a_placeholder_is_understood() {
        let (restorer, vault, placeholder) = house();
        let bare = placeholder.trim_matches(['<', '>']);
        let ways = [
            placeholder.clone(),
            placeholder.to_lowercase(),
            format!("&lt;{bare}&gt;"),
            bare.replace('_', "\\_"),
            bare.replace('_', " "),
            format!("< {bare} >"),
            format!("\\<{bare}\\>"),
        ];
        for way in ways {
            assert_eq!(restorer.restore(&vault, &format!("**{way}**s, ok")), "**jo@example.com**s, ok", "{way}");
        }
    }

    #[test]
    fn a_backslash_before_a_value_stays() {
        let (restorer, vault, placeholder) = house();
        assert_eq!(restorer.restore(&vault, &format!("CORP\\{placeholder}")), "CORP\\jo@example.com");
    }

    #[test]
    fn an_unknown_placeholder_stays() {
        let (restorer, vault, _) = house();
        assert_eq!(restorer.restore(&vault, "<EMAIL_1_zzzzzz> <CARD_1> email"), "<EMAIL_1_zzzzzz> <CARD_1> email");
    }
}
