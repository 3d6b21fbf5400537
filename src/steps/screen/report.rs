//! What guards are asked and what they answer, each in its own words.
//!
//! A guard is a program like any other: it may be wrong, or not be the one it is taken for. What it answers is read
//! strictly, and what does not keep to its protocol is no answer. The words that it names things by end up in logs and
//! metrics, so they must look like words.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::passage::Passage;
use crate::base::json::Writer;

/// What guards speak.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `POST /v1/moderations`, of OpenAI or of whoever copies it.
    OpenAiModeration { model: Option<String> },
    /// The analyzer of Presidio.
    Presidio { language: String, min_score: f64 },
    /// A protocol of our own.
    Webhook,
}

/// What a guard is told besides the texts.
pub struct About<'a> {
    pub request_id: &'a str,
    pub policy: &'a str,
    /// `request` or `answer`.
    pub place: &'static str,
}

/// Something that a guard has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// A category, a type of entity, or whatever the guard calls it.
    pub kind: String,
    /// The number of the text it was found in, if that is known.
    pub text: Option<usize>,
    pub count: u64,
    pub score: f64,
    /// The guard itself holds it for what it is named after.
    pub is_flagged: bool,
}

/// What a guard has answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// It has decided by itself that this shall not go on.
    pub refused: Option<Refused>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refused {
    pub rule: String,
    /// For the caller.
    pub message: Option<String>,
}

impl Kind {
    /// The body of a request to the guard.
    pub fn write(&self, texts: &[Passage], about: &About<'_>) -> Vec<u8> {
        let mut writer = Writer::with_capacity(256 + texts.iter().map(|passage| passage.text.len()).sum::<usize>());
        writer.object(|w| match self {
            Self::OpenAiModeration { model } => {
                if let Some(model) = model {
                    w.key("model").str(model);
                }
                w.key("input").array(|w| texts.iter().for_each(|passage| w.str(&passage.text)));
            }
            Self::Presidio { language, min_score } => {
                w.key("text").str(&joined(texts));
                w.key("language").str(language);
                w.key("score_threshold").serde(min_score);
            }
            Self::Webhook => {
                w.key("request_id").str(about.request_id);
                w.key("policy").str(about.policy);
                w.key("place").word(about.place);
                w.key("texts").array(|w| texts.iter().for_each(|passage| webhook_text(w, passage)));
            }
        });
        writer.into_bytes()
    }

    /// What the guard has answered about so many texts; `None` if that is not what it promises.
    pub fn read(&self, answer: &[u8], texts: &Shape) -> Option<Report> {
        let report = match self {
            Self::OpenAiModeration { .. } => read_moderation(answer, texts.len()),
            Self::Presidio { min_score, .. } => read_presidio(answer, *min_score, texts),
            Self::Webhook => read_webhook(answer, texts.len()),
        }?;
        let words = report.findings.iter().map(|finding| finding.kind.as_str());
        let rule = report.refused.as_ref().map(|refused| refused.rule.as_str());
        words.chain(rule).all(is_word).then_some(report)
    }

    /// Whether the guard is told which policy it is asked for, and may go by that.
    pub fn hears_the_policys_name(&self) -> bool {
        matches!(self, Self::Webhook)
    }

    /// Whether the guard itself decides what is refused.
    pub fn decides(&self) -> bool {
        matches!(self, Self::Webhook)
    }
}

