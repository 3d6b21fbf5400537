//! What tells embedders apart.
//!
//! Vectors and trust outlast the process, and the policy file may have changed meanwhile: a target of the same name may be
//! another model by then, or somewhere else. So both are known by a hash of all that decides where a text lies, and not by
//! the name.

use sha2::{Digest as _, Sha256};

use crate::base::ids::ModelName;
use crate::embedding::Pin;
use crate::pipeline::target::Target;
use crate::state::answers::EmbedderHash;

/// Of a model that a provider has.
pub fn of_provider(target: &Target, model: &ModelName) -> EmbedderHash {
    let address = target.provider.address();
    let place = address.at("").map(|url| url.to_string()).unwrap_or_default();
    hash(&["provider", target.dialect.id().0, &place, model.as_str()])
}

/// Of a model in this process.
pub fn of_local(pin: Pin) -> EmbedderHash {
    hash(&["local", &pin.to_string()])
}

fn hash(parts: &[&str]) -> EmbedderHash {
    let mut hash = Sha256::new();
    hash.update(RULES.to_be_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Another one whenever questions are told apart in another way: how they fared before says nothing of that.
const RULES: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parts_run_into_one() {
        assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
        assert_ne!(hash(&["ab", ""]), hash(&["a", "b"]));
        assert_ne!(hash(&["a"]), hash(&["a", ""]));
    }
}
