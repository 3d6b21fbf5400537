//! One file of the log: a header, then frames.
//!
//! A crash can leave the *last* batch of the *last* segment torn: cut short, or with holes. That is cut off when
//! the log is opened. Whatever else is broken was safe once, and nobody may cut it off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::state::record::{self, Found, Record};
use crate::state::trouble::Trouble;

/// The bytes of a segment from some place on, and what is read out of them.
pub(super) struct Segment {
    pub path: PathBuf,
    pub number: u32,
    bytes: Vec<u8>,
    /// What the first byte is the how-manieth of.
    base: u64,
    at: usize,
}

/// A record and the place of its frame.
pub(super) struct Placed {
    pub record: Record,
    pub began: u64,
    pub end: u64,
    pub crc: u32,
}

/// How a segment goes on.
pub(super) enum Next {
    Record(Box<Placed>),
    End,
    /// From this byte on, a batch was never finished.
    Torn(u64),
}

impl Segment {
    /// Opens a segment at its first frame; `None` if not even its header was finished.
    pub fn read(folder: &Path, number: u32) -> Result<Option<(Self, u64)>, Trouble> {
        let path = path(folder, number);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Trouble::Missing { path: path.clone() },
            _ => Trouble::Io { path: path.clone(), source },
        })?;
        // A header is written and made safe before any frame, so without one there is nothing to lose.
        if bytes.len() < HEADER || (bytes.len() == HEADER && bytes.iter().all(|byte| *byte == 0)) {
            return Ok(None);
        }
        let first = check_header(&path, &bytes)?;
        Ok(Some((Self { path, number, bytes, base: 0, at: HEADER }, first)))
    }

    /// Opens a segment at a frame in the midst of it.
    pub fn read_from(folder: &Path, number: u32, offset: u64) -> Result<Self, Trouble> {
        let path = path(folder, number);
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map(|_| bytes)
        };
        let bytes = read().map_err(Trouble::io(&path))?;
        Ok(Self { path, number, bytes, base: offset, at: 0 })
    }

    /// The next record; `n` is the number it must have.
    ///
    /// # Errors
    /// When it is damaged, and was safe once. [`skip`](Self::skip) goes on behind it.
    pub fn next(&mut self, n: u64) -> Result<Next, Trouble> {
        let began = self.at;
        let (payload, end) = match record::find(&self.bytes, began) {
            Found::End => return Ok(Next::End),
            Found::Frame { payload, end, .. } => (payload, end),
            Found::Broken => {
                if !record::was_safe(&self.bytes, began) {
                    return Ok(Next::Torn(self.place(began)));
                }
                let lost = record::resume(&self.bytes, began).unwrap_or(began) - began;
                return Err(self.damaged(format!("{lost} bytes are no record, and whole records come after them")));
            }
        };
        let read: Record = serde_json::from_slice(payload)
            .map_err(|fault| self.damaged(format!("the record is whole, but not understood: {fault}")))?;
        if read.n != n {
            return Err(self.damaged(format!("record {n} should be here, and it is record {}", read.n)));
        }
        let crc = self.bytes.get(began..).and_then(record::head).map(|head| head.crc).unwrap_or_default();
        self.at = end;
        let placed = Placed { record: read, began: self.place(began), end: self.place(end), crc };
        Ok(Next::Record(Box::new(placed)))
    }

    /// Goes on behind damage, and gives the number of the record found there. For those who only look.
    pub fn skip(&mut self) -> Option<u64> {
        #[derive(serde::Deserialize)]
        struct Numbered {
            n: u64,
        }
        let start = match record::find(&self.bytes, self.at) {
            // Whole, but with another number than it should have.
            Found::Frame { payload, .. } if serde_json::from_slice::<Record>(payload).is_ok() => self.at,
            Found::Frame { end, .. } => end,
            _ => record::resume(&self.bytes, self.at)?,
        };
        self.at = start;
        let Found::Frame { payload, .. } = record::find(&self.bytes, start) else { return None };
        serde_json::from_slice::<Numbered>(payload).ok().map(|numbered| numbered.n)
    }

    /// Where reading has come to.
    pub fn offset(&self) -> u64 {
        self.place(self.at)
    }

    fn place(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    fn damaged(&self, why: String) -> Trouble {
        Trouble::Damaged { path: self.path.clone(), offset: self.offset(), why }
    }
}

/// Makes a segment and makes it safe, its name in the folder included.
pub(super) fn create(folder: &Path, number: u32, first: u64) -> io::Result<File> {
    let path = path(folder, number);
    // What is there under this name is what an earlier try could not finish.
    OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    let mut file = OpenOptions::new().append(true).open(&path)?;
    file.write_all(&header(first))?;
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:04}.log"))
}

/// The numbers of the segments in a folder, in order.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u32>, Trouble> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(Trouble::io(folder))? {
        let path = entry.map_err(Trouble::io(folder))?.path();
        let is_log = path.extension().is_some_and(|ending| ending == "log");
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        numbers.extend(stem.filter(|_| is_log).and_then(|stem| stem.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn header(first: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&first.to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// The number of the first record.
fn check_header(path: &Path, bytes: &[u8]) -> Result<u64, Trouble> {
    let parts = || {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (version, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (crc, _) = rest.split_first_chunk()?;
        Some((u32::from_le_bytes(*version), u64::from_le_bytes(*first), u32::from_le_bytes(*crc)))
    };
    let (version, first, crc) = parts().ok_or_else(|| Trouble::damaged(path, 0, "it does not begin like a ledger"))?;
    if version != VERSION {
        return Err(Trouble::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    match bytes.get(..HEADER - 4) {
        Some(checked) if crc32fast::hash(checked) == crc => Ok(first),
        _ => Err(Trouble::damaged(path, 0, "its header does not match its checksum")),
    }
}

const MAGIC: &[u8; 8] = b"TIDEBOOK";
const VERSION: u32 = 1;
/// Bytes of the header: magic, version, number of the first record, CRC.
pub(super) const HEADER: usize = 24;
