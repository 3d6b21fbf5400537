//! Who is given an answer that was made for somebody else.

use smallvec::{SmallVec, smallvec};

use crate::auth::Caller;
use crate::base::ids::{KeyName, PolicyName};
use crate::state::answers::Scope;

/// Those who share answers, all within one policy. Never wider than a key unless the policy says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SharedBy {
    /// The callers with one key; the user of one team, where callers show tokens. Callers of whom nothing is known, which
    /// there are only where anybody may call, are one.
    #[default]
    Key,
    /// One user of one team.
    User,
    Team,
    /// All callers of the policy.
    Policy,
}

impl SharedBy {
    /// With whom a caller shares. `None` if it is not known who that is: such a caller shares with nobody.
    pub fn scope(self, policy: &PolicyName, caller: &Caller) -> Option<Scope> {
        let (key, team, user) =
            (caller.key.as_ref().map(KeyName::as_str), caller.team.as_deref(), caller.user.as_deref());
        let names: SmallVec<[Option<&str>; 3]> = match self {
            Self::Key if key.is_some() => smallvec![key],
            // A token tells its bearer from others by the user, or not at all.
            Self::Key if user.is_none() && (team.is_some() || caller.claims.is_some()) => return None,
            Self::Key => smallvec![None, team, user],
            Self::User if user.is_none() => return None,
            Self::User => smallvec![team, user],
            Self::Team if team.is_none() => return None,
            Self::Team => smallvec![team],
            Self::Policy => smallvec![],
        };
        Some(Scope::new(policy, self.name(), &names))
    }

    /// Whether more than one user may be given the same answer on purpose.
    pub fn is_for_many(self) -> bool {
        matches!(self, Self::Team | Self::Policy)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
            Self::Team => "team",
            Self::Policy => "policy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(key: Option<&str>, team: Option<&str>, user: Option<&str>) -> Caller {
        Caller {
            key: key.map(KeyName::new),
            team: team.map(Into::into),
            user: user.map(Into::into),
            ..Caller::default()
        }
    }

    fn scope(shared_by: SharedBy, caller: &Caller) -> Option<Scope> {
        shared_by.scope(&PolicyName::new("p"), caller)
    }

    #[test]
    fn by_default_no_two_keys_share() {
        let of = |key| scope(SharedBy::default(), &caller(Some(key), Some("t"), Some("u"))).unwrap();
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn users_of_tokens_without_a_key_do_not_share_either() {
        let of = |team, user| scope(SharedBy::Key, &caller(None, team, user));
        assert_ne!(of(Some("t"), Some("a")), of(Some("t"), Some("b")));
        assert_ne!(of(Some("s"), Some("a")), of(Some("t"), Some("a")));
        assert_eq!(of(Some("t"), None), None);
        let claims = Some(std::sync::Arc::default());
        assert_eq!(scope(SharedBy::Key, &Caller { claims, ..Caller::default() }), None);
    }

    #[test]
    fn who_is_not_known_as_what_answers_are_shared_by_shares_with_nobody() {
        let nobody = Caller::anonymous();
        assert_eq!((scope(SharedBy::User, &nobody), scope(SharedBy::Team, &nobody)), (None, None));
        assert!(scope(SharedBy::Key, &nobody).is_some(), "anybody may call, and anybody is one");
    }

    #[test]
    fn users_of_the_same_name_in_two_teams_are_two() {
        let of = |team| scope(SharedBy::User, &caller(Some("k"), Some(team), Some("u"))).unwrap();
        assert_ne!(of("a"), of("b"));
    }
}
