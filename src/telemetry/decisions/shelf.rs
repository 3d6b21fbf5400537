//! Looking records up, newest first.
//!
//! Readers take no lock: files only grow at their end or vanish. What is torn is no JSON, and is passed over.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;
use memchr::{memmem, memrchr};
use serde::Deserialize;

use super::folder::files;
use super::query::Query;
use crate::base::ids::RequestId;

/// Records, as they are written.
pub struct Found {
    pub records: Vec<String>,
    /// There are others that the limit has cut off.
    pub is_cut: bool,
}

/// What a record is found by.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    pub time: Timestamp,
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    pub status: u16,
    #[serde(borrow)]
    pub outcome: Cow<'a, str>,
    #[serde(borrow)]
    pub endpoint: Cow<'a, str>,
    #[serde(borrow)]
    pub policy: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub target: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub team: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub user: Option<Cow<'a, str>>,
    pub cost_usd: Option<f64>,
    pub took_ms: f64,
}

/// The record of a request, if it is still there.
///
/// # Errors
/// When the folder cannot be read.
pub fn find(folder: &Path, id: RequestId) -> io::Result<Option<String>> {
    let mut found = None;
    each(folder, None, |line| {
        // Most lines need not be read to be passed over.
        if memmem::find(line, id.as_bytes()).is_some() && head(line).is_some_and(|head| head.request_id == id.as_str())
        {
            found = text(line);
        }
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// The newest records that the query asks for.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path, query: &Query) -> io::Result<Found> {
    let mut found = Found { records: Vec::new(), is_cut: false };
    each(folder, query.since, |line| {
        if !head(line).is_some_and(|head| query.asks_for(&head)) {
            return ControlFlow::Continue(());
        }
        if found.records.len() == query.limit {
            found.is_cut = true;
            return ControlFlow::Break(());
        }
        found.records.extend(text(line));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn head(line: &[u8]) -> Option<Head<'_>> {
    serde_json::from_slice(line).ok()
}

fn text(line: &[u8]) -> Option<String> {
    String::from_utf8(line.to_vec()).ok()
}

/// Goes through all lines, the last one first. Files in which nothing was written since then are left out: their
/// requests have come before.
fn each(folder: &Path, since: Option<Timestamp>, mut look: impl FnMut(&[u8]) -> ControlFlow<()>) -> io::Result<()> {
    let files = match files(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    for file in files.iter().rev() {
        let written = fs::metadata(&file.path).and_then(|about| about.modified());
        let written = written.ok().and_then(|time| Timestamp::try_from(time).ok());
        if since.is_some_and(|since| written.is_some_and(|written| written < since)) {
            break;
        }
        let bytes = match fs::read(&file.path) {
            // The oldest has made room meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            bytes => bytes?,
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let whole = rest.strip_suffix(b"\n").unwrap_or(rest);
            let (before, line) = whole.split_at(memrchr(b'\n', whole).map_or(0, |end| end + 1));
            rest = before;
            if look(line).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, status: u16) -> String {
        format!(
            "{{\"time\":\"2026-11-29T06:00:00Z\",\"request_id\":\"{id}\",\"status\":{status},\"outcome\":\"ok\",\
             \"endpoint\":\"chat\",\"model\":\"m\",\"took_ms\":1.5,\"steps\":[]}}\n"
        )
    }

    const ONE: &str = "req_00000000000000000000000001";
    const TWO: &str = "req_00000000000000000000000002";

    #[test]
    fn torn_and_foreign_lines_are_passed_over_and_the_newest_comes_first() {
        let place = tempfile::tempdir().unwrap();
        let torn = record(TWO, 200);
        let text = format!("{}{}\n\nnull\n{}{}", record(ONE, 200), &torn[..60], record(TWO, 404), &torn[..70]);
        fs::write(place.path().join("0000000001.jsonl"), text).unwrap();
        fs::write(place.path().join("0000000002.jsonl"), record(ONE, 500)).unwrap();
        let found = list(place.path(), &Query::default()).unwrap();
        let statuses: Vec<_> = found.records.iter().map(|record| head(record.as_bytes()).unwrap().status).collect();
        assert_eq!((statuses, found.is_cut), (vec![500, 404, 200], false));
        let two = find(place.path(), TWO.parse().unwrap()).unwrap().unwrap();
        assert_eq!(two, record(TWO, 404).trim_end());
        assert!(find(place.path(), "req_00000000000000000000000003".parse().unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_records() {
        assert!(list(Path::new("/nowhere/at/all"), &Query::default()).unwrap().records.is_empty());
    }
}
