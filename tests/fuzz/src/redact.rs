//! The laws of redaction on streams, as what must hold of any text.

use tidegate::steps::redact::{Action, Detector, JsonLane, Key, Lane, List, Replacer, Restorer, Settings, Vault};

/// A detector of everything, with the restorer of its placeholders.
pub struct House {
    detector: Detector,
    restorer: Restorer,
}

impl Default for House {
    fn default() -> Self {
        let terms = ["gun", "gun shop", "Öl", "爆弾"].map(str::to_owned).to_vec();
        let lists = vec![List { name: "goods".into(), terms: terms.into() }];
        let find = vec!["all".into(), "injection_heuristic".into()];
        let detector = Detector::compile(&Settings { find, lists, ..Settings::default() }).unwrap();
        let restorer = Restorer::new(detector.labels()).unwrap();
        Self { detector, restorer }
    }
}

fn vault() -> Vault {
    Vault::new(Key::derive(b"secret", "scope"))
}

/// The text behind the first byte, and the pieces into which that byte cuts it.
fn cut(data: &[u8]) -> Option<(&str, Vec<&str>)> {
    let (first, rest) = data.split_first()?;
    let text = std::str::from_utf8(rest).ok()?;
    let mut rng = fastrand::Rng::with_seed(u64::from(*first));
    let most = rng.usize(1..12);
    let (mut pieces, mut left) = (Vec::new(), text);
    while !left.is_empty() {
        let at = (rng.usize(1..=most).min(left.len())..).find(|at| left.is_char_boundary(*at))?;
        let (piece, behind) = left.split_at(at);
        pieces.push(piece);
        left = behind;
    }
    Some((text, pieces))
}

impl House {
    fn replacer<'a>(&'a self, vault: &'a mut Vault) -> Replacer<'a, impl Fn(&str) -> Action> {
        Replacer::new(&self.detector, vault, |_| Action::Replace)
    }

    /// However a text is cut, what leaves is the same; what left is always its beginning; and it comes back.
    pub fn text(&self, data: &[u8]) {
        let Some((text, pieces)) = cut(data) else { return };
        let mut given = vault();
        let whole = self.detector.rewrite(text, "", &mut self.replacer(&mut given)).unwrap();
        let whole = whole.unwrap_or_else(|| text.to_owned());
        let (mut other, mut out) = (vault(), String::new());
        let mut lane = self.detector.lane("");
        let mut judge = self.replacer(&mut other);
        for piece in &pieces {
            self.detector.push(&mut lane, piece, &mut judge, &mut out).unwrap();
            assert!(whole.starts_with(&out), "{out:?} is no beginning of {whole:?}");
            assert!(lane.held() <= self.detector.hold_back());
        }
        self.detector.end(&mut lane, &mut judge, &mut out).unwrap();
        assert_eq!(out, whole, "of {text:?}");
        self.restore(&given, &whole, data.first().copied().unwrap_or_default());
        assert_eq!(self.restorer.restore(&given, &whole), text);
    }

    /// However a text with placeholders is cut, the same comes back.
    fn restore(&self, vault: &Vault, text: &str, seed: u8) {
        let data = [&[seed], text.as_bytes()].concat();
        let Some((_, pieces)) = cut(&data) else { return };
        let (mut lane, mut out) = (Lane::default(), String::new());
        for piece in pieces {
            self.restorer.push(&mut lane, vault, piece, &mut out);
        }
        self.restorer.end(&mut lane, vault, &mut out);
        assert_eq!(out, self.restorer.restore(vault, text));
    }

    /// The same for JSON; and what was JSON is JSON afterwards, with the same values when they have come back.
    pub fn json(&self, data: &[u8]) {
        let Some((json, pieces)) = cut(data) else { return };
        let (mut given, mut whole) = (vault(), String::new());
        let mut lane = JsonLane::default();
        let mut judge = self.replacer(&mut given);
        lane.push(&self.detector, json, &mut judge, &mut whole).unwrap();
        lane.end(&self.detector, &mut judge, &mut whole).unwrap();
        let (mut other, mut out) = (vault(), String::new());
        let mut lane = JsonLane::default();
        let mut judge = self.replacer(&mut other);
        for piece in pieces {
            lane.push(&self.detector, piece, &mut judge, &mut out).unwrap();
            assert!(whole.starts_with(&out), "{out:?} is no beginning of {whole:?}");
        }
        lane.end(&self.detector, &mut judge, &mut out).unwrap();
        assert_eq!(out, whole, "of {json:?}");
        if serde_json::from_str::<serde_json::Value>(json).is_ok() {
            assert!(serde_json::from_str::<serde_json::Value>(&whole).is_ok(), "{json:?} gives {whole:?}");
        }
    }
}
