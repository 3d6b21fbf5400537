//! A Redis of a test's own, on a socket in a folder of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A server that keeps what it is told in an append-only file. Dropping it ends it.
pub struct Redis {
    folder: TempDir,
    child: Child,
}

impl Redis {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(&folder);
        Self { folder, child }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Ends in good order; what it knows is on the disk then.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.child.wait().unwrap();
    }

    /// Starts again with what it knew.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.folder);
    }

    /// Answers nobody from now on, and does not hang up either.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// What a command gives, as `redis-cli` shows it.
    pub fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-s").arg(self.socket()).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "yes"]);
    command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("these tests need `redis-server` on the path: {error}"));
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.to_lowercase().contains("ready to accept connections") {
        assert!(log.read_line(&mut seen).unwrap() > 0, "redis-server did not start:\n{seen}");
    }
    // The pipe must not fill.
    std::thread::spawn(move || log.read_to_string(&mut String::new()));
    child
}
