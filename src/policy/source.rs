//! The files a configuration was read from, and places in them.
//!
//! Every text that is read goes into [`Sources`] once and is known by its [`FileId`] from then on; a
//! [`Span`] is a range of bytes in one of them. Nothing here reads a file.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file among the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub(super) u32);

/// A range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: narrow(start), end: narrow(end.max(start)) }
    }

    /// From the start of this span to the end of `last`.
    pub fn to(self, last: Self) -> Self {
        Self { end: last.end.max(self.start), ..self }
    }
}

/// Where a span is, for people: lines and columns count from one, columns count characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

/// A file's path, as it was named, and its text.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: PathBuf,
    pub text: Arc<str>,
}

/// Every file of one configuration, in the order they were read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
    /// What must not be seen when lines are shown.
    masked: Vec<Span>,
}

impl Sources {
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { path: path.into(), text: text.into() });
        id
    }

    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// Keeps a part of a file out of sight.
    pub(super) fn mask(&mut self, span: Span) {
        self.masked.push(span);
    }

    pub(super) fn is_masked(&self, span: Span) -> bool {
        self.masked.contains(&span)
    }

    /// A file's text as it may be shown: each byte in its place, the masked ones as stars.
    pub(super) fn shown(&self, file: FileId) -> Cow<'_, str> {
        let text = self.get(file).map_or("", |source| &source.text);
        let mut shown = Cow::Borrowed(text);
        for span in self.masked.iter().filter(|span| span.file == file) {
            let range = self.range(*span);
            let stars = "*".repeat(range.len());
            shown.to_mut().replace_range(range, &stars);
        }
        shown
    }

    /// The folder that relative paths in this file start from.
    pub fn folder(&self, file: FileId) -> &Path {
        self.get(file).and_then(|source| source.path.parent()).unwrap_or(Path::new(""))
    }

    /// The text of a span; empty if it lies outside its file.
    pub fn slice(&self, span: Span) -> &str {
        let Some(source) = self.get(span.file) else { return "" };
        source.text.get(self.range(span)).unwrap_or("")
    }

    /// The span's bytes, moved inside the text and onto characters' borders.
    pub(super) fn range(&self, span: Span) -> std::ops::Range<usize> {
        let text = self.get(span.file).map_or("", |source| &source.text);
        let start = text.floor_char_boundary(span.start as usize);
        let end = text.ceil_char_boundary(span.end as usize);
        start..end.max(start)
    }

    /// Where the bytes `range` of a scalar's `text` stand, given that the scalar stands at `span`. Folded
    /// lines and indentation are followed; a text with escapes is pointed at as a whole.
    pub(super) fn inside(&self, span: Span, text: &str, range: std::ops::Range<usize>) -> Span {
        let raw = self.slice(span);
        let skipped = match raw.bytes().next() {
            Some(b'\'' | b'"') => 1,
            Some(b'|' | b'>') => raw.find('\n').unwrap_or(0),
            _ => 0,
        };
        let mut letters = raw.char_indices().skip_while(|(at, _)| *at < skipped).filter(|(_, c)| !c.is_whitespace());
        let (mut start, mut end) = (None, None);
        for (at, wanted) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let Some((found_at, _)) = letters.next().filter(|(_, found)| *found == wanted) else { return span };
            if at >= range.start && at < range.end.max(range.start + 1) {
                start = start.or(Some(found_at));
                end = Some(found_at + wanted.len_utf8());
            }
        }
        match (start, end) {
            (Some(start), Some(end)) => Span::new(span.file, span.start as usize + start, span.start as usize + end),
            _ => Span { start: span.end.saturating_sub(1).max(span.start), ..span },
        }
    }

    pub fn place(&self, span: Span) -> Place {
        let range = self.range(span);
        let source = self.get(span.file);
        let text = source.map_or("", |source| &source.text);
        let (line, column) = line_and_column(text, range.start);
        let (end_line, end_column) = line_and_column(text, range.end);
        let path = source.map(|source| source.path.clone()).unwrap_or_default();
        Place { path, line, column, end_line, end_column }
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before.get(line_start..).unwrap_or("").chars().count() + 1)
}

#[cfg(test)]
impl Sources {
    /// The same with paths from `folder` on, for tests that show them.
    pub(super) fn without(mut self, folder: &Path) -> Self {
        for file in &mut self.files {
            file.path = file.path.strip_prefix(folder).unwrap_or(&file.path).to_owned();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters_not_bytes() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "x: 1\nä: ö\n");
        let place = sources.place(Span::new(file, 9, 11));
        assert_eq!((place.line, place.column, place.end_column), (2, 4, 5));
        assert_eq!(sources.slice(Span::new(file, 9, 11)), "ö");
    }

    #[test]
    fn a_part_of_a_text_is_found_where_it_was_written() {
        let mut sources = Sources::default();
        let yaml = "a: \"p && q\"\nb: |\n  p &&\n  q\nc: p\n  && q\nd: \"p &\\u0026 q\"\n";
        let file = sources.add("a.yaml", yaml);
        let find = |scalar: &str, text: &str| {
            let start = yaml.find(scalar).unwrap();
            let span = Span::new(file, start, start + scalar.len());
            let at = text.find('q').unwrap();
            let place = sources.place(sources.inside(span, text, at..at + 1));
            (place.line, place.column, place.end_column)
        };
        assert_eq!(find("\"p && q\"", "p && q"), (1, 10, 11));
        assert_eq!(find("|\n  p &&\n  q", "p &&\nq\n"), (4, 3, 4));
        assert_eq!(find("p\n  && q", "p && q"), (6, 6, 7));
        assert_eq!(find("\"p &\\u0026 q\"", "p && q").1, 4);
    }

    #[test]
    fn a_span_outside_its_file_is_moved_inside() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "ab");
        assert_eq!(sources.place(Span::new(file, 90, 99)).column, 3);
        assert_eq!(sources.slice(Span { file: FileId(7), start: 0, end: 1 }), "");
    }
}
