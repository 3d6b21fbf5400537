//! What is compared: proxies as child processes, and no proxy at all.
//!
//! Each gets a configuration in a folder of its own, a free port, and two threads or workers. Nothing is
//! tuned beyond what their manuals say a proxy in front of a streaming API needs.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tempfile::TempDir;

use crate::apart;
use crate::bare;
use crate::cell::Traffic;
use crate::http::wrong;
use crate::proc::Family;
use crate::wasm;

const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");
/// What the bench's own program is called with to be a proxy; two addresses follow.
pub const BARE: &str = "bare-proxy";
/// How long a subject may take until it answers for the first time.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The client asks the mock itself.
    Direct,
    Nginx,
    Haproxy,
    /// hyper in this bench's own program, without any policy: what could be had at the best.
    Hyper,
    Tidegate,
    /// Tidegate with rate limits and budgets on each request, and the ledger on disk.
    Limited,
    /// Tidegate with a plugin that sees requests and answers, and lets them pass.
    Plugged,
    /// Tidegate which looks for personal data and credentials in requests and answers.
    Guarded,
    /// The same in requests, with what was taken out of them given back in answers.
    Restored,
    /// Tidegate which gives each answer from the second time on by itself.
    Cached,
}

/// A subject that answers.
pub struct Subject {
    pub kind: Kind,
    pub address: SocketAddr,
    /// From its start to its first answer.
    pub started_in: Duration,
    child: Option<Child>,
    folder: TempDir,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Hyper => "hyper",
            Self::Tidegate => "tidegate",
            Self::Limited => "limited",
            Self::Guarded => "guarded",
            Self::Restored => "restored",
            Self::Plugged => "plugged",
            Self::Cached => "cached",
        }
    }

    /// Whether there is something to learn from this traffic. Streams say when each of their events was sent, which is
    /// long ago in one that was kept.
    pub fn takes_part(self, traffic: Traffic) -> bool {
        self != Self::Cached || traffic == Traffic::Whole
    }

    /// The program that is this subject, if it is there.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Self::Direct => None,
            Self::Hyper => std::env::current_exe().ok(),
            Self::Tidegate | Self::Limited | Self::Guarded | Self::Restored | Self::Plugged | Self::Cached => {
                Some(TIDEGATE.into())
            }
            // Debian keeps them where the path of ordinary users does not lead.
            Self::Nginx | Self::Haproxy => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
                std::env::split_paths(&path).chain(usual).map(|folder| folder.join(self.name())).find(|p| p.is_file())
            }
        }
    }
}

impl Subject {
    /// Starts a subject in front of `mock`, on all but the first of so many processors if it is to be kept `apart`.
    ///
    /// # Errors
    /// When its program is not there or cannot be started.
    pub fn spawn(kind: Kind, mock: SocketAddr, apart: Option<usize>) -> io::Result<Self> {
        let folder = TempDir::with_prefix(format!("bench-{}-", kind.name()))?;
        let mut subject = Self { kind, address: mock, started_in: Duration::ZERO, child: None, folder };
        if kind != Kind::Direct {
            let program = kind.program().ok_or_else(|| wrong(format!("`{}` is not installed", kind.name())))?;
            subject.address = free_address()?;
            let command = match apart {
                Some(processors) => apart::command(&program, processors),
                None => Command::new(&program),
            };
            let mut command = subject.command(command, &program, mock)?;
            let errors = File::create(subject.folder.path().join("stderr"))?;
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
            subject.child = Some(command.spawn()?);
        }
        Ok(subject)
    }

