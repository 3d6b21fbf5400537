//! What has become of one request, out of the decision log.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use super::Form;
use super::waterfall;
use crate::cli::admin::{self, Unanswered};
use crate::telemetry::decisions;

/// Where decisions are recorded
#[derive(Debug, Default, clap::Args)]
pub struct Place {
    /// The admin address of the gateway that has decided [default: 127.0.0.1:4001]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The folder of its decisions, as in `telemetry: { decisions: { dir: … } }`
    #[arg(long, value_name = "FOLDER", conflicts_with = "admin")]
    decisions: Option<PathBuf>,
}

/// Tells the decision about the request with this id.
pub fn explain(id: &str, place: &Place, form: Form) -> io::Result<ExitCode> {
    match place.look_up(id) {
        Ok(record) => {
            let mut out = io::stdout().lock();
            match form {
                Form::Json => writeln!(out, "{record:#}")?,
                Form::Lines => waterfall::lines(&record).iter().try_for_each(|line| writeln!(out, "{line}"))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(message) => writeln!(io::stderr().lock(), "error: {message}").map(|()| ExitCode::from(2)),
    }
}

impl Place {
    fn look_up(&self, id: &str) -> Result<Value, String> {
        let Some(folder) = &self.decisions else { return self.ask(id) };
        let id = id.parse()?;
        let found = decisions::find(folder, id).map_err(|error| format!("{}: {error}", folder.display()))?;
        let record = found.ok_or_else(|| format!("{} has no decision about `{id}`", folder.display()))?;
        serde_json::from_str(&record).map_err(|error| error.to_string())
    }

    fn ask(&self, id: &str) -> Result<Value, String> {
        let place = self.admin.unwrap_or(USUAL);
        admin::ask(place, "GET", &format!("/decisions/{id}")).map_err(|unanswered| match unanswered {
            Unanswered::Nobody(error) => format!(
                "no gateway answers at {place}: {error}; say where with `--admin`, or name the folder with `--decisions`"
            ),
            Unanswered::Refused(why) => why,
            Unanswered::NoGateway => format!("{place} is no gateway"),
        })
    }
}

const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4001);
