//! The `tidegate` program. See the library for everything it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::run()
}
