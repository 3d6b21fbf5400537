//! The program itself: how it starts, what it exits with, how it takes signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const GOOD: &str = "version: 1\ncallers: { anonymous: true }\nproviders: { sim: { kind: simulator } }\npolicies: [{ policy: first, route: sim }]\n";

struct Folder(TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidegate.yaml"), text).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("tidegate.yaml")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(words).current_dir(self.0.path()).env_remove("TIDEGATE_LOG").stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }
}

/// A gateway that is up.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: String,
    admin: String,
}

impl Running {
    fn start(folder: &Folder) -> Self {
        let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let ready = wait_for(&mut log, "ready");
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { child, log, address: field("listen"), admin: field("admin") }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    fn exit_code(mut self) -> Option<i32> {
        // The pipe must not fill while we wait.
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

/// The first line of the log with this message.
fn wait_for(log: &mut impl BufRead, message: &str) -> serde_json::Value {
    let mut seen = String::new();
    for line in log.lines() {
        let line = line.unwrap();
        if let Ok(event) = serde_json::from_str::<serde_json::Value>(&line)
            && event["message"].as_str().is_some_and(|found| found.starts_with(message))
        {
            return event;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    panic!("the log ended without `{message}`:\n{seen}");
}

fn get(address: &str, path: &str) -> String {
    get_with(address, path, "x-nothing: 1")
}

fn get_with(address: &str, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_until_sigterm_and_exits_in_good_order() {
    let folder = Folder::with(GOOD);
    let running = Running::start(&folder);
    assert!(get(&running.admin, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(&running.address, "/v1/models").starts_with("HTTP/1.1 200"));
    running.signal("TERM");
    assert_eq!(running.exit_code(), Some(0));
}

#[test]
fn sighup_loads_the_files_again() {
    let folder = Folder::with(GOOD);
    let mut running = Running::start(&folder);
    std::fs::write(folder.file(), GOOD.replace("first", "second")).unwrap();
    running.signal("HUP");
    wait_for(&mut running.log, "the files were loaded");
    assert!(get(&running.admin, "/policies").contains(r#""policy":"second""#));
    std::fs::write(folder.file(), GOOD.replace("route", "rout")).unwrap();
    running.signal("HUP");
    wait_for(&mut running.log, "the files have errors");
    assert!(get(&running.admin, "/policies").contains(r#""policy":"second""#));
    running.signal("INT");
    assert_eq!(running.exit_code(), Some(0));
}

#[test]
fn broken_files_are_explained_and_nothing_starts() {
    let folder = Folder::with(&GOOD.replace("kind: simulator", "kind: simulatr"));
    let output = folder.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("did you mean `simulator`") && said.contains("tidegate.yaml:3:"), "{said}");
    assert_eq!(folder.run(&["check"]).status.code(), Some(1));
}

#[test]
fn a_secret_that_is_not_there_is_named_by_its_variable() {
    let text = GOOD.replace("{ kind: simulator }", "{ kind: openai, key: \"${env:TIDEGATE_TEST_UNSET}\" }");
    let folder = Folder::with(&text);
    let output = folder.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("TIDEGATE_TEST_UNSET") && said.contains("tidegate.yaml:3:"), "{said}");
    assert_eq!(folder.run(&["check"]).status.code(), Some(0), "check needs no secrets");
}

#[test]
fn a_taken_port_is_told_by_the_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::with(GOOD);
    let output = folder.run(&["serve", "--listen", &taken.local_addr().unwrap().to_string(), "--admin", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot listen on"));
}

#[test]
fn a_missing_file_is_an_error_with_its_name() {
    let folder = Folder::with(GOOD);
    let output = folder.run(&["serve", "-f", "nowhere.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.yaml"));
    assert_eq!(folder.run(&["check", "-f", "nowhere.yaml"]).status.code(), Some(2));
    assert_eq!(folder.run(&["serve", "--no-such-flag"]).status.code(), Some(2));
}

#[test]
fn a_key_made_on_the_command_line_opens_the_gateway() {
    let folder = Folder::with(&GOOD.replace("{ anonymous: true }", "{ keys: keys.yaml }"));
    let made = folder.run(&["key", "create", "app", "--team", "search", "--file", "keys.yaml"]);
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(key.starts_with("tg-"));
    assert!(
        !std::fs::read_to_string(folder.0.path().join("keys.yaml")).unwrap().contains(&key),
        "the key itself is stored"
    );
    let running = Running::start(&folder);
    assert!(get(&running.address, "/v1/models").starts_with("HTTP/1.1 401"));
    assert!(get_with(&running.address, "/v1/models", &format!("x-api-key: {key}")).starts_with("HTTP/1.1 200"));
    let listed = String::from_utf8(folder.run(&["key", "list", "--file", "keys.yaml"]).stdout).unwrap();
    assert!(listed.contains("app") && listed.contains("search") && !listed.contains(&key), "{listed}");
    assert!(folder.run(&["key", "revoke", "app", "--file", "keys.yaml"]).status.success());
    running.signal("TERM");
    assert_eq!(running.exit_code(), Some(0));
}

#[test]
fn schema_and_explain_print_what_editors_and_people_need() {
    let folder = Folder::with(GOOD);
    let schema: serde_json::Value = serde_json::from_slice(&folder.run(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["policies"].is_object(), "{schema}");
    let page = String::from_utf8(folder.run(&["explain", "TG0101"]).stdout).unwrap();
    assert!(page.contains("TG0101"), "{page}");
    assert_ne!(folder.run(&["explain", "TG9999"]).status.code(), Some(0));
}

/// A gateway that takes addresses out of answers, in conversations.
const TALKING: &str = "version: 1
callers: { anonymous: true, session: [header x-session-id] }
providers: { sim: { kind: simulator, simulate: { say: \"ask jo@example.org\" } } }
policies: [{ policy: p, steps: [{ redact: { find: [email], session: session } }], route: sim/chat }]
";

/// The placeholder that a fresh process gives to the address in a session.
fn placeholder(folder: &Folder, session: &str) -> String {
    let running = Running::start(folder);
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;
    let mut stream = TcpStream::connect(&running.address).unwrap();
    let head = format!("host: x\r\nx-session-id: {session}\r\ncontent-type: application/json\r\nconnection: close");
    write!(stream, "POST /v1/chat/completions HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    running.signal("TERM");
    assert_eq!(running.exit_code(), Some(0));
    let at = answer.find("<EMAIL_1_").unwrap_or_else(|| panic!("{answer}"));
    answer[at..].split_inclusive('>').next().unwrap().to_owned()
}

#[test]
fn a_placeholder_outlasts_its_process_where_the_state_has_a_folder() {
    let folder = Folder::with(&format!("{TALKING}state: {{ dir: state }}\n"));
    let first = placeholder(&folder, "s1");
    assert_eq!(placeholder(&folder, "s1"), first);
    assert_ne!(placeholder(&folder, "s2"), first);
    let elsewhere = Folder::with(&format!("{TALKING}state: {{ dir: state }}\n"));
    assert_ne!(placeholder(&elsewhere, "s1"), first);
}

#[test]
fn gateways_that_are_given_the_same_key_have_the_same_placeholders() {
    let with = |key: &str| Folder::with(&format!("{TALKING}state: {{ placeholder_key: \"{key}\" }}\n"));
    let first = placeholder(&with("00112233445566778899aabbccddeeff"), "s1");
    assert_eq!(placeholder(&with("00112233445566778899aabbccddeeff"), "s1"), first);
    assert_ne!(placeholder(&with("ffeeddccbbaa99887766554433221100"), "s1"), first);
}

#[test]
fn a_key_that_is_too_short_to_be_one_is_refused() {
    let folder = Folder::with(&format!("{TALKING}state: {{ placeholder_key: \"${{env:KEY}}\" }}\n"));
    let output = folder.command(&["serve"]).env("KEY", "changeme").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("tidegate.yaml:5:") && said.contains("guessed too easily"), "{said}");
    assert!(!said.contains("changeme"), "{said}");
}
