//! Plugins in Python: componentize-py.

use std::ffi::OsStr;
use std::path::Path;

use super::{Failed, absolute, compile, missing, sdk, tool};
use crate::cli::plugin::project::Project;

const MEND: &str = "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1";

pub fn build(project: &Project) -> Result<(), Failed> {
    let tool = tool(project, ".venv/bin", "componentize-py");
    let tool = tool.ok_or_else(|| missing("componentize-py is not installed, here or elsewhere", MEND))?;
    let (wit, python, wasm) = (sdk(project, "wit")?, sdk(project, "python")?, absolute(&project.wasm())?);
    let packages = packages(project);
    let mut arguments = vec![OsStr::new("-q"), "-d".as_ref(), wit.as_ref(), "-w".as_ref(), "step".as_ref()];
    arguments.extend(["componentize", "-p", ".", "-p"].map(OsStr::new));
    arguments.push(python.as_ref());
    for folder in &packages {
        arguments.extend([OsStr::new("-p"), folder.as_ref()]);
    }
    // WASI stays: with `--stub-wasi` an exception becomes a bare trap.
    arguments.extend([OsStr::new("plugin"), "-o".as_ref(), wasm.as_ref()]);
    compile(project, &tool, &arguments)
}

/// What the plugin's own environment has installed.
fn packages(project: &Project) -> Vec<std::path::PathBuf> {
    let of_version = std::fs::read_dir(project.folder.join(".venv/lib")).into_iter().flatten().filter_map(Result::ok);
    let folders = of_version.map(|folder| folder.path().join("site-packages"));
    folders.filter(|folder| folder.is_dir()).filter_map(|folder| std::path::absolute(Path::new(&folder)).ok()).collect()
}
