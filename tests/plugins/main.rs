//! Plugins on real traffic: real components, built from `probe/`, in a running gateway.

mod answers;
mod attacks;
mod engine;
mod outside;
mod probe;
mod rehearsed;
mod reload;
mod requests;
#[path = "../support/mod.rs"]
mod support;
