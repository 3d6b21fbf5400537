//! `tidegate explain TG0101`: what a problem means and how it is mended.

use std::io::Write as _;
use std::process::ExitCode;

use crate::policy::codes;

/// Explain the code of a problem.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A code that `check` has shown, such as TG0101
    #[arg(value_name = "CODE")]
    code: String,
}

pub fn run(args: Args) -> ExitCode {
    let written = match codes::page(&args.code) {
        Some(page) => writeln!(std::io::stdout().lock(), "{page}").map(|()| ExitCode::SUCCESS),
        None => {
            let known: Vec<_> = codes::all().map(codes::Code::name).collect();
            writeln!(std::io::stderr().lock(), "there is no code `{}`; known are: {}", args.code, known.join(", "))
                .map(|()| ExitCode::from(2))
        }
    };
    written.unwrap_or(ExitCode::from(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_code_is_explained() {
        assert_eq!(run(Args { code: "tg0204".into() }), ExitCode::SUCCESS);
        assert_eq!(run(Args { code: "TG9".into() }), ExitCode::from(2));
    }
}
