//! The attributes of one span, as they gather.

use opentelemetry::{KeyValue, Value};

use super::names;
use crate::base::money::Nanos;

#[derive(Default)]
pub struct Attributes(pub Vec<KeyValue>);

/// The longest text of an attribute.
const LONGEST: usize = 1 << 20;

impl Attributes {
    pub fn say(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push(names::pair(name, value));
    }

    /// Says a text, if there is one.
    pub fn text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            self.say(name, text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned());
        }
    }

    pub fn count(&mut self, name: &'static str, count: u64) {
        self.say(name, i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Says a count that somebody has told.
    pub fn told(&mut self, name: &'static str, count: Option<u64>) {
        if let Some(count) = count {
            self.count(name, count);
        }
    }

    pub fn usd(&mut self, name: &'static str, amount: Option<Nanos>) {
        if let Some(amount) = amount {
            self.say(name, amount.0 as f64 / 1e9);
        }
    }

    pub fn list(&mut self, name: &'static str, texts: &[String]) {
        if !texts.is_empty() {
            self.say(name, names::list(texts.iter().cloned()));
        }
    }
}
