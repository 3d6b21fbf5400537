//! The policy compiler: files into a configuration that is known to be sound.

pub mod codes;
mod condition;
mod decode;
mod document;
mod problem;
mod reference;
mod source;
mod tree;
mod units;
