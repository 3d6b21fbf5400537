#![no_main]

use std::sync::{Arc, Mutex};

use tidegate::base::ids::DialectId;
use tidegate::base::json::Malformed;
use tidegate::chat::{Event, Events};
use tidegate::dialect::{Cut, Record, Records, SseReader};
use tidegate_fuzz::{cuts, tell};

/// Notes the records it is shown.
#[derive(Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Records for Notes {
    fn dialect(&self) -> DialectId {
        DialectId("notes")
    }

    fn record(&mut self, record: &Record, events: &mut Events) -> Result<(), Malformed> {
        let Record { event, data, is_comment, has_data, .. } = record;
        self.0.lock().unwrap().push(format!("{event:?} {data:?} {is_comment} {has_data}"));
        events.push(Event::Ping);
        Ok(())
    }

    fn end(&mut self, _: &mut Events) -> Result<(), Cut> {
        Ok(())
    }
}

/// The records, and how reading ended.
fn records<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<String>, String) {
    let notes = Notes::default();
    let seen = notes.0.clone();
    let told = tell::read_with(&mut SseReader::new(notes), pieces);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(told.frames.len(), seen.len());
    (seen, told.end)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let whole = records([data]);
    for pieces in cuts(data) {
        assert_eq!(records(pieces), whole);
    }
});
