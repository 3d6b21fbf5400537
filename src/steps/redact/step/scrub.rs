//! Going through single texts, and counting what there was.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{Unscannable, Where};
use super::guard::{Guard, LANGUAGE};
use crate::base::aside::Wanted;
use crate::base::json::Json;
use crate::base::stop::Refusal;
use crate::base::text::unescape;
use crate::pipeline::remarks::{Remarks, counts_as_json};
use crate::steps::redact::{Action, Found, JsonLane, Judge, Refused, Replacer, Vault};

/// What was found: how often each type, and how much in each place. Never the text.
#[derive(Debug, Default)]
pub struct Findings {
    kinds: BTreeMap<String, u64>,
    places: BTreeMap<&'static str, u64>,
    /// Images, sounds and files that nobody can look into.
    unseen: u64,
    /// Languages of texts that the policy does not allow.
    languages: BTreeSet<&'static str>,
}

impl Findings {
    fn add(&mut self, place: Where, seen: &BTreeMap<String, usize>) {
        for (kind, count) in seen {
            let count = *count as u64;
            *self.kinds.entry(kind.clone()).or_default() += count;
            *self.places.entry(place.name()).or_default() += count;
        }
    }

    /// Each type, and how often.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, u64)> {
        self.kinds.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// `email: 2`, and `places: {"user":2}`.
    pub fn note(&self, remarks: &mut Remarks) {
        for (kind, count) in &self.kinds {
            remarks.note(kind.clone(), *count);
        }
        if !self.places.is_empty() {
            remarks.note("places", counts_as_json(&self.places));
        }
        if self.unseen > 0 {
            remarks.note("unscanned", self.unseen);
        }
        if !self.languages.is_empty() {
            remarks.note("languages", self.languages.iter().copied().collect::<Vec<_>>().join(" "));
        }
    }
}

/// Goes through texts with one guard, and puts what is found into one vault.
pub struct Scrub<'a> {
    guard: &'a Guard,
    vault: &'a mut Vault,
    findings: &'a mut Findings,
    /// For how long that is any use.
    wanted: &'a Wanted,
}

impl<'a> Scrub<'a> {
    pub fn new(guard: &'a Guard, vault: &'a mut Vault, findings: &'a mut Findings, wanted: &'a Wanted) -> Self {
        Self { guard, vault, findings, wanted }
    }

    pub fn guard(&self) -> &Guard {
        self.guard
    }

    /// Something that nobody can look into: it is noted if the policy lets such things pass.
    ///
    /// # Errors
    /// When the policy does not.
    pub fn unseen(&mut self, place: Where, what: &str) -> Result<(), Refusal> {
        if !self.guard.covers(place) {
            return Ok(());
        }
        if self.guard.unscannable() != Some(Unscannable::Pass) {
            return Err(self.guard.refuse_unseen(what));
        }
        self.findings.unseen += 1;
        Ok(())
    }

    /// Another wording for a text, if it needs one. `before` is what was said just before, and counts as context.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn text(&mut self, place: Where, text: &str, before: &str) -> Result<Option<String>, Refusal> {
        if !self.guard.covers(place) || text.is_empty() {
            return Ok(None);
        }
        if is_json(text) {
            return self.json(place, text);
        }
        self.language(place, text)?;
        let rewritten = self.judge(place, Form::Text, |guard, judge| guard.detector().rewrite(text, before, judge))?;
        Ok(rewritten.filter(|rewritten| rewritten != text))
    }

    /// Looks at what language a text seems to be in.
    fn language(&mut self, place: Where, text: &str) -> Result<(), Refusal> {
        let Some(language) = self.guard.foreign(place, text) else { return Ok(()) };
        self.findings.languages.insert(language.name());
        self.findings.add(place, &BTreeMap::from([(LANGUAGE.to_owned(), 1)]));
        match self.guard.action_of(LANGUAGE) {
            Action::Refuse => Err(self.guard.refuse_language(language)),
            _ => Ok(()),
        }
    }

    /// The same for a text that is JSON: its strings and numbers. A text that is not is one like any other.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn json(&mut self, place: Where, json: &str) -> Result<Option<String>, Refusal> {
        if !self.guard.covers(place) {
            return Ok(None);
        }
        // To read JSON piece by piece takes ten times as long as to look whether there is anything in it at all.
        if self.guard.detector().is_clean(&unescape(json), self.wanted).ok_or_else(left)? {
            return Ok(None);
        }
        let is_valid = is_valid(json);
        let rewritten = self.judge(place, Form::Json, |guard, judge| {
            let detector = guard.detector();
            if !is_valid {
                return detector.rewrite(json, "", judge);
            }
            let (mut lane, mut out) = (JsonLane::default(), String::with_capacity(json.len()));
            for piece in pieces(json) {
                judge.pause()?;
                lane.push(detector, piece, judge, &mut out)?;
            }
            lane.end(detector, judge, &mut out)?;
            Ok(Some(out))
        })?;
        Ok(rewritten.filter(|rewritten| rewritten != json))
    }

    /// The same for a JSON value of a dialect's own.
    ///
    /// # Errors
    /// When something is in it that the policy refuses.
    pub fn value(&mut self, place: Where, value: &Json) -> Result<Option<Json>, Refusal> {
        Ok(self.json(place, &value.0)?.map(|rewritten| Json(rewritten.into())))
    }

    fn judge<T>(
        &mut self,
        place: Where,
        form: Form,
        look: impl FnOnce(&Guard, &mut Watched<'_>) -> Result<T, Halt>,
    ) -> Result<T, Refusal> {
        let guard = self.guard;
        let action = |kind: &str| guard.action_of(kind);
        let replacer = Replacer::new(guard.detector(), &mut *self.vault, &action as &dyn Fn(&str) -> Action);
        let replacer = match form {
            Form::Text => replacer,
            Form::Json => replacer.quoting(),
        };
        let mut judge = Watched { replacer, wanted: self.wanted };
        let looked = look(guard, &mut judge);
        self.findings.add(place, &judge.replacer.seen);
        looked.map_err(|halt| match halt {
            Halt::Refused(refused) => guard.refuse(&refused, place),
            Halt::Left => left(),
        })
    }
}

