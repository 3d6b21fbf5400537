//! Asking for usage at the end of a stream.
//!
//! `stream_options.include_usage` is the caller's word, and `wants_usage` keeps it. The gateway asks for its
//! own ends too, without changing what the caller is known to have said.

use bytestring::ByteString;

use crate::base::json::{Json, Kind, Reader, Result, Writer};
use crate::base::text::Place;
use crate::chat::{Request, Verbatim};
use crate::dialect::Quirks;
use crate::dialect::openai_chat::ID;

pub const KEY: &str = "stream_options";

/// Whether these options ask for usage.
pub fn includes_usage(options: &mut Reader<'_>) -> Result<bool> {
    let mut includes = false;
    options.nullable(|reader| {
        reader.object(|reader, key| {
            if key == "include_usage" {
                includes = reader.nullable(Reader::bool)? == Some(true);
            }
            Ok(())
        })
    })?;
    Ok(includes)
}

/// The options, usage included.
pub fn with_usage(options: Option<&Json>) -> Json {
    let mut writer = Writer::with_capacity(64);
    writer.object(|writer| {
        writer.key("include_usage").bool(true);
        let Some(options) = options.filter(|options| options.kind() == Kind::Object) else { return };
        // They were read before, so they can be read.
        let _ = options.reader().object(|reader, key| {
            if key != "include_usage" {
                writer.any_key(key).raw(&reader.raw()?);
            }
            Ok(())
        });
    });
    writer.into_json()
}

pub fn ask_for_usage(request: &mut Verbatim<Request>, quirks: &Quirks) {
    if !request.stream || !quirks.stream_options || request.params.wants_usage {
        return;
    }
    let Some(document) = request.document(ID).and_then(|bytes| ByteString::try_from(bytes).ok()) else { return };
    if let Some(options) = request.extra.get(KEY) {
        let with = with_usage(Some(options)).0.as_bytes().to_vec();
        if let Some(place) = place_of_options(&document) {
            request.splice(place, with);
        }
        return;
    }
    let Some(brace) = document.find('{').and_then(|at| u32::try_from(at).ok()) else { return };
    let with = format!(r#""{KEY}":{},"#, with_usage(None).0);
    request.splice(Place { start: brace + 1, len: 0 }, with.into_bytes());
}

/// Where the options stand; the last ones count if there are several.
fn place_of_options(document: &ByteString) -> Option<Place> {
    let mut place = None;
    Reader::new(document)
        .object(|reader, key| {
            if key == KEY {
                place = reader.raw_text()?.place();
            }
            Ok(())
        })
        .ok()?;
    place
}
