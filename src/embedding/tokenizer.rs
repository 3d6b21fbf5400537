//! Texts into the tokens of a BERT: cleaned, split into words and marks, and these into pieces that the model knows.
//!
//! Read from the `tokenizer.json` that comes with a model, of which one kind is understood: WordPiece behind BERT's own
//! normaliser and splitter, as all models that descend from BERT have it. Names of special tokens within a text are
//! text here: nobody who asks a question can end it early.
//!
//! See <https://arxiv.org/abs/1810.04805> and <https://arxiv.org/abs/1609.08144>.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

use super::Unfit;

pub struct Tokenizer {
    vocabulary: HashMap<String, u32>,
    /// Before pieces that go on with a word.
    prefix: String,
    /// Words of more characters are unknown.
    longest: usize,
    lowers: bool,
    strips_accents: bool,
    unknown: u32,
    begin: u32,
    end: u32,
}

#[derive(Deserialize)]
struct File {
    normalizer: Normalizer,
    pre_tokenizer: Kind,
    model: Pieces,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Deserialize)]
struct Normalizer {
    r#type: String,
    lowercase: bool,
    strip_accents: Option<bool>,
}

#[derive(Deserialize)]
struct Pieces {
    #[serde(default)]
    r#type: Option<String>,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: HashMap<String, u32>,
}

impl Tokenizer {
    /// # Errors
    /// When it is not of the kind that is understood, or lacks a token that every text needs.
    pub fn read(bytes: &[u8]) -> Result<Self, Unfit> {
        let unfit = |why: String| Unfit::Tokenizer(why);
        let File { normalizer, pre_tokenizer, model } =
            serde_json::from_slice(bytes).map_err(|error| unfit(error.to_string()))?;
        let kinds = [
            (normalizer.r#type.as_str(), "BertNormalizer"),
            (pre_tokenizer.r#type.as_str(), "BertPreTokenizer"),
            (model.r#type.as_deref().unwrap_or("WordPiece"), "WordPiece"),
        ];
        if let Some((kind, known)) = kinds.into_iter().find(|(kind, known)| kind != known) {
            return Err(unfit(format!("it has a `{kind}`, and only a `{known}` is understood there")));
        }
        let token =
            |name: &str| model.vocab.get(name).copied().ok_or_else(|| unfit(format!("it has no token `{name}`")));
        Ok(Self {
            unknown: token(&model.unk_token)?,
            begin: token("[CLS]")?,
            end: token("[SEP]")?,
            prefix: model.continuing_subword_prefix,
            longest: model.max_input_chars_per_word,
            lowers: normalizer.lowercase,
            strips_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
            vocabulary: model.vocab,
        })
    }

    /// The tokens of a text between those for its beginning and its end; `most` in all, at least 2.
    pub fn tokens(&self, text: &str, most: usize) -> Vec<u32> {
        let room = most.saturating_sub(1);
        let mut tokens = vec![self.begin];
        for word in words(&self.normal(text)) {
            if tokens.len() >= room {
                break;
            }
            self.add_pieces(word, &mut tokens);
        }
        tokens.truncate(room);
        tokens.push(self.end);
        tokens
    }

    /// The largest number of a token.
    pub fn largest(&self) -> u32 {
        self.vocabulary.values().copied().max().unwrap_or_default()
    }

    fn normal(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if is_space(c) => clean.push(' '),
                c if is_dropped(c) => {}
                c if is_ideograph(c) => clean.extend([' ', c, ' ']),
                c => clean.push(c),
            }
        }
        if self.strips_accents && !clean.is_ascii() {
            clean = clean.nfd().filter(|c| !is_accent(*c)).collect();
        }
        match self.lowers {
            true => clean.chars().flat_map(char::to_lowercase).collect(),
            false => clean,
        }
    }

    /// The longest pieces that are known, from the beginning; one token for the unknown if there is a rest.
    fn add_pieces(&self, word: &str, tokens: &mut Vec<u32>) {
        let before = tokens.len();
        let (mut rest, mut piece) = (word, String::new());
        let is_short = word.chars().take(self.longest + 1).count() <= self.longest;
        while is_short && !rest.is_empty() {
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found = ends.into_iter().find_map(|end| {
                piece.clear();
                piece.push_str(if rest.len() < word.len() { &self.prefix } else { "" });
                piece.push_str(rest.get(..end)?);
                Some((*self.vocabulary.get(&piece)?, end))
            });
            let Some((token, end)) = found else { break };
            tokens.push(token);
            rest = rest.get(end..).unwrap_or_default();
        }
        if !is_short || !rest.is_empty() {
            tokens.truncate(before);
            tokens.push(self.unknown);
        }
    }
}

/// Runs of letters, and each mark by itself.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').flat_map(|run| {
        let mut rest = run;
        std::iter::from_fn(move || {
            let first = rest.chars().next()?;
            let end = match is_mark(first) {
                true => first.len_utf8(),
                false => rest.find(is_mark).unwrap_or(rest.len()),
            };
            let (word, after) = rest.split_at_checked(end)?;
            rest = after;
            Some(word)
        })
    })
}

fn is_space(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{b}' | '\u{c}' | '\u{85}' | '\u{1c}'..='\u{1f}')
}

fn is_dropped(c: char) -> bool {
    c.is_control() || c == '\u{fffd}' || !c.is_ascii() && is_of(&OTHER, c)
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() || !c.is_ascii() && is_of(&MARK, c)
}

fn is_accent(c: char) -> bool {
    !c.is_ascii() && is_of(&ACCENT, c)
}

fn is_of(class: &LazyLock<Option<Regex>>, c: char) -> bool {
    class.as_ref().is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

/// Chinese characters, each of which is a word. The blocks that BERT has for them.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{C}").ok());
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{P}").ok());
static ACCENT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{Mn}").ok());
