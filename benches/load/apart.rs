//! The bench on the first processor, and what it measures on the others: by `taskset`, which Linux has.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::http::wrong;

/// Keeps this process, and what it starts from now on, to the first processor.
///
/// # Errors
/// When there is but one, or no `taskset`.
pub fn stay_on_the_first(processors: usize) -> io::Result<()> {
    if processors < 2 {
        return Err(wrong("there is one processor, and nothing can be kept apart"));
    }
    let me = std::process::id().to_string();
    let kept = Command::new("taskset").args(["-a", "-c", "-p", "0", &me]).stdout(Stdio::null()).status()?;
    if kept.success() { Ok(()) } else { Err(wrong(format!("`taskset` failed: {kept}"))) }
}

/// How a program is started on all processors but the first.
pub fn command(program: &Path, processors: usize) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &format!("1-{}", processors - 1)]).arg(program);
    command
}
