//! The files that records are appended to, and how they stay within their bound.
//!
//! A folder has files `0000000001.jsonl` and so on. The newest is written to until it is an eighth of all that may be
//! kept; then another one is begun, and the oldest are removed. One process at a time writes to a folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{info, warn};

use crate::base::private;

/// A folder to write to, opened when there is something to write, and again after an error.
pub(super) struct Folder {
    path: PathBuf,
    /// Bytes of all files together.
    size: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    open: Option<Open>,
    /// The last records could not be written.
    is_down: bool,
}

struct Open {
    /// Held for as long as this process writes here.
    _lock: File,
    file: File,
    number: u64,
    /// Bytes of the file, and of all of them.
    length: u64,
    total: u64,
}

/// How many files a folder has when it is full.
const PARTS: u64 = 8;

impl Folder {
    pub(super) fn new(path: PathBuf, size: Arc<AtomicU64>, dropped: Arc<AtomicU64>) -> Self {
        Self { path, size, dropped, open: None, is_down: false }
    }

    /// Appends whole lines. Those that cannot be written are counted.
    pub(super) fn take(&mut self, mut batch: &[u8]) {
        let part = (self.size.load(Ordering::Relaxed) / PARTS).max(1);
        while !batch.is_empty() {
            let (piece, rest) = cut(batch, usize::try_from(part).unwrap_or(usize::MAX));
            batch = rest;
            let written = if piece.len() as u64 > part { Err(too_long()) } else { self.append(piece, part) };
            if let Err(error) = &written {
                self.dropped.fetch_add(lines_in(piece), Ordering::Relaxed);
                // What is there is looked at anew before the next is written.
                self.open = None;
                if !self.is_down {
                    warn!(%error, folder = %self.path.display(), "decisions cannot be recorded");
                }
            } else if self.is_down {
                info!(folder = %self.path.display(), "decisions are recorded again");
            }
            self.is_down = written.is_err();
        }
    }

    fn append(&mut self, piece: &[u8], part: u64) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::folder(&self.path)?),
        };
        let length = piece.len() as u64;
        if open.length > 0 && open.length + length > part {
            open.begin_another(&self.path)?;
        }
        open.make_room(&self.path, self.size.load(Ordering::Relaxed).saturating_sub(length))?;
        open.file.write_all(piece)?;
        open.length += length;
        open.total += length;
        Ok(())
    }
}

impl Open {
    fn folder(path: &Path) -> io::Result<Self> {
        // Records say who asked what of whom: they are for nobody else.
        private::make(path)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"))?;
        lock.try_lock().map_err(|_| io::Error::other("another gateway records its decisions there"))?;
        let files = files(path)?;
        let total = files.iter().map(|file| file.length).sum();
        let number = files.last().map_or(1, |newest| newest.number);
        let mut file = file(path, number)?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut open = Self { _lock: lock, file, number, length, total };
        if !ends_well(&mut open.file, length)? {
            // What was torn becomes a line of its own, which no reader takes for a record.
            open.file.write_all(b"\n")?;
            (open.length, open.total) = (open.length + 1, open.total + 1);
        }
        Ok(open)
    }

    fn begin_another(&mut self, path: &Path) -> io::Result<()> {
        self.file = file(path, self.number + 1)?;
        self.number += 1;
        self.length = 0;
        Ok(())
    }

    /// Removes the oldest files until no more than `most` bytes are left, or one file.
    fn make_room(&mut self, path: &Path, most: u64) -> io::Result<()> {
        if self.total <= most {
            return Ok(());
        }
        for old in files(path)?.iter().filter(|file| file.number < self.number) {
            fs::remove_file(&old.path)?;
            self.total = self.total.saturating_sub(old.length);
            if self.total <= most {
                break;
            }
        }
        Ok(())
    }
}

/// A file of records.
pub(super) struct RecordFile {
    pub number: u64,
    pub path: PathBuf,
    pub length: u64,
}

/// The files of a folder, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn files(folder: &Path) -> io::Result<Vec<RecordFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(|name| name.parse().ok());
        if let (Some(number), Ok(about)) = (number, entry.metadata()) {
            files.push(RecordFile { number, path: entry.path(), length: about.len() });
        }
    }
    files.sort_by_key(|file| file.number);
    Ok(files)
}

fn file(folder: &Path, number: u64) -> io::Result<File> {
    let path = folder.join(format!("{number:010}{ENDING}"));
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn ends_well(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(true) };
    file.seek(SeekFrom::Start(last))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

/// As many whole lines as fit into so many bytes, but at least one; and the rest.
fn cut(batch: &[u8], most: usize) -> (&[u8], &[u8]) {
    let fitting = batch.get(..most).unwrap_or(batch);
    let end = memchr::memrchr(b'\n', fitting).or_else(|| memchr::memchr(b'\n', batch));
    batch.split_at_checked(end.map_or(batch.len(), |end| end + 1)).unwrap_or((batch, &[]))
}

fn lines_in(piece: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', piece).count() as u64
}

fn too_long() -> io::Error {
    io::Error::other("a record is longer than an eighth of what may be kept")
}

const ENDING: &str = ".jsonl";

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path, size: u64) -> Folder {
        Folder::new(path.to_owned(), Arc::new(AtomicU64::new(size)), Arc::default())
    }

    fn all(path: &Path) -> String {
        files(path).unwrap().iter().map(|file| fs::read_to_string(&file.path).unwrap()).collect()
    }

    #[test]
    fn a_folder_never_grows_beyond_its_bound_and_keeps_the_newest() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = folder(place.path(), 800);
        for number in 0..500 {
            folder.take(format!("{number:09}\n").repeat(1 + number % 7).as_bytes());
            let total: u64 = files(place.path()).unwrap().iter().map(|file| file.length).sum();
            assert!(total <= 800, "{total} bytes after {number}");
        }
        let kept = all(place.path());
        assert!(kept.ends_with("000000499\n") && kept.len() >= 600, "{kept}");
        assert_eq!(folder.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_batch_that_is_longer_than_a_file_is_written_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        folder(place.path(), 80).take(b"1234\n5678\n9\n");
        assert_eq!(all(place.path()), "1234\n5678\n9\n");
    }

    #[test]
    fn a_record_that_is_too_long_is_dropped_alone_and_counted() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = folder(place.path(), 80);
        folder.take(b"1\n23456789abcdef\n2\n");
        assert_eq!((all(place.path()).as_str(), folder.dropped.load(Ordering::Relaxed)), ("1\n2\n", 1));
    }

    #[test]
    fn what_was_torn_does_not_spoil_what_comes_after() {
        let place = tempfile::tempdir().unwrap();
        folder(place.path(), 800).take(b"whole\n");
        file(place.path(), 1).unwrap().write_all(b"tor").unwrap();
        folder(place.path(), 800).take(b"next\n");
        assert_eq!(all(place.path()), "whole\ntor\nnext\n");
    }

    #[test]
    fn two_do_not_write_to_one_folder_and_the_second_does_once_the_first_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let (mut first, mut second) = (folder(place.path(), 800), folder(place.path(), 800));
        first.take(b"1\n");
        second.take(b"2\n");
        assert_eq!((all(place.path()).as_str(), second.dropped.load(Ordering::Relaxed)), ("1\n", 1));
        drop(first);
        second.take(b"3\n");
        assert_eq!(all(place.path()), "1\n3\n");
    }
}
