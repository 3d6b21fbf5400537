//! Who calls: virtual keys, signed tokens, client certificates.

mod caller;

pub use caller::Caller;
