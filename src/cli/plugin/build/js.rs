//! Plugins in JavaScript and TypeScript: esbuild puts them into one file, componentize-qjs makes a component of it.

use std::ffi::OsStr;
use std::fs;

use super::{Failed, absolute, compile, missing, sdk, tool};
use crate::cli::plugin::project::Project;

const MEND: &str = "npm install";
const BIN: &str = "node_modules/.bin";

pub fn build(project: &Project) -> Result<(), Failed> {
    let found = |name: &str| tool(project, BIN, name).ok_or_else(|| missing(format!("{name} is not installed"), MEND));
    let (esbuild, componentize) = (found("esbuild")?, found("componentize-qjs")?);
    let entry = ["plugin.ts", "plugin.js"].into_iter().find(|name| project.folder.join(name).is_file());
    let entry = entry.ok_or_else(|| Failed::Unusable("there is no plugin.ts and no plugin.js".into()))?;
    let cache = absolute(&project.folder.join("node_modules/.cache/tidegate"))?;
    let unusable = |error| Failed::Unusable(format!("cannot write `{}`: {error}", cache.display()));
    fs::create_dir_all(&cache).map_err(unusable)?;
    let bundle = cache.join("plugin.js");
    let outfile = format!("--outfile={}", bundle.display());
    // What is imported from the gateway is there when the component runs.
    let fixed =
        ["--bundle", "--format=esm", "--platform=neutral", "--main-fields=module,main", "--external:tidegate:*"];
    let mut arguments = vec![OsStr::new(entry)];
    arguments.extend(fixed.map(OsStr::new));
    arguments.extend(["--log-level=warning", outfile.as_str()].map(OsStr::new));
    compile(project, &esbuild, &arguments)?;
    let (wit, wasm) = (sdk(project, "wit")?, absolute(&project.wasm())?);
    let mut arguments = vec![OsStr::new("-w"), wit.as_ref(), "-j".as_ref(), bundle.as_ref()];
    arguments.extend(["-n", "step", "--sync", "--stub-wasi", "-o"].map(OsStr::new));
    arguments.push(wasm.as_ref());
    compile(project, &componentize, &arguments)
}
