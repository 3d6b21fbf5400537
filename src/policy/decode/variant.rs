//! Choices: a word, or a map of one key that holds the settings of the choice.

use serde::de::value::{BoolDeserializer, BorrowedStrDeserializer};
use serde::de::{DeserializeSeed, Deserializer as _, EnumAccess, IntoDeserializer, VariantAccess, Visitor};

use super::Decoder;
use super::error::{self, Error};
use crate::policy::codes;
use crate::policy::document::planned;
use crate::policy::problem::did_you_mean;
use crate::policy::source::Span;
use crate::policy::tree::{Node, Plain, Scalar, Value};

/// One of the variants of an enum, as a file names it.
pub(super) struct Choice<'a, 'c> {
    word: &'a str,
    at: Span,
    settings: Option<&'a Node>,
    whole: Decoder<'a, 'c>,
}

impl<'a, 'c> Choice<'a, 'c> {
    pub fn of(whole: Decoder<'a, 'c>, name: &'static str, variants: &[&str]) -> Result<Self, Error> {
        let noun = error::noun(name);
        let (word, at, settings) = match &whole.node.value {
            Value::Scalar(Scalar { text, .. }) => (text.as_str(), whole.node.span, None),
            Value::Map(entries) => match entries.as_slice() {
                [only] => (only.key.text.as_str(), only.key.span, Some(&only.value)),
                _ => return Err(one_key(&noun, whole, variants)),
            },
            Value::Seq(_) => return Err(one_key(&noun, whole, variants)),
        };
        if planned::is_planned(name, word) {
            let message = format!("the {noun} `{word}` is not available in this version");
            return Err(Error::new(codes::NOT_AVAILABLE, message).at(at).help(error::list("available are", variants)));
        }
        if !variants.contains(&word) {
            return Err(Error::new(codes::UNKNOWN_CHOICE, format!("unknown {noun} `{word}`"))
                .at(at)
                .label(did_you_mean(word, variants.iter().copied()))
                .help(error::list("known are", variants)));
        }
        if settings.is_some_and(|settings| whole.cx.is_hidden(settings)) {
            whole.cx.hide(whole.node);
            return Err(Error::Settled);
        }
        Ok(Self { word, at, settings, whole })
    }

    fn settings(&self) -> Result<(&'a Node, Option<Span>), Error> {
        let missing = || {
            let help = format!("write `{}: …`", self.word);
            Error::new(codes::WRONG_VALUE, format!("`{}` needs settings", self.word)).at(self.at).help(help)
        };
        self.settings.map(|settings| (settings, Some(self.at))).ok_or_else(missing)
    }
}

fn one_key(noun: &str, whole: Decoder<'_, '_>, variants: &[&str]) -> Error {
    let message = format!("a {noun} is a map of one key");
    Error::new(codes::WRONG_VALUE, message)
        .at(whole.node.point(whole.cx.sources))
        .help(error::list("the key is one of", variants))
}

impl<'a> EnumAccess<'a> for Choice<'a, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Error>::new(self.word))?;
        Ok((variant, self))
    }
}

impl<'a> VariantAccess<'a> for Choice<'a, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.settings.map(|settings| &settings.value) {
            None => Ok(()),
            Some(Value::Scalar(scalar)) if scalar.plain() == Plain::Null => Ok(()),
            Some(_) => Err(Error::new(codes::WRONG_VALUE, format!("`{}` takes no settings", self.word)).at(self.at)),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<S::Value, Error> {
        let (settings, key) = self.settings()?;
        self.whole.cx.run(settings, key, seed)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let (node, _) = self.settings()?;
        Decoder { node, cx: self.whole.cx }.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let (node, key) = self.settings()?;
        let decoder = Decoder { node, cx: self.whole.cx };
        decoder.deserialize_struct("Settings", fields, visitor).map_err(|error| self.whole.cx.settle(error, node, key))
    }
}

/// A choice that the form of the value makes: its variant is `true` for the first form.
pub(super) struct Shape<'a, 'c> {
    pub is_first: bool,
    pub whole: Decoder<'a, 'c>,
}

impl<'a> EnumAccess<'a> for Shape<'a, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let is_first: BoolDeserializer<Error> = self.is_first.into_deserializer();
        Ok((seed.deserialize(is_first)?, self))
    }
}

impl<'a> VariantAccess<'a> for Shape<'a, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.whole)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.whole.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.whole.deserialize_struct("Settings", fields, visitor)
    }
}
