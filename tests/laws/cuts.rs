//! Law 3: where a stream is cut changes nothing. Law 6: a stream that stops early is never taken for complete.

use super::*;
use crate::tell::{event, read, write};
use tidegate::chat::Event;

#[test]
fn a_cut_at_any_byte_changes_no_event_and_no_byte_that_goes_out() {
    for fixture in fixtures("stream-") {
        let bytes = fixture.body.as_bytes();
        let whole = read(fixture.dialect, [&bytes[..]]);
        let lines = whole.lines();
        let passed = write(fixture.dialect, &whole.frames);
        let rewritten: Vec<_> = fixture.others().map(|dialect| write(dialect, &whole.touched())).collect();
        for at in 0..=bytes.len() {
            let (before, after) = bytes.split_at(at);
            let cut = read(fixture.dialect, [before, after]);
            assert_eq!(cut.lines(), lines, "{} cut at {at}", fixture.name);
            assert_eq!(write(fixture.dialect, &cut.frames), passed, "{} cut at {at}", fixture.name);
            for (dialect, rewritten) in fixture.others().zip(&rewritten) {
                assert_eq!(write(dialect, &cut.touched()), *rewritten, "{} cut at {at}", fixture.name);
            }
        }
        let single = read(fixture.dialect, bytes.chunks(1));
        assert_eq!(single.lines(), lines, "{} byte by byte", fixture.name);
        assert_eq!(write(fixture.dialect, &single.frames), passed, "{} byte by byte", fixture.name);
    }
}

#[test]
fn a_stream_that_stops_before_its_finish_is_cut_and_never_ends() {
    for fixture in fixtures("stream-") {
        let bytes = fixture.body.as_bytes();
        for at in 0..bytes.len() {
            let told = read(fixture.dialect, [&bytes[..at]]);
            // Every choice that began has said why it ended.
            let begun: std::collections::BTreeSet<u32> = told.events().filter_map(choice_of).collect();
            let finished = |choice: &u32| {
                told.events().any(|event| matches!(event, Event::Finish { choice: own, .. } if own == choice))
            };
            let has_finished = !begun.is_empty() && begun.iter().all(finished) || says_done(&bytes[..at]);
            let has_ended = told.events().any(|event| matches!(event, Event::End));
            assert!(has_finished || !has_ended, "{} up to {at} ends", fixture.name);
            assert!(has_finished || told.end.starts_with("cut: "), "{} up to {at}: {}", fixture.name, told.end);
            assert!(has_ended == told.is_complete(), "{} up to {at}: {}", fixture.name, told.end);
            if !has_ended {
                assert_unfinished(&fixture, at, &told);
            }
        }
    }
}

/// What a caller gets of a cut stream does not look complete, in whatever dialect.
fn assert_unfinished(fixture: &Fixture, at: usize, told: &tell::Told) {
    for dialect in ALL {
        let written = write(dialect, &told.touched());
        let again = read(dialect, [&written[..]]);
        let ends: Vec<_> = again.events().filter(|event| matches!(event, Event::End)).map(event).collect();
        // A reader may take an answer whose every choice has finished for complete; a cut one may have said so.
        let may_end = told.events().any(|event| matches!(event, Event::Finish { .. }));
        assert!(ends.is_empty() || may_end, "{} up to {at} in {}", fixture.name, dialect.id());
        let written = String::from_utf8_lossy(&written);
        assert!(!written.contains("[DONE]") && !written.contains("message_stop"), "{} up to {at}", fixture.name);
    }
}

fn choice_of(event: &Event) -> Option<u32> {
    match event {
        Event::Start(_) => Some(0),
        Event::Open { lane, .. } => Some(lane.choice),
        Event::Finish { choice, .. } => Some(*choice),
        _ => None,
    }
}

/// Whether the bytes hold the record by which their dialect says that the stream is complete.
fn says_done(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("data: [DONE]") || text.contains("\"type\":\"message_stop\"") || text.contains("event: message_stop")
}
