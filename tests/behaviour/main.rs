//! What the gateway does, seen from outside: real sockets on both sides, providers scripted to the byte.

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod callers;
mod charges;
mod collectors;
mod content;
mod costs;
mod crowds;
mod decisions;
mod fallback;
mod forgotten;
mod grpc;
mod guards;
mod isolation;
mod keeping;
mod leaders;
mod metrics;
mod near;
mod observed;
mod otlp;
mod page;
mod policy;
mod prefixes;
mod providers;
mod reload;
mod screens;
mod server;
mod sharers;
mod similar;
mod streams;
mod tokens;
mod trace;
mod unread;
