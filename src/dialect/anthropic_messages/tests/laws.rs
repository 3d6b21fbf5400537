//! Round trips, and that no input panics.

use proptest::prelude::*;

use super::*;
use crate::chat::{Losses, Verbatim};
use crate::dialect::Quirks;

#[test]
fn a_request_that_is_read_and_written_is_the_same_and_loses_nothing() {
    for (name, text) in fixtures("request-") {
        let request = DIALECT.read_request(&body(text.clone())).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_request(&request, &Quirks::default(), &mut losses);
        assert_eq!(json(&written), json(text.as_bytes()), "{name}");
        assert!(losses.is_empty(), "{name}: {losses:?}");
        let again = DIALECT.read_request(&body(String::from_utf8(written).unwrap())).unwrap();
        assert_eq!(
            (again.messages, again.params, again.tools),
            (request.messages, request.params, request.tools),
            "{name}"
        );
    }
}

#[test]
fn an_answer_that_is_read_and_written_is_the_same_and_loses_nothing() {
    for (name, text) in fixtures("answer-") {
        let answer = DIALECT.read_completion(&body(text.clone())).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_completion(&answer, &mut losses);
        assert_eq!(json(&written), json(text.as_bytes()), "{name}");
        assert!(losses.is_empty(), "{name}: {losses:?}");
    }
}

#[test]
fn the_model_of_an_untouched_request_is_spliced_and_no_other_byte_moves() {
    let text = fixture("request-agent");
    let document = body(text.clone());
    let request = DIALECT.read_request(&document).unwrap();
    let mut request = Verbatim::read(request, ID, document.as_bytes().clone(), Some(0));
    assert_eq!(request.wire(ID).unwrap(), text.as_bytes());
    request.edit_text(|request| &mut request.model, "another-model");
    let expected = text.replacen("claude-sonnet-4-5", "another-model", 1);
    assert_eq!(request.wire(ID).unwrap(), expected.as_bytes());
}

#[test]
fn every_text_of_a_request_knows_where_it_stood() {
    for (name, text) in fixtures("request-") {
        let document = body(text.clone());
        let request = DIALECT.read_request(&document).unwrap();
        for part in request.parts() {
            let found = match &part.content {
                crate::chat::Content::Text(text) => text,
                crate::chat::Content::ToolCall(call) => &call.arguments,
                crate::chat::Content::Thinking(thinking) if thinking.sealed.is_none() => &thinking.text,
                _ => continue,
            };
            let place = found.place().unwrap();
            let there = &text[place.start as usize..(place.start + place.len) as usize];
            assert_eq!(found.len(), there.len(), "{name}");
            assert!(there == found.as_str() || there.contains('\\'), "{name}: {there}");
        }
    }
}

/// Documents that are nearly requests or answers.
fn nearly() -> impl Strategy<Value = String> {
    let texts: Vec<_> = ["request-", "answer-"].iter().flat_map(|kind| fixtures(kind)).map(|(_, text)| text).collect();
    (prop::sample::select(texts), any::<prop::sample::Index>(), 0usize..12, "[\\[\\]{}\",:0nt\\\\ ]{0,3}").prop_map(
        |(text, at, gone, put)| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            let rest = chars.iter().skip(at + gone);
            chars.iter().take(at).copied().chain(put.chars()).chain(rest.copied()).collect()
        },
    )
}

proptest! {
    #[test]
    fn no_document_however_broken_panics(text in prop_oneof![nearly(), any::<String>()]) {
        let text = body(text);
        if let Ok(request) = DIALECT.read_request(&text) {
            let written = DIALECT.write_request(&request, &Quirks::default(), &mut Losses::default());
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&written).is_ok());
            let foreign = crate::chat::Request { dialect: crate::base::ids::DialectId("other"), ..request };
            let written = DIALECT.write_request(&foreign, &Quirks::default(), &mut Losses::default());
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&written).is_ok());
        }
        if let Ok(answer) = DIALECT.read_completion(&text) {
            let written = DIALECT.write_completion(&answer, &mut Losses::default());
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&written).is_ok());
        }
        DIALECT.read_failure(400, text.as_bytes());
    }

    #[test]
    fn no_stream_however_broken_panics(
        stream in prop::sample::select(fixtures("stream-")),
        at in any::<prop::sample::Index>(),
        put in prop::collection::vec(any::<u8>(), 0..6),
        gone in 0usize..40,
    ) {
        let mut bytes = stream.1.into_bytes();
        let at = at.index(bytes.len());
        let end = (at + gone).min(bytes.len());
        bytes.splice(at..end, put);
        let mut reader = DIALECT.stream_reader();
        let mut frames = Vec::new();
        if reader.feed(Bytes::from(bytes), &mut frames).is_ok() {
            let _ = reader.finish(&mut frames);
        }
        write_stream(&frames);
    }
}
