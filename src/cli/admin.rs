//! Asking a running gateway by its admin port.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody is there.
    Nobody(io::Error),
    /// What somebody says who does not do it.
    Refused(String),
    /// It is something else than a gateway.
    NoGateway,
}

/// Asks the gateway whose admin port this is.
///
/// # Errors
/// When none answers, or what it says is no success.
pub fn ask(admin: SocketAddr, method: &str, path: &str) -> Result<Value, Unanswered> {
    let answer = say(admin, method, path).map_err(Unanswered::Nobody)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(Unanswered::NoGateway)?;
    match head.split(' ').nth(1) {
        Some("200") => serde_json::from_str(body).map_err(|_| Unanswered::NoGateway),
        _ => Err(Unanswered::Refused(body.trim_end().to_owned())),
    }
}

fn say(admin: SocketAddr, method: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const PATIENCE: Duration = Duration::from_secs(10);
