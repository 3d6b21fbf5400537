//! Tidegate: a policy-driven gateway for large-language-model traffic.

pub mod auth;
pub mod base;
pub mod chat;
pub mod cli;
pub mod dialect;
pub mod gateway;
pub mod pipeline;
pub mod policy;
pub mod provider;
pub mod server;
pub mod state;
pub mod steps;
pub mod telemetry;
