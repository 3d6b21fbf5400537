//! A running gateway, with its policy files in a folder of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tidegate::base::clock::Clock;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::server::{self, Drain, TlsSettings, Workers};
use tidegate::state::{Embedded, Memory, Options};
use tidegate::telemetry::AccessLog;

use super::client::Http;

/// A gateway on ports of its own. Dropping it ends it.
pub struct House {
    pub http: Http,
    pub admin: Http,
    pub address: SocketAddr,
    pub gateway: Arc<Gateway>,
    pub reloader: Arc<Reloader>,
    pub drain: Drain,
    folder: TempDir,
    lines: Lines,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl House {
    /// Starts a gateway with this gateway file (`version` and `callers` are added where they are missing).
    pub async fn with(yaml: &str) -> Self {
        Self::with_files(&[("tidegate.yaml", yaml)]).await
    }

    /// The same, started by somebody who lets collectors have texts as callers have sent them.
    pub async fn showing_raw(yaml: &str) -> Self {
        Self::start(&[("tidegate.yaml", yaml)], World::showing_raw).await
    }

    /// The same, with books on disk, in its folder `books`.
    pub async fn booking(yaml: &str) -> (Self, Arc<Embedded>) {
        let folder = tempfile::tempdir().unwrap();
        let now = Clock::system().now();
        let books = Arc::new(Embedded::open(&folder.path().join("books"), &Options::default(), now).unwrap());
        let ledger = Arc::clone(&books);
        (Self::start_in(folder, &[("tidegate.yaml", yaml)], |world| world.keeping(ledger)).await, books)
    }

    /// Starts a gateway with several files; the first is the gateway file.
    pub async fn with_files(files: &[(&str, &str)]) -> Self {
        Self::start(files, |world| world).await
    }

    async fn start(files: &[(&str, &str)], made: impl FnOnce(World) -> World) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), files, made).await
    }

    async fn start_in(folder: TempDir, files: &[(&str, &str)], made: impl FnOnce(World) -> World) -> Self {
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, if *name == files[0].0 { complete(text) } else { (*text).to_owned() }).unwrap();
        }
        let lines = Lines::default();
        let world = World::new(Clock::system(), Arc::new(Pools::new()), AccessLog::to(lines.clone()));
        let world = Arc::new(made(world.keeping(Arc::new(Memory::default()))));
        let start =
            Reloader::start(&[folder.path().join(files[0].0)], &world).unwrap_or_else(|broken| panic!("{}", broken.0));
        let any = "127.0.0.1:0".parse().unwrap();
        let tls = start.settings.tls.as_ref().map(|files| TlsSettings::read(files).unwrap());
        let data = server::bind(any, tls, start.settings.connections).await.unwrap();
        let admin = server::bind(any, None, start.settings.connections).await.unwrap();
        let (address, admin_address) = (data.address().unwrap(), admin.address().unwrap());
        let gateway = Arc::new(Gateway::new(world, start.snapshot));
        gateway.pin().authenticator.tend().await;
        let (reloader, drain) = (Arc::new(start.reloader), Drain::default());
        tokio::spawn(server::serve(Arc::clone(&gateway), data, Arc::new(Workers::here()), drain.clone()));
        let probes = (Arc::clone(&gateway), Arc::clone(&reloader), drain.clone());
        tokio::spawn(server::serve_admin(probes.0, probes.1, probes.2, admin, Drain::default()));
        Self {
            http: Http::to(address),
            admin: Http::to(admin_address),
            address,
            gateway,
            reloader,
            drain,
            folder,
            lines,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let text = if name == "tidegate.yaml" { complete(text) } else { text.to_owned() };
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The access log so far, once it has this many lines.
    pub async fn access_lines(&self, count: usize) -> Vec<serde_json::Value> {
        for _ in 0..500 {
            let text = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
            if text.lines().count() >= count {
                return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the access log does not have {count} lines");
    }
}

/// What nearly every test's gateway file would have to repeat.
fn complete(yaml: &str) -> String {
    let mut text = String::new();
    if !yaml.contains("version:") {
        text.push_str("version: 1\n");
    }
    if !yaml.contains("callers:") {
        text.push_str("callers: { anonymous: true }\n");
    }
    text + yaml
}
