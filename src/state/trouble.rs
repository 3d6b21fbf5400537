//! Why a folder of books cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// A fault of the folder that the books are kept in. Nothing was changed or lost by finding it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    #[error("`{}` cannot be used: {source}; it must be a folder that this user may write to", .path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("`{}` is in use by another process; give each gateway a folder of its own, or stop the other first", .path.display())]
    Locked { path: PathBuf },
    #[error("`{}` cannot be read or written: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` was written by a newer version (format {found}, this one knows {known})", .path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    /// There are whole records behind the damage, so it is not what a crash leaves behind.
    #[error("`{}` is damaged at byte {offset}: {why}; nothing was changed; restore the file from a copy, or see with `tidegate ledger verify` what is lost if it is left out", .path.display())]
    Damaged { path: PathBuf, offset: u64, why: String },
    #[error("`{}` is missing; the records in it are needed to know what was spent", .path.display())]
    Missing { path: PathBuf },
}

impl Trouble {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// Only the last segment may end in something broken.
    pub(super) fn torn_inside(path: &Path, offset: u64) -> Self {
        let why = "its end is broken, and another segment comes after it".to_owned();
        Self::Damaged { path: path.to_owned(), offset, why }
    }

    pub(super) fn damaged(path: &Path, offset: usize, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), offset: offset as u64, why: why.into() }
    }
}
