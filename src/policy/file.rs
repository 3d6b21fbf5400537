//! Reading a file of one document that is not part of a configuration: a suite of tests, a request to explain.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::codes;
use super::decode::decode;
use super::problem::Problem;
use super::source::Sources;
use super::tree;

/// Reads the file as strictly as a configuration is read. What is wrong goes to `problems`.
pub fn read<T: DeserializeOwned>(path: &Path, sources: &mut Sources, problems: &mut Vec<Problem>) -> Option<T> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::error(codes::UNREADABLE, format!("cannot read `{}`: {error}", path.display())));
            return None;
        }
    };
    let file = sources.add(path, text);
    let before = problems.len();
    let documents = tree::parse(sources, file, problems);
    let Some(document) = documents.first() else {
        if problems.len() == before {
            problems.push(Problem::error(codes::SYNTAX, format!("`{}` holds nothing", path.display())));
        }
        return None;
    };
    let decoded = decode::<T>(document, sources);
    problems.extend(decoded.problems);
    let is_sound = !problems.iter().skip(before).any(Problem::is_error);
    decoded.value.filter(|_| is_sound)
}
