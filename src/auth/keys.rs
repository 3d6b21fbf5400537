//! The virtual keys in force: from a presented key to its caller.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::caller::Caller;
use super::key::KeyHash;
use super::key_file::{KeyEntry, KeyFile};
use super::models;
use super::rejected::Rejected;

/// Callers by the hash of their key. Nobody can choose hashes that collide here, so a fast table will do.
pub(super) struct Keys(HashMap<KeyHash, Held, RandomState>);

struct Held {
    hash: KeyHash,
    caller: Caller,
    expires: Option<Timestamp>,
    revoked: bool,
}

impl Keys {
    pub(super) fn new(file: &KeyFile) -> Result<Self, String> {
        let keys = file.keys.iter().map(|entry| Ok((entry.hash, Held::new(entry)?)));
        keys.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn teams(&self) -> impl Iterator<Item = Arc<str>> {
        self.0.values().filter_map(|held| held.caller.team.clone())
    }

    /// Neither waits nor allocates; a caller's parts are shared.
    pub(super) fn look_up(&self, key: &str, now: Timestamp) -> Result<Caller, Rejected> {
        let hash = KeyHash::of(key);
        // How long the table takes depends on bits of the *hash*, which nobody can steer without already
        // knowing a key, so the look-up itself may be an ordinary one. The comparison that decides is in
        // constant time all the same: then no later change of the table can turn it into an oracle.
        let held = self.0.get(&hash).filter(|held| held.hash.same(&hash)).ok_or(Rejected::Unknown)?;
        if held.revoked {
            return Err(Rejected::because("this key was revoked"));
        }
        if let Some(expired) = held.expires.filter(|expires| *expires <= now) {
            return Err(Rejected::because(format!("this key expired at {expired}")));
        }
        Ok(held.caller.clone())
    }
}

impl Held {
    fn new(entry: &KeyEntry) -> Result<Self, String> {
        if let Some((map, claims)) = &entry.claims {
            let caller = map.caller(claims.clone());
            return Ok(Self { hash: entry.hash, caller, expires: entry.expires, revoked: entry.revoked });
        }
        let models = match &*entry.models {
            [] => None,
            patterns => {
                let globs: Result<Vec<_>, _> = patterns.iter().map(|pattern| models::glob(pattern)).collect();
                Some(models::set(globs?)?)
            }
        };
        let caller = Caller {
            key: Some(entry.name.clone()),
            team: entry.team.clone(),
            user: entry.user.clone(),
            session: None,
            tags: entry.tags.clone(),
            models,
            claims: None,
        };
        Ok(Self { hash: entry.hash, caller, expires: entry.expires, revoked: entry.revoked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(more: &str) -> Keys {
        let hash = KeyHash::of("tg-secret");
        let text = format!("version: 1\nkeys:\n  k1:\n    hash: \"{hash}\"\n    team: support\n{more}");
        Keys::new(&KeyFile::parse(&text).unwrap()).unwrap()
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_known_key_is_its_caller() {
        let caller =
            keys("    models: [gpt-4*]\n    tags: [prod]\n").look_up("tg-secret", at("2026-05-01T00:00:00Z")).unwrap();
        assert_eq!(caller.key.as_ref().map(|key| key.as_str()), Some("k1"));
        assert_eq!(caller.team.as_deref(), Some("support"));
        assert_eq!(caller.tags[0].as_ref(), "prod");
        assert!(caller.may_name("gpt-4.1") && !caller.may_name("gpt-5"));
    }

    #[test]
    fn a_key_is_good_until_the_moment_it_expires() {
        let keys = keys("    expires: 2026-06-01T00:00:00Z\n");
        assert!(keys.look_up("tg-secret", at("2026-05-31T23:59:59Z")).is_ok());
        let rejected = keys.look_up("tg-secret", at("2026-06-01T00:00:00Z")).unwrap_err();
        assert_eq!(rejected, Rejected::because("this key expired at 2026-06-01T00:00:00Z"));
    }

    #[test]
    fn a_revoked_key_says_so_to_its_bearer_only() {
        let keys = keys("    revoked: true\n");
        let now = at("2026-05-01T00:00:00Z");
        assert_eq!(keys.look_up("tg-secret", now).unwrap_err(), Rejected::because("this key was revoked"));
        assert_eq!(keys.look_up("tg-secret2", now).unwrap_err(), Rejected::Unknown);
    }
}
