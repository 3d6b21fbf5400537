//! Who calls: virtual keys, signed tokens, client certificates.
//!
//! [`Authenticator`] turns what a request shows ([`Presented`]) into a [`Caller`] or a refusal, from its
//! headers alone: a stranger costs no body. It is built from an [`AuthSpec`], which is plain data.
//!
//! What is *verified* (key, token, certificate) always wins over what is merely *stated* (a header or a
//! field of the body that names the user). No credential is kept, logged or repeated in a message.
//!
//! Nothing here opens a socket: an issuer's keys are fetched through [`FetchJwks`].

mod authenticator;
mod caller;
mod certificate;
mod claims;
mod credential;
mod issuer_keys;
mod jwks;
mod jwt;
mod key;
pub mod key_edit;
mod key_file;
mod keys;
mod models;
mod rejected;
mod stated;
#[cfg(test)]
mod testing;

pub use authenticator::{Anonymous, AuthSpec, Authenticator};
pub use caller::Caller;
pub use certificate::MtlsSpec;
pub use claims::{ClaimMap, ClaimPath};
pub use credential::Presented;
pub use issuer_keys::FetchJwks;
pub use jwt::{JwksSource, JwtSpec};
pub use key::{KeyHash, VirtualKey};
pub use key_file::{KeyEntry, KeyFile, KeyProblem};
pub use stated::Source;
