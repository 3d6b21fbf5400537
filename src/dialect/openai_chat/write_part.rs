//! Content parts, written.

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{Content, Extra, File, Image, Losses, Part, Role, Source, Thinking};
use crate::dialect::openai_chat::level::{Rest, object};
use crate::dialect::openai_chat::marks::part as marks;

/// Whether what is being written came in this dialect, and so keeps its spelling and its extras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Here,
    Elsewhere,
}

impl Origin {
    /// A value's extras, if they are this dialect's to write; of another's, the loss is reported.
    pub fn extra<'e>(self, extra: &'e Extra, losses: &mut Losses) -> Option<&'e Extra> {
        if self == Self::Here {
            return Some(extra);
        }
        for name in extra.telling() {
            losses.left_out(name.to_owned());
        }
        None
    }
}

/// Whether a content part can be said in a message of this role; the loss is reported where it cannot.
pub fn can_say(part: &Part, role: Role, origin: Origin, losses: &mut Losses) -> bool {
    let loss = match &part.content {
        Content::Text(_) => return true,
        _ if origin == Origin::Here => return true,
        Content::Image(image) => (role != Role::User || inline_url(&image.source).is_none()).then_some("image"),
        Content::File(file) => (role != Role::User || is_beyond_us(&file.source)).then_some("file"),
        Content::Audio { .. } => (role != Role::User).then_some("audio"),
        Content::Other(other) => {
            losses.left_out(other.kind.clone());
            return false;
        }
        Content::Thinking(_) => Some("thinking"),
        Content::Refusal(_) | Content::ToolCall(_) | Content::ToolResult(_) => None,
    };
    if let Some(what) = loss {
        losses.left_out(what);
    }
    loss.is_none()
}

/// Files go by their data here: a link or another provider's id says nothing.
fn is_beyond_us(source: &Source) -> bool {
    match source {
        Source::Uploaded(_) => true,
        Source::Url(_) => source.inline().is_none(),
        Source::Data { .. } | Source::Plain(_) => false,
    }
}

/// The URL, or the data as one.
fn inline_url(source: &Source) -> Option<Text> {
    match source {
        Source::Url(url) => Some(url.clone()),
        Source::Data { media_type, data } => {
            Some(Text::from(format!("data:{};base64,{}", media_type.as_str(), data.as_str())))
        }
        Source::Uploaded(_) | Source::Plain(_) => None,
    }
}

/// Writes a content part that [`can_say`] let through.
pub fn write(writer: &mut Writer, part: &Part, origin: Origin, losses: &mut Losses) {
    let extra = origin.extra(&part.extra, losses);
    let has = |mark| extra.is_some_and(|extra| extra.has_mark(mark));
    let cache = part.cache.as_ref().filter(|_| origin == Origin::Here);
    if part.cache.is_some() && cache.is_none() {
        losses.left_out("cache_control");
    }
    if let (Content::Text(text), true, true) = (&part.content, has(marks::BARE), cache.is_none()) {
        return writer.text(text);
    }
    if let Content::Other(other) = &part.content {
        return writer.raw(&other.json);
    }
    object(writer, Rest::of(extra, inner_of(&part.content)), |members| {
        let kind = kind_of(&part.content, losses);
        if !has(marks::NO_TYPE) {
            members.str("type", kind);
        }
        members.raw("cache_control", cache);
        match &part.content {
            Content::Text(text) => members.key("text").text(text),
            Content::Refusal(text) => members.key("refusal").text(text),
            Content::Image(image) => self::image(members.key("image_url"), image, extra),
            Content::Audio { data, format } => {
                object(members.key("input_audio"), Rest::inside(extra, "input_audio.", &[]), |members| {
                    members.text("data", Some(data));
                    members.text("format", Some(format));
                });
            }
            Content::File(file) => match &file.source {
                Source::Plain(text) => members.key("text").text(text),
                _ => self::file(members.key("file"), file, extra),
            },
            Content::Thinking(thinking) => self::thinking(members.key("thinking"), thinking, extra),
            Content::ToolCall(_) | Content::ToolResult(_) | Content::Other(_) => {}
        }
    });
}

fn kind_of(content: &Content, losses: &mut Losses) -> &'static str {
    match content {
        Content::Image(_) => "image_url",
        Content::Audio { .. } => "input_audio",
        Content::File(File { source: Source::Plain(_), .. }) => {
            losses.add("file", "sent as text");
            "text"
        }
        Content::File(_) => "file",
        Content::Refusal(_) => "refusal",
        Content::Thinking(_) => "thinking",
        _ => "text",
    }
}

fn inner_of(content: &Content) -> &'static [&'static str] {
    match content {
        Content::Image(_) => &["image_url."],
        Content::Audio { .. } => &["input_audio."],
        Content::File(_) => &["file."],
        _ => &[],
    }
}

fn image(writer: &mut Writer, image: &Image, extra: Option<&Extra>) {
    let url = inline_url(&image.source).unwrap_or_default();
    if image.detail.is_none() && extra.is_some_and(|extra| extra.has_mark(marks::BARE_URL)) {
        return writer.text(&url);
    }
    object(writer, Rest::inside(extra, "image_url.", &[]), |members| {
        members.text("url", Some(&url));
        members.text("detail", image.detail.as_ref());
    });
}

fn file(writer: &mut Writer, file: &File, extra: Option<&Extra>) {
    object(writer, Rest::inside(extra, "file.", &[]), |members| {
        match &file.source {
            Source::Uploaded(id) => members.text("file_id", Some(id)),
            Source::Data { data, .. } if extra.is_some_and(|extra| extra.has_mark(marks::BARE_DATA)) => {
                members.text("file_data", Some(data));
            }
            source => members.text("file_data", inline_url(source).as_ref()),
        }
        members.text("filename", file.name.as_ref());
        // Data without a name is refused.
        if file.name.is_none() && extra.is_none() {
            members.str("filename", "file");
        }
    });
}

fn thinking(writer: &mut Writer, thinking: &Thinking, extra: Option<&Extra>) {
    if extra.is_some_and(|extra| extra.has_mark(marks::BARE_THINKING)) {
        return writer.text(&thinking.text);
    }
    writer.array(|writer| {
        writer.object(|writer| {
            writer.key("type").str("text");
            writer.key("text").text(&thinking.text);
        });
    });
}
