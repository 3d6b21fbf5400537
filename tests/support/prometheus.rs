//! A real Prometheus that reads a gateway, where there is one.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::Http;

pub struct Prometheus {
    child: Child,
    http: Http,
    _folder: TempDir,
}

impl Prometheus {
    /// One that reads this address twice a second and has these rules; `None` where there is no `prometheus`.
    pub async fn reading(admin: SocketAddr, rules: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{ scrape_interval: 500ms, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\n\
             scrape_configs: [{{ job_name: tidegate, static_configs: [{{ targets: [\"{admin}\"] }}] }}]\n",
            rules.display()
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        // It cannot be told to take any port and to say which.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--web.listen-address={address}"));
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--enable-feature=exemplar-storage"]);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        let prometheus = Self { child, http: Http::to(address), _folder: folder };
        prometheus.is_ready().await;
        prometheus.eventually("up == 1").await;
        Some(prometheus)
    }

    /// It listens before it can answer.
    async fn is_ready(&self) {
        for _ in 0..600 {
            if std::net::TcpStream::connect(self.http.address()).is_ok()
                && self.http.get("/-/ready").await.status == 200
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Prometheus does not get ready");
    }

    /// What it answers to a question below `/api/v1/`.
    pub async fn ask(&self, path: &str, words: &[(&str, &str)]) -> Value {
        let words: Vec<_> = words.iter().map(|(name, word)| format!("{name}={}", escaped(word))).collect();
        let answer = self.http.get(&format!("/api/v1/{path}?{}", words.join("&"))).await;
        let said = answer.json();
        assert_eq!(said["status"], "success", "{path} {words:?}: {said}");
        said["data"].clone()
    }

    /// The series that a query finds now.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        self.ask("query", &[("query", query)]).await["result"].as_array().unwrap().clone()
    }

    /// The series that a query finds, once it finds any.
    pub async fn eventually(&self, query: &str) -> Vec<Value> {
        for _ in 0..300 {
            let found = self.query(query).await;
            if !found.is_empty() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nothing is found by {query}");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn escaped(word: &str) -> String {
    word.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
