//! Types that ask the decoder for more than serde can: a value's place, or a choice by its form.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{AT, ONE_OR_MANY, TEXT_OR};
use crate::policy::source::{FileId, Span};

/// A value, and where it stands, for checks that come after decoding.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct At<T> {
    pub span: Span,
    pub value: T,
}

impl<T> At<T> {
    pub fn new(span: Span, value: T) -> Self {
        Self { span, value }
    }

    /// Another value in the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { span: self.span, value: change(self.value) }
    }
}

/// Only the value: where it stands must not make two configurations look different.
impl<T: fmt::Debug> fmt::Debug for At<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Placed<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Placed<T> {
            type Value = At<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pieces: A) -> Result<At<T>, A::Error> {
                let place = (pieces.next_element()?, pieces.next_element()?, pieces.next_element()?);
                let (Some(file), Some(start), Some(end)) = place else {
                    return Err(A::Error::custom("a value without a place"));
                };
                let span = Span { file: FileId(file), start, end };
                let value = pieces.next_element()?.ok_or_else(|| A::Error::custom("a place without a value"))?;
                Ok(At { span, value })
            }
        }

        deserializer.deserialize_tuple_struct(AT, 4, Placed(PhantomData))
    }
}

/// A text where a map with settings may stand as well.
#[derive(Debug, Clone, PartialEq)]
pub enum TextOr<T, S = String> {
    Text(S),
    Other(T),
}

impl<'de, T: Deserialize<'de>, S: Deserialize<'de>> Deserialize<'de> for TextOr<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T, S>(PhantomData<(T, S)>);

        impl<'de, T: Deserialize<'de>, S: Deserialize<'de>> Visitor<'de> for Either<T, S> {
            type Value = TextOr<T, S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a map")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<TextOr<T, S>, A::Error> {
                match access.variant()? {
                    (true, content) => content.newtype_variant().map(TextOr::Text),
                    (false, content) => content.newtype_variant().map(TextOr::Other),
                }
            }
        }

        deserializer.deserialize_enum(TEXT_OR, &[], Either(PhantomData))
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<OneOrMany<T>, A::Error> {
                match access.variant()? {
                    (true, content) => content.newtype_variant().map(|one| OneOrMany(vec![one])),
                    (false, content) => content.newtype_variant().map(OneOrMany),
                }
            }
        }

        deserializer.deserialize_enum(ONE_OR_MANY, &[], Either(PhantomData))
    }
}

/// Named things, in the order they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<T>(pub Vec<(At<String>, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema, S: JsonSchema> JsonSchema for TextOr<T, S> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (text, other) = (generator.subschema_for::<S>(), generator.subschema_for::<T>());
        json_schema!({ "anyOf": [text, other] })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl<T: JsonSchema> JsonSchema for Table<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Table{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": item })
    }
}
