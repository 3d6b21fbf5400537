//! What tells embedders apart.
//!
//! Vectors and trust outlast the process, and the policy file may have changed meanwhile: a target of the same name may be
//! another model by then, or somewhere else. So both are known by a hash of all that decides where a text lies, and not by
//! the name.

use sha2::{Digest as _, Sha256};

use crate::base::ids::ModelName;
use crate::embedding::Pin;
use crate::pipeline::target::Target;
use crate::provider::Address;
use crate::state::answers::EmbedderHash;

/// Of a model that a provider has.
pub fn of_provider(target: &Target, model: &ModelName) -> EmbedderHash {
    at(target.provider.address(), target.dialect.id().0, model)
}

fn at(address: &Address, dialect: &str, model: &ModelName) -> EmbedderHash {
    let place = address.at(PATH).unwrap_or_else(|_| address.root().clone()).to_string();
    hash(&["provider", dialect, &place, model.as_str()])
}

/// Of a model in this process.
pub fn of_local(pin: Pin) -> EmbedderHash {
    hash(&["local", &pin.to_string()])
}

fn hash(parts: &[&str]) -> EmbedderHash {
    let mut hash = Sha256::new();
    // How they fared by other rules, lists of words and weights says nothing of these.
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(include_bytes!("score.tsv"));
    hash.update(RULES.to_be_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Where embeddings are asked for, below the address of a provider.
const PATH: &str = "/embeddings";
/// Another one whenever questions are told apart in another way within a version.
const RULES: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parts_run_into_one() {
        assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
        assert_ne!(hash(&["ab", ""]), hash(&["a", "b"]));
        assert_ne!(hash(&["a"]), hash(&["a", ""]));
    }

    #[test]
    fn a_model_of_the_same_name_elsewhere_is_another() {
        let at = |url: &str, model: &str| at(&Address::parse(url).unwrap(), "openai", &ModelName::new(model));
        let here = at("https://a.example/v1", "small");
        assert_eq!(here, at("https://a.example/v1", "small"));
        for other in
            ["https://b.example/v1", "https://a.example/v2", "http://a.example/v1", "https://a.example:8443/v1"]
        {
            assert_ne!(here, at(other, "small"), "{other}");
        }
        assert_ne!(here, at("https://a.example/v1", "large"));
    }
}
