//! Who is calling, as far as it has been verified.

use std::sync::Arc;

use globset::GlobSet;

use crate::base::ids::KeyName;

/// A verified caller. Everything here came from a key file, a signed token or a certificate, except
/// `user` and `session`, which the gateway file may let the caller state.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The virtual key's name, if the caller showed one.
    pub key: Option<KeyName>,
    pub team: Option<Arc<str>>,
    pub user: Option<Arc<str>>,
    pub session: Option<Arc<str>>,
    pub tags: Arc<[Arc<str>]>,
    /// The models this caller may name; `None` for all that the policies allow.
    pub models: Option<Arc<GlobSet>>,
    /// The verified claims of a token, for conditions.
    pub claims: Option<Arc<serde_json::Map<String, serde_json::Value>>>,
}

impl Caller {
    /// The caller of a gateway that asks nobody who they are.
    pub fn anonymous() -> Self {
        Self::default()
    }

    pub fn may_name(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.is_match(model))
    }
}
