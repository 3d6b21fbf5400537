//! Traces and metrics for collectors, over OTLP.
//!
//! Whoever ends a request hands over what is to be told of it ([`Traces::hand_over`]), which costs a move and a push.
//! A task makes a [`Story`] of it, and each [exporter](exporter) that wants it makes [spans](tree) of the story in the
//! dialects of its own backend. Every queue between them is bounded and lets go of the oldest first, counted: a slow,
//! dead or lying collector changes neither the latency of requests nor the memory of the process.
//!
//! Metrics are read at an interval, for each collector that [wants them](meters), off the path of requests. What a
//! collector does not take is not kept: the next reading has it all.
//!
//! The names of attributes are in one table, [`names`]. Collectors are reached by whatever the gateway is given as a
//! [`Carrier`]; only those that speak gRPC are reached by its own client.

mod attributes;
mod dialects;
mod exporter;
mod genai;
mod langfuse;
mod meters;
mod names;
mod openinference;
mod patience;
mod queue;
mod resource;
mod sampling;
mod settings;
mod story;
mod texts;
mod traces;
mod tree;

pub use meters::{Meter, Meters};
pub use patience::Carrier;
pub use sampling::Sampling;
pub use settings::{Collector, Dialect, Exporter, MetricExporter, Protocol};
pub use story::{Asked, Attempt, Bill, Link, Part, PassedOver, StepTaken, Story};
pub use texts::{Content, Room, Texts};
pub use traces::Traces;
