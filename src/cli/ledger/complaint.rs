//! What is wrong, where, and what to do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use crate::state::Trouble;

/// A fault for the person at the terminal, in the manner of the problems of policy files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub what: String,
    pub place: Option<String>,
    pub help: String,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The ledger can be read up to some place.
    Damaged(Complaint),
    /// The ledger, or another file, cannot be used at all, or the command makes no sense.
    Unusable(Vec<Complaint>),
    /// The results cannot be written.
    Unwritten(io::Error),
}

impl Failure {
    pub fn complaints(&self) -> Vec<Complaint> {
        match self {
            Self::Damaged(complaint) => vec![complaint.clone()],
            Self::Unusable(complaints) => complaints.clone(),
            Self::Unwritten(error) => vec![Complaint {
                what: format!("the results cannot be written: {error}"),
                place: None,
                help: "what was written so far is not complete".to_owned(),
            }],
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Damaged(_) => ExitCode::from(1),
            Self::Unusable(_) | Self::Unwritten(_) => ExitCode::from(2),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let mut complaint = Complaint::from(&trouble);
        match trouble {
            Trouble::Damaged { .. } | Trouble::Missing { .. } => {
                complaint.help.push_str("; `tidegate ledger verify` tells what else is damaged");
                Self::Damaged(complaint)
            }
            _ => Self::Unusable(vec![complaint]),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

impl From<Complaint> for Failure {
    fn from(complaint: Complaint) -> Self {
        Self::Unusable(vec![complaint])
    }
}

impl From<&Trouble> for Complaint {
    fn from(trouble: &Trouble) -> Self {
        let (what, place, help) = match trouble {
            Trouble::Damaged { path, offset, why } => {
                let place = format!("{}, byte {offset}", path.display());
                (why.clone(), place, "restore the file from a copy; nothing was changed")
            }
            Trouble::Missing { path } => {
                let help = "restore it from a copy; the records in it are needed to know what was spent";
                ("a segment of the ledger is missing".to_owned(), path.display().to_string(), help)
            }
            Trouble::Newer { path, found, known } => {
                let what = format!("it was written by a newer version (format {found}, this one knows {known})");
                (what, path.display().to_string(), "read it with the version that wrote it")
            }
            Trouble::Io { path, source } if source.kind() == ErrorKind::NotFound => {
                let help = "`--dir` names the folder that the gateway keeps its state in";
                ("there is no ledger here".to_owned(), path.display().to_string(), help)
            }
            Trouble::Io { path, source } | Trouble::Folder { path, source } => (
                format!("it cannot be read: {source}"),
                path.display().to_string(),
                "this user must be able to read it",
            ),
            Trouble::Locked { path } => {
                ("it is in use".to_owned(), path.display().to_string(), "stop the gateway that uses it first")
            }
        };
        Self { what, place: Some(place), help: help.to_owned() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        if let Some(place) = &self.place {
            writeln!(f, "  --> {place}")?;
        }
        writeln!(f, "   = help: {}", self.help)
    }
}
