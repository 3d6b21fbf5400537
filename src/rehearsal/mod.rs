//! Rehearsing policies: their tests, run through the real pipeline with played providers and a clock that jumps.
//!
//! A test sends a request over an in-memory connection to the real server, whose providers are played from a
//! script, byte by byte, and says what it expects: of the answer, of what each provider received, of what was
//! decided. Time is virtual, so a minute of silence takes no time; nothing leaves the process.
//!
//! A suite is read as strictly as a policy, and what is wrong with it is shown the same way.

mod answer;
mod coverage;
pub mod day;
mod document;
mod expect;
mod failure;
pub mod golden;
mod guard;
mod house;
mod mistakes;
mod mutants;
mod play;
mod question;
mod reply;
mod run;
mod story;
mod suite;

pub use coverage::{Coverage, Kind};
pub use failure::{Failure, Line, Relation, Side};
pub use mutants::{Fate, Mutants, Trial};
pub use question::{Explanation, explain};
pub use run::{Order, Run};
pub use suite::{Outcome, Suite, Unusable};

/// The JSON Schema of test files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(document::SuiteDoc).to_value()
}
