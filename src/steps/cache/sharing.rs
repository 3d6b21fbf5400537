//! Who is given an answer that was made for somebody else.

use smallvec::{SmallVec, smallvec};

use crate::auth::Caller;
use crate::base::ids::{KeyName, PolicyName};
use crate::state::answers::{Scope, Whose};

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
    /// All callers of all policies that say so and that, but for their names and whom they are for, say the same. Where a
    /// plugin or a webhook hears a policy's name, those of the policy.
    Everyone,
}

impl SharedBy {
    /// The policy under whose name answers are kept.
    pub fn home(self, policy: &PolicyName) -> PolicyName {
        if self == Self::Everyone { everyones() } else { policy.clone() }
    }

    /// With whom a caller shares what is kept in that name. `None` if it is not known who that is: such a caller shares with nobody.
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
            Self::Policy | Self::Everyone => smallvec![],
        };
        Some(Scope::new(policy, self.name(), &names))
    }

    /// Whether more than one user may be given the same answer on purpose.
    pub fn is_for_many(self) -> bool {
        matches!(self, Self::Team | Self::Policy | Self::Everyone)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
            Self::Team => "team",
            Self::Policy => "policy",
            Self::Everyone => EVERYONE,
        }
    }
}

/// The name under which answers lie that policies share.
pub fn everyones() -> PolicyName {
    PolicyName::new(EVERYONES)
}

/// Reads whose answers are meant: `everyone` for those that policies share, `policy=support`, or of these those of one `key`, `team` or `user` of a team, as in
/// `policy=support,team=emea,user=ann`. An empty `key` means callers with tokens in place of keys.
///
/// # Errors
/// What is wrong with it, for the person who wrote it.
pub fn whose(text: &str) -> Result<Whose, String> {
    if text == EVERYONE {
        return Ok(Whose { policy: everyones(), scope: None });
    }
    let form = "write `everyone`, or `policy=NAME`, and then `,key=NAME`, `,team=NAME` or `,team=NAME,user=NAME` for some \
                of its callers";
    let [mut policy, mut key, mut team, mut user] = [None::<&str>; 4];
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` says nothing of anybody; {form}"))?;
        let slot = match name {
            "policy" => &mut policy,
            "key" => &mut key,
            "team" => &mut team,
            "user" => &mut user,
            other => return Err(format!("nobody is told apart by `{other}`; {form}")),
        };
        if slot.replace(value).is_some() {
            return Err(format!("`{name}` is said twice; {form}"));
        }
    }
    let policy = PolicyName::new(policy.filter(|name| !name.is_empty()).ok_or_else(|| format!("no policy; {form}"))?);
    let scope = |shared_by: SharedBy, names: &[Option<&str>]| Some(Scope::new(&policy, shared_by.name(), names));
    let scope = match (key, user, team) {
        (Some(""), user, team) => scope(SharedBy::Key, &[None, team, user]),
        (Some(key), None, None) => scope(SharedBy::Key, &[Some(key)]),
        (Some(_), ..) => return Err(format!("a key is one caller, whatever its team and user; {form}")),
        (None, Some(user), team) => scope(SharedBy::User, &[team, Some(user)]),
        (None, None, Some(team)) => scope(SharedBy::Team, &[Some(team)]),
        (None, None, None) => None,
    };
    Ok(Whose { policy, scope })
}

const EVERYONE: &str = "everyone";
/// A policy of that name has it in common with them what may be kept at the most, and no answer.
const EVERYONES: &str = "*";

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
    fn whose_answers_are_meant_is_read_as_they_were_shared() {
        let read = |text: &str| whose(text).unwrap().scope;
        let (key, team, user) = (Some("k"), Some("t"), Some("u"));
        assert_eq!(read("policy=p"), None);
        assert_eq!(read("policy=p,key=k"), scope(SharedBy::Key, &caller(key, team, user)));
        assert_eq!(read("policy=p,key=,team=t,user=u"), scope(SharedBy::Key, &caller(None, team, user)));
        assert_eq!(read("policy=p,team=t"), scope(SharedBy::Team, &caller(key, team, user)));
        assert_eq!(read("policy=p,user=u,team=t"), scope(SharedBy::User, &caller(key, team, user)));
        assert_eq!(read("policy=p,user=u"), scope(SharedBy::User, &caller(key, None, user)));
    }

    #[test]
    fn everyone_is_those_of_all_policies_and_lies_where_no_policys_own_do() {
        let of = |shared_by: SharedBy, policy: &str| {
            shared_by.scope(&shared_by.home(&PolicyName::new(policy)), &caller(Some("k"), None, None)).unwrap()
        };
        assert_eq!(of(SharedBy::Everyone, "p"), of(SharedBy::Everyone, "q"));
        assert_ne!(of(SharedBy::Policy, "p"), of(SharedBy::Policy, "q"));
        assert_ne!(of(SharedBy::Everyone, "*"), of(SharedBy::Policy, "*"));
        assert_eq!(whose("everyone").unwrap(), Whose { policy: everyones(), scope: None });
        assert!(whose("everyone,team=t").is_err());
    }

    #[test]
    fn who_is_not_said_rightly_is_not_guessed() {
        for text in ["", "p", "team=t", "policy=", "policy=p,policy=q", "policy=p,tenant=t", "policy=p,key=k,team=t"] {
            assert!(whose(text).is_err(), "{text}");
        }
    }

    #[test]
    fn users_of_the_same_name_in_two_teams_are_two() {
        let of = |team| scope(SharedBy::User, &caller(Some("k"), Some(team), Some("u"))).unwrap();
        assert_ne!(of("a"), of("b"));
    }
}
