//! What a value's own dialect says and the canonical vocabulary does not.

use bytestring::ByteString;

use crate::base::json::{Json, Reader, Result, Writer};

/// Unknown fields of an object, in their order, and small marks about how known ones were written.
///
/// Only the dialect that read the value may interpret either. A value made or moved by the gateway has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    fields: Vec<Field>,
    marks: u32,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    key: ByteString,
    value: Json,
    /// False if the field only spells out what goes without saying: a null, an empty list.
    tells: bool,
}

impl Extra {
    /// The lowest of the marks that say more than how something was written: what is marked so or not so is not the same.
    pub const TELLING: u32 = 1 << 24;

    /// Keeps the value that comes next as the field `key`.
    ///
    /// # Errors
    /// When the value is not valid JSON.
    pub fn keep(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let value = reader.raw()?;
        self.put(key, value);
        Ok(())
    }

    pub fn put(&mut self, key: &str, value: Json) {
        let tells = !value.is_null();
        self.fields.push(Field { key: ByteString::from(key), value, tells });
    }

    /// Keeps how a field was written that adds nothing to what the value says: to leave it out is no loss.
    pub fn note(&mut self, key: &str, value: Json) {
        self.fields.push(Field { key: ByteString::from(key), value, tells: false });
    }

    /// Takes over what `other` keeps.
    pub fn append(&mut self, mut other: Self) {
        self.fields.append(&mut other.fields);
        self.marks |= other.marks;
    }

    pub fn get(&self, key: &str) -> Option<&Json> {
        self.fields.iter().find(|field| &*field.key == key).map(|field| &field.value)
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.fields.iter().map(|field| (&*field.key, &field.value))
    }

    /// The names of the fields that say something: what is lost on a dialect that cannot write them.
    pub fn telling(&self) -> impl Iterator<Item = &str> {
        self.telling_fields().map(|(key, _)| key)
    }

    /// The same with their values.
    pub fn telling_fields(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.fields.iter().filter(|field| field.tells).map(|field| (&*field.key, &field.value))
    }

    /// Puts another value in the place of each that `change` has one for, and tells whether there was any.
    ///
    /// # Errors
    /// What `change` comes to.
    pub fn change<E>(
        &mut self,
        mut change: impl FnMut(&Json) -> std::result::Result<Option<Json>, E>,
    ) -> std::result::Result<bool, E> {
        let mut is_changed = false;
        for field in &mut self.fields {
            if let Some(value) = change(&field.value)? {
                field.value = value;
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    /// Writes every field as a member of the object being written.
    pub fn write(&self, writer: &mut Writer) {
        for (key, value) in self.fields() {
            writer.any_key(key).raw(value);
        }
    }

    /// Remembers something about how a known field was written. The meaning of a bit is the dialect's.
    pub fn mark(&mut self, bit: u32) {
        self.marks |= bit;
    }

    pub fn has_mark(&self, bit: u32) -> bool {
        self.marks & bit != 0
    }

    /// The marks that an answer may depend on.
    pub fn telling_marks(&self) -> u32 {
        self.marks & Self::TELLING.wrapping_neg()
    }

    /// True when there is no field to lose.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}
