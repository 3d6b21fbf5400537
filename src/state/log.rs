//! The append-only log: the truth about money.
//!
//! A batch is written and made safe with one `fdatasync`. If that fails, nothing of it counts: the file is
//! cut back to what was safe before, and the whole batch is written anew. (After a failed `fdatasync` the
//! kernel may call lost pages clean, so asking it a second time proves nothing.)
//!
//! Segments are never deleted here.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::state::record::{self, Entry, Record};
use crate::state::segment::{self, HEADER, Next, Segment};
use crate::state::trouble::Trouble;

pub(super) struct Log {
    folder: PathBuf,
    file: File,
    number: u32,
    /// All before it is safe.
    length: u64,
    /// A failed write may have left something behind it.
    is_dirty: bool,
    next: u64,
    rotate_at: u64,
    buffer: Vec<u8>,
    /// Told how long the disk took.
    pub(super) synced: Arc<dyn Fn(Duration) + Send + Sync>,
    #[cfg(test)]
    pub(super) is_full: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// A place behind a record, with what proves that this log has that record there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub segment: u32,
    pub offset: u64,
    /// The number of the record that comes next.
    pub next: u64,
    began: u64,
    crc: u32,
}

impl Log {
    /// Opens a log, and tells `each` what comes after `from`, or everything. A torn end is cut off.
    ///
    /// # Errors
    /// When a record is damaged or a segment is missing, or the files cannot be used.
    pub fn open(
        folder: &Path,
        rotate_at: u64,
        from: Option<&Position>,
        mut each: impl FnMut(Record, Position),
    ) -> Result<Self, Trouble> {
        let numbers = segment::numbers(folder)?;
        let start = from.map_or(1, |position| position.segment);
        let last = numbers.last().copied().unwrap_or(1);
        let mut next = from.map_or(1, |position| position.next);
        let mut length = HEADER as u64;
        for number in start..=last {
            if !numbers.contains(&number) && !numbers.is_empty() {
                return Err(Trouble::Missing { path: segment::path(folder, number) });
            }
            let opened = match from.filter(|position| position.segment == number) {
                _ if numbers.is_empty() => None,
                Some(position) => Some(Segment::read_from(folder, number, position.offset)?),
                None => open_whole(folder, number, next, number == last)?,
            };
            let Some(mut segment) = opened else {
                length = HEADER as u64;
                segment::create(folder, number, next).map_err(Trouble::io(&segment::path(folder, number)))?;
                continue;
            };
            replay(&mut segment, &mut next, number == last, &mut each)?;
            length = segment.offset();
        }
        let path = segment::path(folder, last);
        let file = OpenOptions::new().append(true).open(&path).map_err(Trouble::io(&path))?;
        let mut log = Self {
            folder: folder.to_owned(),
            file,
            number: last,
            length,
            is_dirty: false,
            next,
            rotate_at,
            buffer: Vec::new(),
            synced: Arc::new(|_| {}),
            #[cfg(test)]
            is_full: std::sync::Arc::default(),
        };
        log.cut_torn_end().map_err(Trouble::io(&path))?;
        Ok(log)
    }

    /// Writes a batch and makes it safe; gives the place behind it. After an error the same batch must
    /// come again before any other.
    pub fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) -> io::Result<Option<Position>> {
        self.mend()?;
        if self.length >= self.rotate_at {
            self.rotate()?;
        }
        self.buffer.clear();
        let (mut next, mut began, mut crc) = (self.next, 0, 0);
        for entry in entries {
            began = self.buffer.len();
            crc = record::encode(next, entry, &mut self.buffer)?;
            next += 1;
        }
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.is_dirty = true;
        self.write()?;
        self.is_dirty = false;
        let began = self.length + began as u64;
        self.length += self.buffer.len() as u64;
        self.next = next;
        self.buffer.shrink_to(KEPT_BUFFER);
        Ok(Some(Position { segment: self.number, offset: self.length, next, began, crc }))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if self.is_full.load(std::sync::atomic::Ordering::SeqCst) {
            self.file.write_all(self.buffer.get(..self.buffer.len() / 2).unwrap_or_default())?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(&self.buffer)?;
        let begun = Instant::now();
        self.file.sync_data()?;
        (self.synced)(begun.elapsed());
        Ok(())
    }

    fn mend(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.file.set_len(self.length)?;
            self.file.sync_all()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let number = self.number + 1;
        self.file = segment::create(&self.folder, number, self.next)?;
        self.number = number;
        self.length = HEADER as u64;
        Ok(())
    }

    fn cut_torn_end(&mut self) -> io::Result<()> {
        let found = self.file.metadata()?.len();
        if found > self.length {
            warn!(
                segment = %segment::path(&self.folder, self.number).display(),
                at = self.length,
                bytes = found - self.length,
                "cutting off what a crash left unfinished at the end of the ledger"
            );
            self.is_dirty = true;
            self.mend()?;
        }
        Ok(())
    }
}

impl Position {
    pub fn behind(segment: u32, placed: &segment::Placed) -> Self {
        let next = placed.record.n + 1;
        Self { segment, offset: placed.end, next, began: placed.began, crc: placed.crc }
    }

    /// Whether the log in a folder has, at this place, the very record that was there once.
    pub fn is_in(&self, folder: &Path) -> bool {
        let read = || {
            let mut file = File::open(segment::path(folder, self.segment))?;
            let mut head = [0; record::HEAD];
            file.seek(SeekFrom::Start(self.began))?;
            file.read_exact(&mut head)?;
            io::Result::Ok((record::head(&head), file.metadata()?.len()))
        };
        let Ok((Some(head), length)) = read() else { return false };
        let end = self.began + record::HEAD as u64 + u64::from(head.length);
        head.crc == self.crc && end == self.offset && length >= end
    }
}

/// A segment from its first frame on. One that has no header yet is only acceptable as the last.
fn open_whole(folder: &Path, number: u32, next: u64, is_last: bool) -> Result<Option<Segment>, Trouble> {
    let path = segment::path(folder, number);
    match Segment::read(folder, number)? {
        None if is_last => Ok(None),
        None => Err(Trouble::damaged(&path, 0, "it has no header")),
        Some((_, first)) if first != next => {
            let why = format!("it begins with record {first}, and record {next} should come next");
            Err(Trouble::damaged(&path, 0, why))
        }
        Some((segment, _)) => Ok(Some(segment)),
    }
}

fn replay(
    segment: &mut Segment,
    next: &mut u64,
    is_last: bool,
    each: &mut impl FnMut(Record, Position),
) -> Result<(), Trouble> {
    loop {
        match segment.next(*next)? {
            Next::Record(placed) => {
                *next += 1;
                let position = Position::behind(segment.number, &placed);
                each(placed.record, position);
            }
            Next::Torn(at) if !is_last => return Err(Trouble::torn_inside(&segment.path, at)),
            Next::End | Next::Torn(_) => return Ok(()),
        }
    }
}

/// A buffer that grew for one great batch is given back.
const KEPT_BUFFER: usize = 1 << 20;
