//! Running tests again whenever something they hang on changes.
//!
//! Files are looked at, not listened to: that works on every file system, and a person does not notice the pause.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use super::{Args, once, test_files};
use crate::rehearsal::Run;

/// Never returns by itself.
pub fn run(args: &Args, run: &Run) -> ExitCode {
    loop {
        let before = stamps(test_files(args));
        let (_, files) = once(args, run);
        let read = stamps(files.clone());
        println!("\nwaiting for a change …");
        while stamps(test_files(args)) == before && stamps(files.clone()) == read {
            std::thread::sleep(PAUSE);
        }
        println!();
    }
}

/// When each file was last written, and how long it is; `None` if it is not there.
fn stamps(files: Vec<PathBuf>) -> BTreeMap<PathBuf, Option<(SystemTime, u64)>> {
    let stamp = |path: PathBuf| {
        let about = std::fs::metadata(&path).ok();
        let stamp = about.and_then(|about| Some((about.modified().ok()?, about.len())));
        (path, stamp)
    };
    files.into_iter().map(stamp).collect()
}

const PAUSE: Duration = Duration::from_millis(300);
