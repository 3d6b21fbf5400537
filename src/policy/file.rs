//! Reading a file of one document that is not part of a configuration: a suite of tests, a request to explain.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::codes;
use super::decode::decode;
use super::problem::Problem;
use super::source::{FileId, Sources, Span};
use super::tree;

/// Reads the file as strictly as a configuration is read. What is wrong goes to `problems`.
pub fn read<T: DeserializeOwned>(path: &Path, sources: &mut Sources, problems: &mut Vec<Problem>) -> Option<T> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(Problem::error(codes::UNREADABLE, format!("cannot read `{}`: {error}", path.display())));
            return None;
        }
    };
    let before = problems.len();
    let file = add(path, bytes, sources, problems)?;
    let documents = tree::parse(sources, file, problems);
    let Some(document) = documents.first() else {
        if problems.len() == before {
            problems.push(Problem::error(codes::SYNTAX, "the file holds nothing").at(Span::new(file, 0, 0), ""));
        }
        return None;
    };
    let decoded = decode::<T>(document, sources);
    problems.extend(decoded.problems);
    let is_sound = !problems.iter().skip(before).any(Problem::is_error);
    decoded.value.filter(|_| is_sound)
}

/// Puts a file among the sources; one that is not UTF-8 only to point at the first byte that is to blame.
pub(super) fn add(path: &Path, bytes: Vec<u8>, sources: &mut Sources, problems: &mut Vec<Problem>) -> Option<FileId> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Some(sources.add(path, text)),
        Err(error) => error,
    };
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(at).copied().unwrap_or_default();
    let file = sources.add(path, String::from_utf8_lossy(error.as_bytes()));
    let problem = Problem::error(codes::UNREADABLE, format!("the file is not UTF-8: it holds the byte 0x{byte:02X}"));
    problems.push(problem.at(Span::new(file, at, at + 1), "").help("save it as UTF-8"));
    None
}
