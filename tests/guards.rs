//! Detection and redaction, held to their laws and to numbers.

#[path = "guards/corpus.rs"]
mod corpus;
#[path = "guards/hostile.rs"]
mod hostile;
#[path = "guards/laws.rs"]
mod laws;
#[path = "guards/oracle.rs"]
mod oracle;
#[path = "guards/quality.rs"]
mod quality;
#[path = "guards/values.rs"]
mod values;
