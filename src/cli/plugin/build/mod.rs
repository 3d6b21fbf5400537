//! `tidegate plugin build`: the plugin of a folder into a component, by the tools of its language.

mod js;
mod python;
mod rust;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use super::project::{Language, Project};

/// Build the plugin of a folder, into NAME.wasm in it.
///
/// Says what is missing on this machine, and the command that mends it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of plugins [default: .]
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let here = [PathBuf::from(".")];
    let mut code = ExitCode::SUCCESS;
    for folder in if args.folders.is_empty() { &here[..] } else { &args.folders } {
        let project = Project::read(folder)?;
        let begun = Instant::now();
        let built = match project.language {
            Language::Rust => rust::build(&project),
            Language::Python => python::build(&project),
            Language::Js => js::build(&project),
        };
        match built {
            Ok(()) => tell(&project.wasm(), begun)?,
            Err(Failed::Missing { what, mend }) => return Err(format!("{what}; this mends it:\n  {mend}")),
            Err(Failed::Unusable(message)) => return Err(message),
            Err(Failed::Refused) => {
                eprintln!("error: `{}` cannot be built", project.name);
                code = ExitCode::from(1);
            }
        }
    }
    Ok(code)
}

fn tell(wasm: &Path, begun: Instant) -> Result<(), String> {
    let size = wasm.metadata().map_err(|error| format!("`{}` is not there: {error}", wasm.display()))?.len();
    println!("{}: {} KiB in {:.1} s", wasm.display(), size.div_ceil(1024), begun.elapsed().as_secs_f64());
    Ok(())
}

/// Why nothing was built.
#[derive(Debug)]
enum Failed {
    /// Something is not on this machine.
    Missing {
        what: String,
        mend: &'static str,
    },
    /// The compiler refused the plugin, and has said why.
    Refused,
    Unusable(String),
}

fn missing(what: impl Into<String>, mend: &'static str) -> Failed {
    Failed::Missing { what: what.into(), mend }
}

/// A program of the plugin's own folder, or else one on the path.
fn tool(project: &Project, within: &str, name: &str) -> Option<PathBuf> {
    let own = project.folder.join(within).join(name);
    if own.is_file() {
        return std::path::absolute(own).ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|found| found.is_file())
}

/// Runs a compiler in the plugin's folder; what it says is for the author.
fn compile(project: &Project, program: &Path, arguments: &[&OsStr]) -> Result<(), Failed> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&project.folder);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failed::Refused),
        Err(error) => Err(Failed::Unusable(format!("`{}` cannot be run: {error}", program.display()))),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failed> {
    let unusable = |error| Failed::Unusable(format!("`{}` is no path: {error}", path.display()));
    std::path::absolute(path).map_err(unusable)
}

/// A folder of the SDK, which a compiler is run on from another place.
fn sdk(project: &Project, part: &str) -> Result<PathBuf, Failed> {
    let folder = absolute(&project.sdk.join(part))?;
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(Failed::Unusable(format!(
            "there is no SDK at `{}`; `sdk:` in plugin.yaml says where it is",
            folder.display()
        ))),
    }
}
