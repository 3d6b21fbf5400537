//! What a value's own dialect says and the canonical vocabulary does not.

use bytestring::ByteString;

use crate::base::json::{Json, Reader, Result, Writer};

/// Unknown fields of an object, in their order, and small marks about how known ones were written.
///
/// Only the dialect that read the value may interpret either. A value made or moved by the gateway has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    fields: Vec<(ByteString, Json)>,
    marks: u32,
}

impl Extra {
    /// Keeps the value that comes next as the field `key`.
    ///
    /// # Errors
    /// When the value is not valid JSON.
    pub fn keep(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let value = reader.raw()?;
        self.fields.push((ByteString::from(key), value));
        Ok(())
    }

    pub fn put(&mut self, key: &str, value: Json) {
        self.fields.push((ByteString::from(key), value));
    }

    pub fn get(&self, key: &str) -> Option<&Json> {
        self.fields.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.fields.iter().map(|(key, value)| (&**key, value))
    }

    /// Writes every field as a member of the object being written.
    pub fn write(&self, writer: &mut Writer) {
        for (key, value) in &self.fields {
            writer.key(key).raw(value);
        }
    }

    /// Remembers something about how a known field was written. The meaning of a bit is the dialect's.
    pub fn mark(&mut self, bit: u32) {
        self.marks |= bit;
    }

    pub fn has_mark(&self, bit: u32) -> bool {
        self.marks & bit != 0
    }

    /// True when there is no field to lose.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}
