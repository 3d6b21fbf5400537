//! The policy compiler: files into a configuration that is known to be sound.

pub mod codes;
mod decode;
mod document;
mod problem;
mod source;
mod tree;
