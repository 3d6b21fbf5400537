//! Folders that are for nobody but the user whom this process runs as.
//!
//! What is in a folder that others may not enter is closed to them, whatever the modes of its files.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use tracing::warn;

/// Makes a folder, and those that it lies in. One that is there stays as open as it is: whoever has made it knows why.
///
/// # Errors
/// When it cannot be made.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The same, but one that is there is closed to others as well. If it is somebody else's, that is said in the log.
///
/// # Errors
/// When it cannot be made.
pub fn make_or_close(folder: &Path) -> io::Result<()> {
    make(folder)?;
    let mode = fs::metadata(folder)?.permissions().mode();
    if mode & OTHERS != 0
        && let Err(error) = fs::set_permissions(folder, Permissions::from_mode(mode & !OTHERS))
    {
        warn!(%error, folder = %folder.display(), "others may read this folder");
    }
    Ok(())
}

/// The rights of the group and of everybody else.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_one_that_is_there_is_closed_where_that_is_wanted() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("outer/inner");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        make(&folder).unwrap();
        assert_eq!((mode(&folder), mode(&place.path().join("outer"))), (0o700, 0o700));
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        make(&folder).unwrap();
        assert_eq!(mode(&folder), 0o755);
        make_or_close(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }
}
