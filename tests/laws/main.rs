//! The laws of the wire, over every dialect and every fixture, through the public interface.
//!
//! What is particular to one dialect is tested beside it; here is what must hold of all of them, and of each
//! pair. A dialect that is added to `dialect::ALL` with a folder of fixtures is tested without a change here.

mod cuts;
mod losses;
mod pairs;
mod round_trip;
mod skim;
mod tell;
mod verbatim;

use std::fs;

use bytestring::ByteString;
use serde_json::Value;
use tidegate::chat::{Completion, Losses, Request, Verbatim};
use tidegate::dialect::{ALL, Dialect, Quirks};

/// A target that takes everything as it is and must be asked for nothing.
const EASY: Quirks = Quirks {
    max_completion_tokens: true,
    stream_options: false,
    developer_role: true,
    json_schema: true,
    default_max_tokens: 4096,
};

struct Fixture {
    dialect: &'static dyn Dialect,
    /// The folder and the file.
    name: String,
    body: ByteString,
}

/// The fixtures of every dialect whose names begin with `kind`.
fn fixtures(kind: &str) -> Vec<Fixture> {
    let mut found = Vec::new();
    for dialect in ALL {
        let folder = format!("{}/tests/fixtures/{}", env!("CARGO_MANIFEST_DIR"), dialect.id());
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for file in names.filter(|name| name.starts_with(kind)) {
            let body = ByteString::from(fs::read_to_string(format!("{folder}/{file}")).unwrap());
            found.push(Fixture { dialect, name: format!("{}/{file}", dialect.id()), body });
        }
        assert!(found.iter().any(|fixture| fixture.dialect.id() == dialect.id()), "no {kind} in {folder}");
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Fixture {
    fn request(&self) -> Verbatim<Request> {
        let read = self.dialect.read_request(&self.body).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name));
        Verbatim::read(read, self.dialect.id(), self.body.as_bytes().clone(), Some(0))
    }

    fn answer(&self) -> Verbatim<Completion> {
        let read = self.dialect.read_completion(&self.body).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name));
        Verbatim::read(read, self.dialect.id(), self.body.as_bytes().clone(), Some(0))
    }

    fn others(&self) -> impl Iterator<Item = &'static dyn Dialect> {
        let own = self.dialect.id();
        ALL.into_iter().filter(move |dialect| dialect.id() != own)
    }
}

fn json(bytes: impl AsRef<[u8]>) -> Value {
    let bytes = bytes.as_ref();
    serde_json::from_slice(bytes).unwrap_or_else(|wrong| panic!("{wrong}: {}", String::from_utf8_lossy(bytes)))
}

fn text(bytes: Vec<u8>) -> ByteString {
    String::from_utf8(bytes).unwrap().into()
}

fn shown(losses: &Losses) -> Vec<String> {
    losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead)).collect()
}
