//! In which languages users write: a guess by letters and their neighbours, and named as one.
//!
//! It guesses at the beginning of each text of a user, and only believes a guess that is sure and rests on enough
//! letters. Short texts, code, names and mixtures pass, whatever they are in; near relatives (Norwegian and Danish,
//! Croatian and Serbian) are taken for each other. It hides nothing and keeps nobody out who wants to get in.

use schemars::JsonSchema;
use serde::Deserialize;
use whatlang::{Lang, Script, detect};

use crate::steps::redact::Action;

/// The languages that users may write in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Languages {
    /// Codes of ISO 639-1: `en`, `de`, `zh`.
    pub allow: Vec<Code>,
    /// What becomes of a request with a text in another; it is reported if not said.
    #[serde(default)]
    pub action: Consequence,
}

/// What becomes of a request in another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    Refuse,
    #[default]
    Report,
}

impl Consequence {
    pub fn action(self) -> Action {
        match self {
            Self::Refuse => Action::Refuse,
            Self::Report => Action::Report,
        }
    }
}

/// A language that can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Code(Lang);

impl Code {
    pub fn name(self) -> &'static str {
        CODES.iter().find(|(_, lang)| *lang == self.0).map_or_else(|| self.0.code(), |(code, _)| code)
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        let known = CODES.iter().find(|(known, _)| *known == code);
        known.map(|(_, lang)| Self(*lang)).ok_or_else(|| {
            let codes: Vec<_> = CODES.iter().map(|(code, _)| *code).collect();
            format!("`{code}` is no language that can be told from others; they are: {}", codes.join(", "))
        })
    }
}

impl Languages {
    /// The language of a text, if it seems to be another than those that are allowed. A script that none of them is
    /// written in is enough to be sure of that, though not of the name.
    pub fn foreign(&self, text: &str) -> Option<Code> {
        let end = (0..=SAMPLE.min(text.len())).rev().find(|end| text.is_char_boundary(*end))?;
        let sample = text.get(..end)?;
        let guess = detect(sample)?;
        let is_of_the_script = |code: &Code| guess.script().langs().contains(&code.0);
        let least = if guess.script() == Script::Latin { LETTERS } else { SIGNS };
        let is_enough = sample.chars().filter(|c| c.is_alphabetic()).count() >= least;
        let is_sure = guess.is_reliable() || !self.allow.iter().any(is_of_the_script);
        let code = Code(guess.lang());
        (is_enough && is_sure && !self.allow.contains(&code)).then_some(code)
    }
}

/// Bytes at the beginning of a text that are looked at.
const SAMPLE: usize = 2048;
/// Letters that a guess must rest on: two or three words tell nothing.
const LETTERS: usize = 40;
/// The same in scripts that tell more.
const SIGNS: usize = 12;

const CODES: [(&str, Lang); 70] = [
    ("eo", Lang::Epo),
    ("en", Lang::Eng),
    ("ru", Lang::Rus),
    ("zh", Lang::Cmn),
    ("es", Lang::Spa),
    ("pt", Lang::Por),
    ("it", Lang::Ita),
    ("bn", Lang::Ben),
    ("fr", Lang::Fra),
    ("de", Lang::Deu),
    ("uk", Lang::Ukr),
    ("ka", Lang::Kat),
    ("ar", Lang::Ara),
    ("hi", Lang::Hin),
    ("ja", Lang::Jpn),
    ("he", Lang::Heb),
    ("yi", Lang::Yid),
    ("pl", Lang::Pol),
    ("am", Lang::Amh),
    ("jv", Lang::Jav),
    ("ko", Lang::Kor),
    ("nb", Lang::Nob),
    ("da", Lang::Dan),
    ("sv", Lang::Swe),
    ("fi", Lang::Fin),
    ("tr", Lang::Tur),
    ("nl", Lang::Nld),
    ("hu", Lang::Hun),
    ("cs", Lang::Ces),
    ("el", Lang::Ell),
    ("bg", Lang::Bul),
    ("be", Lang::Bel),
    ("mr", Lang::Mar),
    ("kn", Lang::Kan),
    ("ro", Lang::Ron),
    ("sl", Lang::Slv),
    ("hr", Lang::Hrv),
    ("sr", Lang::Srp),
    ("mk", Lang::Mkd),
    ("lt", Lang::Lit),
    ("lv", Lang::Lav),
    ("et", Lang::Est),
    ("ta", Lang::Tam),
    ("vi", Lang::Vie),
    ("ur", Lang::Urd),
    ("th", Lang::Tha),
    ("gu", Lang::Guj),
    ("uz", Lang::Uzb),
    ("pa", Lang::Pan),
    ("az", Lang::Aze),
    ("id", Lang::Ind),
    ("te", Lang::Tel),
    ("fa", Lang::Pes),
    ("ml", Lang::Mal),
    ("or", Lang::Ori),
    ("my", Lang::Mya),
    ("ne", Lang::Nep),
    ("si", Lang::Sin),
    ("km", Lang::Khm),
    ("tk", Lang::Tuk),
    ("ak", Lang::Aka),
    ("zu", Lang::Zul),
    ("sn", Lang::Sna),
    ("af", Lang::Afr),
    ("la", Lang::Lat),
    ("sk", Lang::Slk),
    ("ca", Lang::Cat),
    ("tl", Lang::Tgl),
    ("hy", Lang::Hye),
    ("cy", Lang::Cym),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(codes: &[&str]) -> Languages {
        let allow = codes.iter().map(|code| Code::try_from((*code).to_owned()).unwrap()).collect();
        Languages { allow, action: Consequence::Report }
    }

    #[test]
    fn a_text_in_another_language_is_noticed_and_one_that_may_be_is_not() {
        let some = allowing(&["en", "de"]);
        let foreign = |text: &str| some.foreign(text).map(Code::name);
        assert_eq!(foreign("Could you please tell me how long the journey to the coast will take by train?"), None);
        assert_eq!(foreign("Könnten Sie mir bitte sagen, wie lange die Fahrt mit dem Zug an die Küste dauert?"), None);
        assert_eq!(
            foreign("Pourriez-vous me dire combien de temps dure le trajet en train jusqu'à la côte ?"),
            Some("fr")
        );
        // Its script is sure, its name is not.
        assert!(foreign("Скажите, пожалуйста, сколько времени занимает поездка к морю на поезде?").is_some());
        assert_eq!(foreign("请告诉我坐火车去海边需要多长时间？谢谢。"), Some("zh"));
        assert_eq!(foreign("merci beaucoup"), None);
        assert_eq!(foreign("fn main() { let x: Vec<u8> = Vec::new(); println!(\"{x:?}\"); }"), None);
    }

    #[test]
    fn a_code_that_nobody_can_tell_is_refused_with_those_there_are() {
        assert!(Code::try_from("xx".to_owned()).unwrap_err().contains("they are: eo, en"));
        assert!(CODES.iter().all(|(code, _)| Code::try_from((*code).to_owned()).unwrap().name() == *code));
    }
}