    /// Waits until `answers` says yes, which it is asked again and again.
    ///
    /// # Errors
    /// When the subject ends or the time is over; the error holds what the subject said.
    pub async fn wait_until(&mut self, mut answers: impl AsyncFnMut(SocketAddr) -> io::Result<()>) -> io::Result<()> {
        let began = Instant::now();
        loop {
            let Err(error) = answers(self.address).await else { break };
            let ended = match &mut self.child {
                Some(child) => child.try_wait()?.is_some(),
                None => false,
            };
            if ended || began.elapsed() > PATIENCE {
                let said = fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default();
                return Err(wrong(format!("{} gives no answer: {error}\n{said}", self.kind.name())));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.started_in = began.elapsed();
        Ok(())
    }

    /// Its processes; none for no proxy at all.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn family(&self) -> io::Result<Option<Family>> {
        self.child.as_ref().map(|child| Family::of(child.id())).transpose()
    }

    /// The key it asks for, if it asks.
    pub fn key(&self) -> io::Result<Option<String>> {
        let path = self.folder.path().join("key");
        if path.is_file() { fs::read_to_string(path).map(|key| Some(key.trim().to_owned())) } else { Ok(None) }
    }

    /// What is left to say to `command`, which starts `program`.
    fn command(&self, mut command: Command, program: &Path, mock: SocketAddr) -> io::Result<Command> {
        let folder = self.folder.path();
        match self.kind {
            Kind::Direct => {}
            Kind::Nginx => {
                fs::write(folder.join("nginx.conf"), nginx(folder, self.address, mock))?;
                command.args(["-e", "stderr", "-c"]).arg(folder.join("nginx.conf")).arg("-p").arg(folder);
            }
            Kind::Haproxy => {
                fs::write(folder.join("haproxy.cfg"), haproxy(self.address, mock))?;
                command.args(["-db", "-f"]).arg(folder.join("haproxy.cfg"));
            }
            Kind::Hyper => {
                fs::write(folder.join("key"), bare::KEY)?;
                command.arg(BARE).args([self.address.to_string(), mock.to_string()]);
            }
            Kind::Tidegate | Kind::Limited | Kind::Guarded | Kind::Restored | Kind::Plugged | Kind::Cached => {
                if self.kind == Kind::Plugged {
                    let built = wasm::probe("request,stream", Path::new(env!("CARGO_TARGET_TMPDIR")));
                    fs::copy(built, folder.join("plugin.wasm"))?;
                }
                let made = Command::new(program)
                    .args(["key", "create", "bench", "--team", "load", "--file", "keys.yaml"])
                    .current_dir(folder)
                    .output()?;
                if !made.status.success() {
                    let said = String::from_utf8_lossy(&made.stderr).into_owned();
                    return Err(wrong(format!("no key could be made: {said}")));
                }
                fs::write(folder.join("key"), made.stdout)?;
                fs::write(folder.join("tidegate.yaml"), tidegate(self.kind, self.address, free_address()?, mock))?;
                command.args(["serve", "-f", "tidegate.yaml"]).current_dir(folder);
            }
        }
        Ok(command)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // A master process that is killed outright leaves its workers behind; asked to end, it ends them.
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        let began = Instant::now();
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success) && began.elapsed() < Duration::from_secs(5) {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It has had its chance.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn nginx(folder: &Path, listen: SocketAddr, mock: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        r"daemon off;
worker_processes 2;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 16m;
    client_body_buffer_size 1m;
    keepalive_requests 1000000000;
    upstream mock {{
        server {mock};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {listen};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"
    )
}

fn haproxy(listen: SocketAddr, mock: SocketAddr) -> String {
    format!(
        r"global
    maxconn 8192
    nbthread 2
defaults
    mode http
    option http-no-delay
    http-reuse always
    timeout connect 5s
    timeout client 600s
    timeout server 600s
frontend clients
    bind {listen}
    default_backend mock
backend mock
    server mock {mock}
"
    )
}

fn tidegate(kind: Kind, listen: SocketAddr, admin: SocketAddr, mock: SocketAddr) -> String {
    let (books, steps) = match kind {
        Kind::Limited => (BOOKS, STEPS),
        Kind::Guarded => ("", GUARD),
        Kind::Restored => ("", RESTORE),
        Kind::Plugged => ("", PLUGIN),
        Kind::Cached => ("", CACHE),
        _ => ("", ""),
    };
    format!(
        r#"version: 1
listen: {listen}
admin: {admin}
callers: {{ keys: keys.yaml }}
providers:
  mock: {{ kind: openai_compatible, url: "http://{mock}/v1", key: "sk-mock", price: {{ in: 2, out: 8 }} }}
{books}policies:
  - policy: default
{steps}    route: mock
"#
    )
}

const BOOKS: &str = "state: { dir: state }
budgets:
  team: { per: team, usd: 1000000, window: month, warn_at: 80%, mode: balanced }
  key: { per: key, usd: 1000000, window: day, mode: balanced }
";
const GUARD: &str = "    steps: [{ redact: { find: [default] } }]
";
const RESTORE: &str = "    steps: [{ redact: { find: [default], where: [request], restore: true } }]
";
const PLUGIN: &str = "    steps: [{ plugin: { wasm: plugin.wasm, grants: [request.text, answer.text] } }]
";
const CACHE: &str = "    steps: [{ cache: { keep: 1h } }]
";
const STEPS: &str = "    steps:
    - limit: { per: key, requests: 100000000/min, tokens: 100000000000/min, concurrent: 10000 }
    - budget: [team, key]
";

/// An address nobody listens at. Somebody might take it before we do; that is an error then, not a danger.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