/// Texts as they were shown, without their letters: whose each is, and how long.
pub struct Shape(Vec<(&'static str, usize)>);

impl Shape {
    pub fn of(texts: &[Passage]) -> Self {
        Self(texts.iter().map(|passage| (passage.role, passage.text.chars().count())).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn role(&self, text: usize) -> Option<&'static str> {
        self.0.get(text).map(|(role, _)| *role)
    }

    /// The text that has this character, of all of them joined.
    fn at(&self, character: usize) -> Option<usize> {
        let mut end = 0;
        self.0.iter().position(|(_, length)| {
            end += length + BETWEEN.len();
            character < end
        })
    }
}

/// Between the texts for a guard that reads one at a time.
const BETWEEN: &str = "\n\n";

fn joined(texts: &[Passage]) -> String {
    texts.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>().join(BETWEEN)
}

fn webhook_text(writer: &mut Writer, passage: &Passage) {
    writer.object(|w| {
        w.key("role").word(passage.role);
        w.key("part").word(passage.part);
        w.key("text").str(&passage.text);
    });
}

#[derive(Deserialize)]
struct Moderation {
    results: Vec<Moderated>,
}

#[derive(Deserialize)]
struct Moderated {
    categories: BTreeMap<String, Option<bool>>,
    #[serde(default)]
    category_scores: BTreeMap<String, Option<f64>>,
}

fn read_moderation(answer: &[u8], count: usize) -> Option<Report> {
    let Moderation { results } = serde_json::from_slice(answer).ok()?;
    if results.len() != count || results.iter().any(|result| result.categories.is_empty()) {
        return None;
    }
    let mut findings = Vec::new();
    for (text, result) in results.into_iter().enumerate() {
        for (kind, is_flagged) in result.categories {
            let score = result.category_scores.get(&kind).copied().flatten().unwrap_or(0.0);
            findings.push(Finding { kind, text: Some(text), count: 1, score, is_flagged: is_flagged.unwrap_or(false) });
        }
    }
    Some(Report { findings, refused: None })
}

#[derive(Deserialize)]
struct Entity {
    entity_type: String,
    start: usize,
    score: f64,
}

fn read_presidio(answer: &[u8], min_score: f64, texts: &Shape) -> Option<Report> {
    let entities: Vec<Entity> = serde_json::from_slice(answer).ok()?;
    let finding = |entity: Entity| Finding {
        text: texts.at(entity.start),
        kind: entity.entity_type,
        count: 1,
        score: entity.score,
        is_flagged: entity.score >= min_score,
    };
    Some(Report { findings: entities.into_iter().map(finding).collect(), refused: None })
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Allow,
    Refuse,
}

#[derive(Deserialize)]
struct Answered {
    action: Action,
    rule: Option<String>,
    message: Option<String>,
    #[serde(default)]
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    kind: String,
    count: Option<u64>,
    text: Option<usize>,
}

fn read_webhook(answer: &[u8], count: usize) -> Option<Report> {
    let answered: Answered = serde_json::from_slice(answer).ok()?;
    if answered.findings.len() > MOST_FINDINGS || answered.findings.iter().any(|found| found.text >= Some(count)) {
        return None;
    }
    let finding = |found: Found| Finding {
        kind: found.kind,
        text: found.text,
        count: found.count.unwrap_or(1),
        score: 1.0,
        is_flagged: true,
    };
    let refused = match answered.action {
        Action::Allow => None,
        Action::Refuse => Some(Refused {
            rule: answered.rule.unwrap_or_else(|| "refused".to_owned()),
            message: answered.message.map(|message| message.chars().take(MOST_MESSAGE).collect()),
        }),
    };
    Some(Report { findings: answered.findings.into_iter().map(finding).collect(), refused })
}

/// Whether a text may stand in a log or a metric for what it names.
fn is_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

const MOST_FINDINGS: usize = 256;
const MOST_MESSAGE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(role: &'static str, text: &str) -> Passage {
        Passage { role, part: "text", text: text.into() }
    }

    const ABOUT: About<'static> = About { request_id: "r", policy: "p", place: "request" };

    fn presidio() -> Kind {
        Kind::Presidio { language: "en".into(), min_score: 0.5 }
    }

    fn moderation() -> Kind {
        Kind::OpenAiModeration { model: Some("m".into()) }
    }

    #[test]
    fn each_kind_is_asked_in_its_own_words() {
        let texts = [passage("system", "a\"b"), passage("user", "c")];
        let written = |kind: &Kind| String::from_utf8(kind.write(&texts, &ABOUT)).unwrap();
        assert_eq!(written(&moderation()), r#"{"model":"m","input":["a\"b","c"]}"#);
        assert_eq!(written(&presidio()), r#"{"text":"a\"b\n\nc","language":"en","score_threshold":0.5}"#);
        let asked = r#"{"request_id":"r","policy":"p","place":"request","texts":[{"role":"system","part":"text","text":"a\"b"},{"role":"user","part":"text","text":"c"}]}"#;
        assert_eq!(written(&Kind::Webhook), asked);
    }

    #[test]
    fn a_finding_in_joined_texts_is_found_in_its_own_one() {
        let texts = Shape::of(&[passage("system", "é😀"), passage("user", "abc")]);
        let at = |start: usize| {
            let answer = format!(r#"[{{"entity_type":"PERSON","start":{start},"end":9,"score":0.85}}]"#);
            presidio().read(answer.as_bytes(), &texts).unwrap().findings[0].text
        };
        assert_eq!((at(0), at(1), at(4), at(6)), (Some(0), Some(0), Some(1), Some(1)));
    }

    #[test]
    fn what_does_not_keep_to_the_protocol_is_no_answer() {
        let one = Shape::of(&[passage("user", "x")]);
        for answer in [
            "",
            "{}",
            "null",
            "[]",
            "\"allow\"",
            r#"{"results":[]}"#,
            r#"{"results":[{"flagged":false}]}"#,
            r#"{"results":[{"categories":{}}]}"#,
            r#"{"results":[{"categories":{"the prompt said: secret!":true}}]}"#,
        ] {
            assert_eq!(moderation().read(answer.as_bytes(), &one), None, "{answer}");
        }
        for answer in ["{}", "null", r#"[{"entity_type":"A"}]"#, r#"{"error":"no such language"}"#] {
            assert_eq!(presidio().read(answer.as_bytes(), &one), None, "{answer}");
        }
        for answer in [
            "{}",
            "[]",
            r#"{"action":"maybe"}"#,
            r#"{"action":"refuse","rule":"@#"}"#,
            r#"{"action":"allow","findings":[{"kind":"a","text":1}]}"#,
            r#"{"action":"allow","findings":[{}]}"#,
        ] {
            assert_eq!(Kind::Webhook.read(answer.as_bytes(), &one), None, "{answer}");
        }
    }

    /// The example of OpenAI's guide to moderation, for one text.
    const MODERATION: &str = include_str!("../../../tests/fixtures/guards/moderation.json");
    /// What presidio-analyzer 2.2.366 has said of the texts below, without a model of names.
    const PRESIDIO: &str = include_str!("../../../tests/fixtures/guards/presidio.json");

    #[test]
    fn what_openai_documents_is_read() {
        let report = moderation().read(MODERATION.as_bytes(), &Shape::of(&[passage("user", "x")])).unwrap();
        let flagged: Vec<_> = report.findings.iter().filter(|finding| finding.is_flagged).collect();
        assert_eq!((report.findings.len(), flagged.len()), (13, 1));
        assert_eq!((flagged[0].kind.as_str(), flagged[0].text), ("violence", Some(0)));
        assert!(flagged[0].score > 0.85);
    }

    #[test]
    fn what_presidio_says_is_read_and_counted_in_characters() {
        let texts = [
            passage("system", "h\u{e9}llo \u{1f44b} I am fine"),
            passage("user", "my mail is jo@example.org, card 4111 1111 1111 1111"),
        ];
        let report = presidio().read(PRESIDIO.as_bytes(), &Shape::of(&texts)).unwrap();
        let found: Vec<_> = report.findings.iter().map(|finding| (finding.kind.as_str(), finding.text)).collect();
        assert!(found.contains(&("EMAIL_ADDRESS", Some(1))), "{found:?}");
        assert!(report.findings.iter().all(|finding| finding.is_flagged && finding.score >= 0.5));
    }

    #[test]
    fn a_webhook_decides_itself() {
        let one = Shape::of(&[passage("user", "x")]);
        let read = |answer: &str| Kind::Webhook.read(answer.as_bytes(), &one).unwrap();
        assert_eq!(read(r#"{"action":"allow","more":1}"#), Report::default());
        let refused = read(
            r#"{"action":"refuse","rule":"no-poetry","message":"prose only","findings":[{"kind":"verse","count":3,"text":0}]}"#,
        );
        let rule = Refused { rule: "no-poetry".into(), message: Some("prose only".into()) };
        assert_eq!((refused.refused, refused.findings[0].count, refused.findings[0].text), (Some(rule), 3, Some(0)));
        assert_eq!(read(r#"{"action":"refuse"}"#).refused.unwrap().rule, "refused");
    }
}
