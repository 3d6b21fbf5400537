//! What a step is, and how a request runs through steps, route and attempts.

pub mod facts;