/// A judge for as long as somebody waits for its judgement.
struct Watched<'a> {
    replacer: Replacer<'a, &'a dyn Fn(&str) -> Action>,
    wanted: &'a Wanted,
}

/// What a text is read as.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
}

/// Why a text is not gone through any further.
enum Halt {
    Refused(Refused),
    /// Nobody waits any more.
    Left,
}

impl Judge for Watched<'_> {
    type Stop = Halt;

    fn judge(&mut self, found: Found<'_>, out: &mut String) -> Result<(), Halt> {
        self.replacer.judge(found, out).map_err(Halt::Refused)
    }

    fn pause(&mut self) -> Result<(), Halt> {
        if self.wanted.holds() { Ok(()) } else { Err(Halt::Left) }
    }
}

/// What nobody is there to be told.
pub fn left() -> Refusal {
    Refusal::internal("nobody waits any more for what was being gone through")
}

/// A text in pieces each of which takes no long time.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = (PIECE.min(rest.len())..=rest.len()).find(|end| rest.is_char_boundary(*end))?;
        let (piece, behind) = rest.split_at_checked(end).filter(|(piece, _)| !piece.is_empty())?;
        rest = behind;
        Some(piece)
    })
}

/// Bytes of a text that are gone through without asking whether anybody still waits.
const PIECE: usize = 64 << 10;

/// Whether a text is a JSON object or array as a whole, as results of tools often are.
fn is_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) && is_valid(text)
}

fn is_valid(json: &str) -> bool {
    let json = bytestring::ByteString::from(json);
    let mut reader = crate::base::json::Reader::new(&json);
    reader.skip().is_ok() && reader.end().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::config::{Config, Sought};
    use super::*;
    use crate::base::aside::Aside;
    use crate::steps::redact::Key;

    fn scrubbed(place: Where, text: &str, wanted: &Wanted) -> Result<Option<String>, Refusal> {
        let find = vec![Sought::try_from("email".to_owned()).unwrap()];
        let guard = Guard::new(&Config { find, ..Config::default() }, "p").unwrap();
        let (mut vault, mut findings) = (Vault::new(Key::derive(b"secret", "scope")), Findings::default());
        Scrub::new(&guard, &mut vault, &mut findings, wanted).text(place, text, "")
    }

    #[tokio::test]
    async fn a_long_text_is_not_gone_through_for_nobody() {
        let unwanted = Aside::default().run(|wanted| wanted.clone()).await.unwrap();
        let long = format!("{}jo@example.org", "A word of prose. ".repeat(8_000));
        let json = serde_json::json!({ "a": long }).to_string();
        for text in [&long, &json] {
            assert_eq!(scrubbed(Where::User, text, &unwanted), Err(left()));
            assert!(scrubbed(Where::User, text, &Wanted::always()).unwrap().unwrap().contains("<EMAIL_1_"));
        }
    }

    #[test]
    fn a_bare_number_of_a_document_within_a_document_becomes_a_string() {
        let find = vec![Sought::try_from("card".to_owned()).unwrap()];
        let guard = Guard::new(&Config { find, ..Config::default() }, "p").unwrap();
        let (mut vault, mut findings, wanted) =
            (Vault::new(Key::derive(b"secret", "scope")), Findings::default(), Wanted::always());
        let mut scrub = Scrub::new(&guard, &mut vault, &mut findings, &wanted);
        let inner = r#"{"card": 4111111111111111, "cards": [5555555555554444,4242424242424242]}"#;
        let outer =
            serde_json::json!({ "result": inner, "deeper": serde_json::json!({ "result": inner }).to_string() });
        let new = scrub.json(Where::ToolResults, &outer.to_string()).unwrap().unwrap();
        let new: serde_json::Value = serde_json::from_str(&new).unwrap();
        let read =
            |json: &serde_json::Value| serde_json::from_str::<serde_json::Value>(json.as_str().unwrap()).unwrap();
        for inner in [read(&new["result"]), read(&read(&new["deeper"])["result"])] {
            assert!(inner["card"].as_str().unwrap().starts_with("<CARD_1_"), "{inner}");
            assert!(inner["cards"][1].as_str().unwrap().starts_with("<CARD_3_"), "{inner}");
        }
    }

    #[test]
    fn pieces_are_the_text_and_none_is_long() {
        let text = "é".repeat(PIECE);
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert!(pieces(&text).all(|piece| piece.len() <= PIECE + 1));
        assert_eq!(pieces("").count(), 0);
    }
}
