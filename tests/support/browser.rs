//! A real browser, told what to do as its own tools tell it: JSON over a pipe (the Chrome DevTools Protocol).

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a browser may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One page of a browser. Dropping it ends the browser.
pub struct Browser {
    child: Child,
    commands: File,
    /// What it says, as it says it.
    answers: Receiver<Vec<u8>>,
    session: Value,
    count: u64,
    /// What the page complained about.
    pub complaints: Vec<String>,
    _folder: TempDir,
}

impl Browser {
    /// `None` where there is no `chromium`.
    pub fn start() -> Option<Self> {
        Command::new("chromium").arg("--version").output().ok()?;
        let folder = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        };
        let (commands, answers) = (pipe("commands"), pipe("answers"));
        // It listens at one number and speaks at another, which a shell can give it.
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(r#"exec chromium "$@" 3<"$0/commands" 4>"$0/answers""#).arg(folder.path());
        shell.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]);
        shell.args(["--remote-debugging-pipe", "--window-size=1400,1000"]);
        shell.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
        let child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let open = |path: &Path, is_ours: bool| OpenOptions::new().write(is_ours).read(!is_ours).open(path).unwrap();
        let (commands, answers) = (open(&commands, true), said(open(&answers, false)));
        let (count, complaints) = (0, Vec::new());
        let mut browser = Self { child, commands, answers, session: Value::Null, count, complaints, _folder: folder };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let session = browser.ask("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = session["sessionId"].clone();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.ask(domain, json!({}));
        }
        Some(browser)
    }

    pub fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({ "url": url }));
    }

    /// What an expression of JavaScript comes to.
    pub fn see(&mut self, expression: &str) -> Value {
        let words = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let seen = self.ask("Runtime.evaluate", words);
        assert!(seen["exceptionDetails"].is_null(), "{expression}: {seen}");
        seen["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.see(expression) != true {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not come to `{expression}`");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses a key and lets it go.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            other => panic!("no key `{other}` is known here"),
        };
        let name = if key == " " { "Space" } else { key };
        let about = |kind: &str, text: &str| json!({ "type": kind, "key": key, "code": name, "windowsVirtualKeyCode": code, "text": text });
        self.ask("Input.dispatchKeyEvent", about("keyDown", text));
        self.ask("Input.dispatchKeyEvent", about("keyUp", ""));
    }

    /// Has the page take the reader's wish for this scheme of colours, `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let wish = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", wish);
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let mut command = json!({ "id": self.count, "method": method, "params": params });
        if !self.session.is_null() {
            command["sessionId"] = self.session.clone();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|error| panic!("the browser does not answer `{method}`: {error}"));
            let said: Value = serde_json::from_slice(&answer).unwrap();
            match said["method"].as_str() {
                Some("Runtime.exceptionThrown" | "Log.entryAdded") => self.complaints.push(said["params"].to_string()),
                Some("Runtime.consoleAPICalled") => self.complaints.push(said["params"]["args"].to_string()),
                _ => {}
            }
            if said["id"] == self.count {
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].clone();
            }
        }
    }
}

/// Each piece of what is said here, read beside those who wait for it: a browser may hang.
fn said(answers: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let pieces = BufReader::new(answers).split(0);
        pieces.map_while(Result::ok).try_for_each(|piece| sender.send(piece))
    });
    receiver
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
