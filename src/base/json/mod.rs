//! JSON, read in one pass without copies, and written without a tree.
//!
//! [`Reader`] pulls values out of a body; texts and raw values it yields borrow the body and know where
//! they stood, which is what lets an unedited request keep its exact bytes. What is read is checked: the
//! whole document is valid JSON once the reader has come to its end. [`Writer`] is its counterpart.
//!
//! This is not a general JSON library: it has no tree and no conversion to Rust types. serde_json does
//! that elsewhere, and the tests hold this module against it.

mod keys;
mod malformed;
mod moment;
mod reader;
mod scan;
mod value;
mod writer;

pub use malformed::{Malformed, Result};
pub use reader::Reader;
pub(super) use scan::next_special;
pub use value::{Json, Kind, Number};
pub use writer::Writer;
pub(crate) use writer::member;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use std::borrow::Cow;

    use bytestring::ByteString;

    use super::*;
    use crate::base::text;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Reads with our reader and writes with our writer.
    fn copy(reader: &mut Reader<'_>, writer: &mut Writer) -> Result<()> {
        match reader.peek()? {
            Kind::Object => {
                writer.open(b'{');
                reader.object(|reader, key| {
                    writer.any_key(key);
                    copy(reader, writer)
                })?;
                writer.close(b'}');
            }
            Kind::Array => {
                writer.open(b'[');
                reader.array(|reader, _| copy(reader, writer))?;
                writer.close(b']');
            }
            Kind::String => writer.text(&reader.text()?),
            Kind::Number => writer.number(&reader.number()?),
            Kind::Bool => writer.bool(reader.bool()?),
            Kind::Null => {
                reader.skip()?;
                writer.null();
            }
        }
        Ok(())
    }

    fn accepts(text: &str) -> bool {
        let source = ByteString::from(text);
        let mut reader = Reader::new(&source);
        reader.skip().is_ok() && reader.end().is_ok()
    }

    proptest! {
        #[test]
        fn what_is_read_and_written_is_the_same_value(value in json_value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let source = ByteString::from(text);
            let mut writer = Writer::new();
            copy(&mut Reader::new(&source), &mut writer).unwrap();
            let written: Value = serde_json::from_slice(&writer.into_bytes()).unwrap();
            prop_assert_eq!(written, serde_json::from_str::<Value>(&source).unwrap());
        }

        #[test]
        fn the_first_special_byte_is_found_wherever_it_stands(bytes in prop::collection::vec(any::<u8>(), 0..40), from in 0usize..40) {
            let from = from.min(bytes.len());
            let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let expected = bytes[from..].iter().position(is_special).map_or(bytes.len(), |found| from + found);
            prop_assert_eq!(next_special(&bytes, from), expected);
        }

        #[test]
        fn accepts_what_serde_json_accepts(text in r#"[\[\]{},:"\\ a0-9eE.+\-ntrufals]{0,24}"#) {
            // serde_json rejects numbers out of the range of f64 and lone surrogates; neither occurs in this alphabet below e+308.
            let huge = text.contains(['e', 'E']);
            let theirs = serde_json::from_str::<Value>(&text).is_ok();
            prop_assert!(accepts(&text) == theirs || huge, "{} differs: serde_json says {}", text, theirs);
        }
    }

    #[test]
    fn a_fault_names_its_place() {
        let source = ByteString::from(r#"{"messages":[{"role":"user"},{"role":7}]}"#);
        let wrong = Reader::new(&source)
            .object(|reader, _| reader.array(|reader, _| reader.object(|reader, _| reader.text().map(drop))))
            .unwrap_err();
        assert_eq!(wrong.to_string(), "`messages[1].role`: expected a string, found a number");
    }

    #[test]
    fn nulls_and_what_is_empty_are_void() {
        let is_void = |text: &'static str| Json(ByteString::from_static(text)).is_void();
        for void in ["null", "\"\"", "[]", "{}", "[ ]", "{\n}"] {
            assert!(is_void(void), "{void}");
        }
        for value in ["\" \"", "\"]\"", "[0]", "[[]]", "{\"a\":null}", "0", "false"] {
            assert!(!is_void(value), "{value}");
        }
    }

    #[test]
    fn a_value_that_was_only_looked_at_is_passed_by() {
        let source = ByteString::from(r#"{"a" : {"b": [ 1 , 2 ]} , "c": 3}"#);
        let mut keys = Vec::new();
        Reader::new(&source)
            .object(|reader, key| {
                keys.push((key.to_owned(), reader.peek()?));
                Ok(())
            })
            .unwrap();
        assert_eq!(keys, [("a".to_owned(), Kind::Object), ("c".to_owned(), Kind::Number)]);
    }

    #[test]
    fn a_deep_document_is_refused_and_does_not_overflow_the_stack() {
        assert!(!accepts(&"[".repeat(100_000)));
        assert!(accepts(&format!("{}{}", "[".repeat(128), "]".repeat(128))));
    }

    #[test]
    fn a_member_can_be_glimpsed_before_its_object_is_read() {
        let glimpse = |text: &str| Reader::new(&ByteString::from(text)).glimpse("type").map(Cow::into_owned);
        assert_eq!(glimpse(r#" {"type":"a"}"#), Some("a".into()));
        assert_eq!(glimpse(r#"{"x":{"type":"b"},"type" : "a"}"#), Some("a".into()));
        assert_eq!(glimpse(r#"{"x":1}"#), None);
        assert_eq!(glimpse(r#"{"type":1}"#), None);
        assert_eq!(glimpse(r#"["type"]"#), None);
    }

    #[test]
    fn texts_know_where_they_stood() {
        let source = ByteString::from(r#"{"a": "x\ny", "b": {"c":1}}"#);
        let mut places = Vec::new();
        Reader::new(&source)
            .object(|reader, key| {
                let text = if key == "a" { reader.text()? } else { reader.raw_text()? };
                places.push((text.place().unwrap(), text.as_str().into_owned()));
                Ok(())
            })
            .unwrap();
        let at = |place: text::Place| &source[place.start as usize..(place.start + place.len) as usize];
        assert_eq!((at(places[0].0), places[0].1.as_str()), (r"x\ny", "x\ny"));
        assert_eq!((at(places[1].0), places[1].1.as_str()), (r#"{"c":1}"#, r#"{"c":1}"#));
    }
}
