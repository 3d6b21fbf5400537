//! Opening the library that plugins come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Parts;
use super::providers::{path, resolve};
use crate::policy::config::{Config, RegistryConfig};
use crate::policy::problem::Problem;
use crate::registry::{Access, Library};

pub fn open(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Library {
    let mut access = BTreeMap::new();
    for (host, registry) in &config.plugins.registries {
        access.insert(host.clone(), open_one(registry, parts, problems));
    }
    let cache = config.plugins.cache.as_ref().and_then(|folder| path(folder, parts, problems));
    Library {
        trusted: config.plugins.trusted_keys.clone(),
        cache: cache.or_else(usual_cache),
        access,
        is_offline: false,
    }
}

fn open_one(registry: &RegistryConfig, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Access {
    Access {
        user: registry
            .user
            .as_ref()
            .and_then(|user| resolve(user, parts, problems))
            .map(|user| user.expose().to_owned()),
        password: registry.password.as_ref().and_then(|password| resolve(password, parts, problems)),
        ca: registry.ca.as_ref().and_then(|ca| path(ca, parts, problems)),
        is_plain: registry.is_plain,
    }
}

/// The same without its secrets, for checking what else is said: what needs a password is taken from the cache, or not had.
pub fn closed(config: &Config) -> Library {
    let access = |registry: &RegistryConfig| Access { is_plain: registry.is_plain, ..Access::default() };
    Library {
        trusted: config.plugins.trusted_keys.clone(),
        cache: usual_cache(),
        is_offline: true,
        access: config.plugins.registries.iter().map(|(host, registry)| (host.clone(), access(registry))).collect(),
    }
}

/// Where programs of this user keep what can be had again.
fn usual_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(folder.join("tidegate").join("registry"))
}
