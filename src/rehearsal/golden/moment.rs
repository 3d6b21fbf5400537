//! One call of a hook, and all its circumstances.

use bytestring::ByteString;
use serde_json::Value;

use super::document::{CallDoc, CallerDoc, GivenDoc, PieceDoc, UsageDoc};
use super::played::text_of;
use crate::chat::{self, Choice, Completion, Content, Finish, FinishReason, Part, Request, Thinking};
use crate::dialect::Dialect as _;
use crate::dialect::openai_chat::OpenAiChat;
use crate::steps::plugin::Grant;
use crate::wasm::types::{self, Context, Delta, Piece, Tag, ToolCall, Usage};

/// What a hook is called with.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    pub grants: Vec<Grant>,
    /// A JSON object.
    pub config: Value,
    pub caller: CallerDoc,
    pub given: GivenDoc,
    /// The body of a request in OpenAI's form; the plugin is only configured, if there is none.
    pub request: Option<Value>,
    pub sent: Sent,
}

/// What there is besides the request.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Sent {
    /// Nothing: the request is what is judged.
    #[default]
    Request,
    /// A whole answer.
    Answer(Vec<PieceDoc>),
    /// A stream.
    Stream(Vec<PieceDoc>),
}

/// Reads the body of a request.
///
/// # Errors
/// What is wrong with it.
pub fn request(body: &Value) -> Result<Request, String> {
    OpenAiChat.read_request(&ByteString::from(body.to_string())).map_err(|malformed| malformed.to_string())
}

/// Who calls, as far as the plugin may know.
pub fn context(moment: &Moment, wall_ms: u32) -> Context {
    let CallerDoc { key, team, user, tags, claims, headers, tagged } = moment.caller.clone();
    let tag = |(key, value): (String, String)| Tag { key, value };
    let is_granted = |name: &str| {
        moment.grants.iter().any(|grant| match grant {
            Grant::RequestHeaders(names) => names.iter().any(|granted| granted.eq_ignore_ascii_case(name)),
            _ => false,
        })
    };
    let claims = claims.filter(|_| moment.grants.contains(&Grant::CallerClaims));
    Context {
        request_id: "req_played".into(),
        policy: "played".into(),
        dialect: "openai_chat".into(),
        key,
        team,
        user,
        caller_tags: tags,
        claims_json: claims.map(|claims| claims.to_string()),
        headers: headers
            .into_iter()
            .filter(|(name, _)| is_granted(name))
            .map(|(name, value)| tag((name.to_lowercase(), value)))
            .collect(),
        tags: tagged.into_iter().map(tag).collect(),
        deadline_ms: wall_ms,
    }
}

/// A whole answer.
pub fn completion(pieces: &[PieceDoc]) -> Completion {
    let parts: Vec<Part> = pieces.iter().enumerate().filter_map(|(number, piece)| part(number, piece)).collect();
    let calls = parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
    let reason = if calls { FinishReason::ToolCalls } else { FinishReason::Stop };
    let finish = Some(Finish::new(reason, reason.name()));
    Completion {
        dialect: OpenAiChat.id(),
        id: "played".into(),
        model: "played".into(),
        created: None,
        choices: vec![Choice { parts, finish, ..Choice::default() }],
        usage: None,
        extra: Default::default(),
    }
}

/// The usage that is reported at the end.
pub fn usage(pieces: &[PieceDoc]) -> Option<Usage> {
    pieces.iter().find_map(|piece| match piece {
        PieceDoc::Usage(UsageDoc { input, out, cached }) => {
            Some(Usage { input_tokens: *input, output_tokens: *out, cached_tokens: *cached })
        }
        _ => None,
    })
}

