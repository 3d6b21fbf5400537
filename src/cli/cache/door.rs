//! The way to kept answers: a running gateway's admin port, or the folder of one that does not run.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::base::clock::Clock;
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
        let answer = self.say(method, path).map_err(|error| {
            format!("no gateway answers at {place}: {error}; of one that does not run name the folder with `--dir`")
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{place} is no gateway"))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            return Err(body.trim_end().to_owned());
        }
        serde_json::from_str(body).map_err(|_| format!("{place} is no gateway"))
    }

    fn say(&self, method: &str, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
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

const PATIENCE: Duration = Duration::from_secs(10);
