//! `tidegate cache forget`: answers that are not to be given again.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::door::{self, Door};
use crate::state::Answers as _;
use crate::state::answers::Whose;
use crate::steps::cache::whose;

/// Forget the answers that are kept for a policy, or for some of its callers
///
/// A running gateway is asked on its own machine. What it is asking meanwhile is not kept; what others are that share its store may be.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    door: Door,
    /// Whose: `everyone` for what policies share, or `policy=NAME`, and then `,key=NAME`, `,team=NAME` or `,team=NAME,user=NAME` as answers are shared
    #[arg(long)]
    scope: String,
}

impl Args {
    pub fn perform(&self) -> Result<(), String> {
        let whose: Whose = whose(&self.scope)?;
        let forgotten = match self.door.folder() {
            Some(folder) => door::open(folder, async |answers| answers.forget(&whose).await)?,
            None => {
                let path = format!("/cache?scope={}", utf8_percent_encode(&self.scope, NON_ALPHANUMERIC));
                self.door.ask("DELETE", &path)?.get("forgotten").and_then(Value::as_u64).unwrap_or_default()
            }
        };
        println!("{forgotten} answers forgotten");
        Ok(())
    }
}
