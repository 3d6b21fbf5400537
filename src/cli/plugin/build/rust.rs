//! Plugins in Rust: cargo, for `wasm32-wasip2`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Failed, missing, tool};
use crate::cli::plugin::project::Project;

const TARGET: &str = "wasm32-wasip2";

pub fn build(project: &Project) -> Result<(), Failed> {
    let cargo = tool(project, ".", "cargo")
        .ok_or_else(|| missing("cargo is not installed", "install Rust as https://rustup.rs says"))?;
    if !has_target(project) {
        return Err(missing(format!("Rust cannot build for {TARGET} yet"), "rustup target add wasm32-wasip2"));
    }
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    command.current_dir(&project.folder).stdout(Stdio::piped());
    let unusable = |error: std::io::Error| Failed::Unusable(format!("cargo cannot be run: {error}"));
    let mut running = command.spawn().map_err(unusable)?;
    let made = running.stdout.take().and_then(|out| component(BufReader::new(out)));
    if !running.wait().map_err(unusable)?.success() {
        return Err(Failed::Refused);
    }
    let made = made.ok_or_else(|| {
        Failed::Unusable("cargo has built no component; Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`".into())
    })?;
    let copied = std::fs::copy(&made, project.wasm());
    copied.map(drop).map_err(|error| Failed::Unusable(format!("cannot write `{}`: {error}", project.wasm().display())))
}

/// The component among what cargo says it has made; the last one, which is the package's own.
fn component(said: impl BufRead) -> Option<PathBuf> {
    let messages = said.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let artifacts =
        messages.filter(|message| message.get("reason").is_some_and(|reason| reason == "compiler-artifact"));
    let made = artifacts.filter_map(|artifact| {
        let files = artifact.get("filenames")?.as_array()?;
        files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
    });
    made.last()
}

/// Without rustup nobody can say what the compiler can do before it is asked to.
fn has_target(project: &Project) -> bool {
    let Some(rustc) = tool(project, ".", "rustc") else { return true };
    let mut asked = Command::new(rustc);
    asked.args(["--print", "target-libdir", "--target", TARGET]).current_dir(&project.folder);
    match asked.output() {
        Ok(said) => PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()).is_dir(),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_found_among_what_cargo_says() {
        let said = concat!(
            r#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib"]}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/tone.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(component(said.as_bytes()), Some("/t/tone.wasm".into()));
        assert_eq!(component(&b"{}"[..]), None);
    }
}
