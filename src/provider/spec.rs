//! What a policy file says about a provider, as plain data.

use std::path::PathBuf;

use crate::base::ids::ProviderName;
use crate::base::secret::Secret;
use crate::provider::simulator::Script;

/// A provider as it is written.
#[derive(Debug, Clone)]
pub struct Spec {
    pub name: ProviderName,
    /// One of [`kinds`](crate::provider::kinds).
    pub kind: String,
    /// The base URL, instead of the kind's own.
    pub url: Option<String>,
    pub keys: Vec<Secret>,
    pub pick: Pick,
    /// Headers for every request; they win over the kind's and over the caller's.
    pub headers: Vec<(String, Secret)>,
    /// A PEM file of root certificates to trust beside the platform's.
    pub ca: Option<PathBuf>,
    /// Speak HTTP/2 without negotiation, also to an `http://` URL.
    pub http2: bool,
    /// Whether the provider may see the caller's trace context.
    pub propagate: bool,
    /// Play the provider inside the process instead of calling it.
    pub simulate: Option<Script>,
}

/// Which of several keys comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pick {
    #[default]
    RoundRobin,
    LeastBusy,
}