/// A streamed answer, in batches: each text in pieces of `cut` bytes or a little more, or all at once.
pub fn batches(pieces: &[PieceDoc], cut: Option<usize>, grants: &[Grant]) -> Vec<Vec<Delta>> {
    let is_shown = grants.contains(&Grant::AnswerText);
    let mut batches = Vec::new();
    for (number, piece) in pieces.iter().filter(|piece| !matches!(piece, PieceDoc::Usage(_))).enumerate() {
        let delta = |piece| Delta { choice: 0, part: u32::try_from(number).unwrap_or(u32::MAX), piece };
        let in_pieces = |text: &str, make: fn(String) -> Piece| {
            let shown = if is_shown { text } else { "" };
            pieces_of(shown, cut).map(|piece| vec![delta(make(piece.to_owned()))]).collect::<Vec<_>>()
        };
        match piece {
            PieceDoc::Text(text) => batches.extend(in_pieces(text, Piece::Text)),
            PieceDoc::Thinking(text) => batches.extend(in_pieces(text, Piece::Thinking)),
            PieceDoc::Refusal(text) => batches.extend(in_pieces(text, Piece::Refusal)),
            PieceDoc::ToolCall(CallDoc { name, arguments }) => {
                let call = ToolCall { id: id(number), name: name.clone(), arguments_json: String::new() };
                batches.push(vec![delta(Piece::ToolCall(call))]);
                batches.extend(in_pieces(&text_of(arguments), Piece::ToolArguments));
            }
            PieceDoc::Usage(_) => {}
        }
        batches.push(vec![delta(Piece::End)]);
    }
    match cut {
        Some(_) => batches,
        None => vec![batches.concat()],
    }
}

fn pieces_of(text: &str, cut: Option<usize>) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = text_cut(rest, cut.unwrap_or(usize::MAX).max(1));
        let (piece, behind) = rest.split_at_checked(at).filter(|(piece, _)| !piece.is_empty())?;
        rest = behind;
        Some(piece)
    })
}

/// Where to cut: at so many bytes, or behind the character they cut.
fn text_cut(text: &str, bytes: usize) -> usize {
    text.ceil_char_boundary(bytes.min(text.len()))
}

fn part(number: usize, piece: &PieceDoc) -> Option<Part> {
    let content = match piece {
        PieceDoc::Text(text) => Content::Text(text.as_str().into()),
        PieceDoc::Thinking(text) => Content::Thinking(Thinking { text: text.as_str().into(), ..Thinking::default() }),
        PieceDoc::Refusal(text) => Content::Refusal(text.as_str().into()),
        PieceDoc::ToolCall(CallDoc { name, arguments }) => Content::ToolCall(chat::ToolCall {
            id: id(number).as_str().into(),
            name: name.as_str().into(),
            arguments: text_of(arguments).as_str().into(),
        }),
        PieceDoc::Usage(_) => return None,
    };
    Some(Part::new(content))
}

fn id(number: usize) -> String {
    format!("call_{number}")
}

/// The texts of parts that an edit can name.
pub fn texts_of(parts: &[types::Part]) -> Vec<String> {
    let text = |part: &types::Part| match part {
        types::Part::Text(text) | types::Part::Thinking(text) | types::Part::Refusal(text) => Some(text.clone()),
        types::Part::ToolCall(call) => Some(call.arguments_json.clone()),
        types::Part::ToolResult(result) => Some(result.text.clone()),
        types::Part::Blob(_) | types::Part::Link(_) | types::Part::Other(_) => None,
    };
    parts.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cut: Option<usize>) -> Vec<Vec<String>> {
        let pieces = [PieceDoc::Text("süß".into())];
        let text = |delta: &Delta| match &delta.piece {
            Piece::Text(text) => text.clone(),
            Piece::End => "end".into(),
            other => panic!("{other:?}"),
        };
        let batches = batches(&pieces, cut, &[Grant::AnswerText]);
        batches.iter().map(|batch| batch.iter().map(text).collect()).collect()
    }

    #[test]
    fn a_cut_never_goes_through_a_character() {
        assert_eq!(texts(Some(2)), [["sü"], ["ß"], ["end"]]);
        assert_eq!(texts(Some(1)), [["s"], ["ü"], ["ß"], ["end"]]);
        assert_eq!(texts(None), [["süß", "end"]]);
    }

    #[test]
    fn a_stream_that_is_not_granted_has_no_texts() {
        let pieces = [PieceDoc::Text("hello".into())];
        assert_eq!(batches(&pieces, None, &[]).concat().len(), 1);
    }
}
