//! Where plugins come from.

use super::Builder;
use crate::policy::codes;
use crate::policy::config::{PluginsConfig, RegistryConfig};
use crate::policy::document::{PluginsDoc, RegistryDoc};
use crate::policy::problem::Problem;

impl Builder<'_, '_> {
    pub(super) fn plugins(&mut self, document: Option<PluginsDoc>) -> PluginsConfig {
        let Some(document) = document else { return PluginsConfig::default() };
        let mut trusted_keys = Vec::with_capacity(document.trusted_keys.len());
        for key in &document.trusted_keys {
            match key.value.parse() {
                Ok(parsed) => trusted_keys.push(parsed),
                Err(why) => {
                    let problem = Problem::error(codes::WRONG_VALUE, format!("`{}` is no key: {why}", key.value));
                    self.note(problem.at(key.span, "").help("write `ed25519:` and the 32 bytes of the key in base64"));
                }
            }
        }
        let registries = document.registries.0.into_iter();
        PluginsConfig {
            trusted_keys,
            cache: document.cache.map(|folder| self.placed(folder)),
            registries: registries.map(|(host, registry)| (host.value, self.registry(registry))).collect(),
        }
    }

    fn registry(&mut self, document: RegistryDoc) -> RegistryConfig {
        if let Some(password) = &document.password {
            self.literal_secret("a password", password);
        }
        RegistryConfig {
            user: document.user.map(|user| self.placed(user)),
            password: document.password.map(|password| self.placed(password)),
            ca: document.ca.map(|ca| self.placed(ca)),
            is_plain: document.plain_http,
        }
    }
}
