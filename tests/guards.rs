//! Detection and redaction, held to their laws and to numbers.
//!
//! `cargo test --test guards quality -- --ignored --nocapture` prints the numbers: recall and precision by kind, and alarms
//! per MB of clean text.

#[path = "guards/corpus.rs"]
mod corpus;
#[path = "guards/hostile.rs"]
mod hostile;
#[path = "guards/injections.rs"]
mod injections;
#[path = "guards/laws.rs"]
mod laws;
#[path = "guards/minimal.rs"]
mod minimal;
#[path = "guards/oracle.rs"]
mod oracle;
#[path = "guards/quality.rs"]
mod quality;
#[path = "guards/values.rs"]
mod values;
#[path = "guards/vectors.rs"]
mod vectors;
