//! The numbers a request is to be answered by, on their own: they hold on to nothing they were read from.

use crate::base::json::{Number, Writer};
use crate::chat::Params;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Numbers {
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<f64>,
    pub seed: Option<u64>,
    /// How many answers.
    pub n: Option<u64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
}

impl Numbers {
    pub fn of(params: &Params) -> Self {
        let whole = |number: &Option<Number>| number.as_ref().and_then(Number::as_u64);
        let real = |number: &Option<Number>| number.as_ref().map(Number::as_f64);
        Self {
            max_tokens: whole(&params.max_tokens),
            temperature: real(&params.temperature),
            top_p: real(&params.top_p),
            top_k: real(&params.top_k),
            seed: whole(&params.seed),
            n: whole(&params.n),
            presence_penalty: real(&params.presence_penalty),
            frequency_penalty: real(&params.frequency_penalty),
        }
    }

    /// A JSON object of those that are said; `None` if none is.
    pub fn json(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let mut writer = Writer::new();
        writer.object(|w| {
            for (name, number) in [("max_tokens", self.max_tokens), ("seed", self.seed), ("n", self.n)] {
                if let Some(number) = number {
                    w.key(name).u64(number);
                }
            }
            for (name, number) in [
                ("temperature", self.temperature),
                ("top_p", self.top_p),
                ("top_k", self.top_k),
                ("presence_penalty", self.presence_penalty),
                ("frequency_penalty", self.frequency_penalty),
            ] {
                if let Some(number) = number {
                    w.key(name).number(&Number::from(number));
                }
            }
        });
        Some(writer.into_json().0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_a_json_object_and_nothing_is_none() {
        let params = Params { max_tokens: Some(9.into()), temperature: Some(0.5.into()), ..Params::default() };
        assert_eq!(Numbers::of(&params).json().unwrap(), r#"{"max_tokens":9,"temperature":0.5}"#);
        assert_eq!(Numbers::of(&Params::default()).json(), None);
    }
}
