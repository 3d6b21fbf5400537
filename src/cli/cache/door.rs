//! The way to kept answers: a running gateway's admin port, or the folder of one that does not run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::clock::Clock;
use crate::cli::admin::{self, Unanswered};
use crate::state::EmbeddedAnswers;

/// Where the answers are
#[derive(Debug, clap::Args)]
pub struct Door {
    /// The admin address of the gateway that keeps them
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4001")]
    admin: SocketAddr,
    /// The folder of a gateway that does not run, as in `state: { dir: … }`
    #[arg(long, value_name = "FOLDER", conflicts_with = "admin")]
    dir: Option<PathBuf>,
}

impl Door {
    pub fn folder(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Asks the gateway.
    ///
    /// # Errors
    /// When none answers, or what it says is no success.
    pub fn ask(&self, method: &str, path: &str) -> Result<Value, String> {
        let place = self.admin;
        admin::ask(place, method, path).map_err(|unanswered| match unanswered {
            Unanswered::Nobody(error) => {
                format!("no gateway answers at {place}: {error}; of one that does not run name the folder with `--dir`")
            }
            Unanswered::Refused(why) => why,
            Unanswered::NoGateway => format!("{place} is no gateway"),
        })
    }
}

/// Does something with the answers of a folder, which no gateway has open.
///
/// # Errors
/// When there are none, or they cannot be read.
pub fn open<T>(folder: &Path, work: impl AsyncFnOnce(EmbeddedAnswers) -> Result<T, String>) -> Result<T, String> {
    let folder = folder.join("answers");
    if !folder.is_dir() {
        return Err(format!("{} is not there: no answers are kept in it", folder.display()));
    }
    let answers = EmbeddedAnswers::open(&folder, Clock::system())
        .map_err(|trouble| format!("{trouble}; while a gateway runs on it, ask that with `--admin`"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    runtime.block_on(work(answers))
}
