//! What the host says no to, told so that the operator knows what to do.

use crate::{Failure, blobs, http, kv, model, secrets};

fn ungranted(grant: &str) -> Failure {
    Failure::Config(format!("the policy does not grant `{grant}` to this plugin"))
}

impl From<kv::Error> for Failure {
    fn from(error: kv::Error) -> Self {
        match error {
            kv::Error::Denied => ungranted("kv"),
            kv::Error::TooLarge => Self::Internal("a key or value is too large for `kv`".into()),
            kv::Error::Quota => Self::Transient("this plugin has as many keys in `kv` as the policy allows".into()),
            kv::Error::Unavailable(reason) => Self::Transient(format!("`kv` is not available: {reason}")),
        }
    }
}

impl From<secrets::Error> for Failure {
    fn from(error: secrets::Error) -> Self {
        match error {
            secrets::Error::Denied => ungranted("secrets"),
            secrets::Error::Missing => Self::Config("a secret that is granted has no value".into()),
        }
    }
}

impl From<blobs::Error> for Failure {
    fn from(error: blobs::Error) -> Self {
        match error {
            blobs::Error::Denied => ungranted("request.text"),
            blobs::Error::Gone => Self::Internal("a blob was read after the hook it was given to".into()),
            blobs::Error::TooLarge => Self::Internal("more of a blob was asked for than is given at a time".into()),
        }
    }
}

impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Denied(reason) => Self::Config(format!("the policy does not grant this request: {reason}")),
            http::Error::Timeout => Self::Transient("a server took too long to answer".into()),
            http::Error::TooLarge => Self::Transient("a server's answer is too large".into()),
            http::Error::Failed(reason) => Self::Transient(format!("a server could not be asked: {reason}")),
        }
    }
}

impl From<model::Error> for Failure {
    fn from(error: model::Error) -> Self {
        match error {
            model::Error::Denied(reason) => Self::Config(format!("the policy does not grant this model: {reason}")),
            model::Error::Budget => Self::Transient("this plugin's budget for models is used up".into()),
            model::Error::Timeout => Self::Transient("a model took too long to answer".into()),
            model::Error::Failed(reason) => Self::Transient(format!("a model could not be asked: {reason}")),
        }
    }
}
