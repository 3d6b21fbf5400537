//! Files of pairs of questions of which it is known whether they ask the same.

use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub a: String,
    pub b: String,
    pub same: bool,
    #[serde(default)]
    pub category: Option<String>,
}

/// The pairs of a file, or of standard input if it is `-`.
///
/// # Errors
/// When it cannot be read, has no pairs, or has a line that is none.
pub fn read(path: &Path) -> Result<Vec<Pair>, String> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|read| text = read),
    };
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let pairs = parse(&text).map_err(|(line, wrong)| format!("{}:{line}: {wrong}", path.display()))?;
    if pairs.is_empty() {
        return Err(format!("{} has no pairs; a line is {FORM}", path.display()));
    }
    Ok(pairs)
}

/// The pairs of a text; what is wrong with it, and in which line, counted from 1.
pub fn parse(text: &str) -> Result<Vec<Pair>, (usize, String)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let pair = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| (number + 1, format!("{error}; a line is {FORM}")))
    };
    lines.map(pair).collect()
}

const FORM: &str = r#"{"a": "…", "b": "…", "same": true}, with a `category` if there is one"#;
