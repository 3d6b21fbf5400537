//! Where the bytes of images and documents are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::base::json::{Kind, Reader, Result, Writer};
use crate::base::text::Text;
use crate::chat::Source;

/// Reads a `source`; `None` if it is of a kind, or has members, that [`Source`] has no room for.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Source>> {
    let mut fields = Fields::default();
    reader.object(|reader, key| fields.member(key, reader))?;
    Ok(fields.into_source())
}

#[derive(Default)]
struct Fields {
    kind: Option<Text>,
    media_type: Option<Text>,
    data: Option<Text>,
    url: Option<Text>,
    file_id: Option<Text>,
    is_odd: bool,
}

impl Fields {
    fn member(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let field = match key {
            "type" => &mut self.kind,
            "media_type" => &mut self.media_type,
            "data" => &mut self.data,
            "url" => &mut self.url,
            "file_id" => &mut self.file_id,
            _ => {
                self.is_odd = true;
                return Ok(());
            }
        };
        if reader.peek()? == Kind::Null {
            self.is_odd = true;
            return Ok(());
        }
        *field = Some(reader.text()?);
        Ok(())
    }

    fn into_source(self) -> Option<Source> {
        let kind = self.kind.filter(|_| !self.is_odd)?;
        match (&*kind.as_str(), self.media_type, self.data, self.url, self.file_id) {
            ("base64", Some(media_type), Some(data), None, None) => Some(Source::Data { media_type, data }),
            ("text", Some(media_type), Some(data), None, None) if media_type == "text/plain" => {
                Some(Source::Plain(data))
            }
            ("url", None, None, Some(url), None) => Some(Source::Url(url)),
            ("file", None, None, None, Some(id)) => Some(Source::Uploaded(id)),
            _ => None,
        }
    }
}

/// Writes a `source` as it is.
pub(super) fn write(source: &Source, writer: &mut Writer) {
    writer.object(|writer| match source {
        Source::Url(url) => {
            writer.key("type").str("url");
            writer.key("url").text(url);
        }
        Source::Data { media_type, data } => {
            writer.key("type").str("base64");
            writer.key("media_type").text(media_type);
            writer.key("data").text(data);
        }
        Source::Uploaded(id) => {
            writer.key("type").str("file");
            writer.key("file_id").text(id);
        }
        Source::Plain(text) => {
            writer.key("type").str("text");
            writer.key("media_type").str("text/plain");
            writer.key("data").text(text);
        }
    });
}

/// What a source of another dialect's becomes: a `data:` URL its parts, base64 of a plain text that text.
pub(super) fn translated(source: &Source) -> Option<Source> {
    let (media_type, data) = source.inline()?;
    if media_type.starts_with("text/") {
        // Anthropic takes base64 for PDFs only.
        let text = BASE64.decode(data.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(text) = text {
            return Some(Source::Plain(text.into()));
        }
    }
    match source {
        Source::Url(_) => {
            Some(Source::Data { media_type: media_type.into_owned().into(), data: data.into_owned().into() })
        }
        _ => None,
    }
}
