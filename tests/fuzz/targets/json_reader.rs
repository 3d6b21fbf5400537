#![no_main]

use bytestring::ByteString;
use serde::de::IgnoredAny;
use serde_json::Value;
use tidegate::base::json::{Kind, Reader, Result, Writer};

/// Reads with our reader and writes with our writer; strings take the way through their characters.
fn copy(reader: &mut Reader<'_>, writer: &mut Writer) -> Result<()> {
    match reader.peek()? {
        Kind::Object => {
            let mut result = Ok(());
            writer.object(|writer| {
                result = reader.object(|reader, key| {
                    writer.any_key(key);
                    copy(reader, writer)
                });
            });
            result?;
        }
        Kind::Array => {
            let mut result = Ok(());
            writer.array(|writer| result = reader.array(|reader, _| copy(reader, writer)));
            result?;
        }
        Kind::String => writer.str(&reader.text()?.as_str()),
        Kind::Number => writer.number(&reader.number()?),
        Kind::Bool => writer.bool(reader.bool()?),
        Kind::Null => {
            reader.skip()?;
            writer.null();
        }
    }
    Ok(())
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = ByteString::try_from(data) else { return };
    let mut reader = Reader::new(&text);
    let ours = reader.skip().and_then(|()| reader.end());
    // serde_json has no limit of depth where it throws values away.
    let is_deep = ours.as_ref().is_err_and(|wrong| wrong.message().starts_with("nested more than"));
    if !is_deep {
        let theirs = serde_json::from_str::<IgnoredAny>(&text);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} {theirs:?}");
    }
    let mut reader = Reader::new(&text);
    let mut writer = Writer::new();
    let copied = copy(&mut reader, &mut writer).and_then(|()| reader.end());
    // What is wrong is told of with the place in what was being read, which is another for what is only skipped.
    assert_eq!(copied.is_ok(), ours.is_ok(), "{copied:?} {ours:?}");
    // It refuses lone surrogates, huge numbers and the last level of depth; ours are the same where it does not.
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        assert_eq!(serde_json::from_slice::<Value>(&writer.into_bytes()).unwrap(), value);
    }
    let _ = Reader::new(&text).glimpse("type");
});
