//! What is asked on that day, and what it means.

use std::time::Duration;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Since the beginning of the day.
    pub at: Duration,
    pub team: String,
    /// The caller, of whom there is one of this name in a team.
    pub user: String,
    pub system: Option<String>,
    /// What was said before, by user and model in turn.
    pub before: Vec<String>,
    pub text: String,
    pub is_stream: bool,
    /// What its text is about by itself, whoever asks and whatever goes along: texts about the same are answered alike.
    pub topic: String,
    pub meaning: Meaning,
}

/// What a request means: two with the same one may be given the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The same for everybody.
    Common(String),
    /// Its answer depends on who asks, as far as the team goes.
    Own { team: String, means: String },
    /// Nobody has said: the same only as what is said in the same words.
    Unsaid(String),
}

impl Meaning {
    /// Whether an answer made for `other` is one for this; `None` if nobody can tell.
    pub fn is_answered_by(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Unsaid(one), Self::Unsaid(other)) if one == other => Some(true),
            (Self::Unsaid(_), _) | (_, Self::Unsaid(_)) => None,
            (one, other) => Some(one == other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_said_is_not_judged() {
        let own = |team: &str| Meaning::Own { team: team.into(), means: "x".into() };
        let [common, unsaid] = [Meaning::Common("x".into()), Meaning::Unsaid("x".into())];
        assert_eq!(own("a").is_answered_by(&own("a")), Some(true));
        assert_eq!(own("a").is_answered_by(&own("b")), Some(false));
        assert_eq!(own("a").is_answered_by(&common), Some(false));
        assert_eq!((unsaid.is_answered_by(&common), unsaid.is_answered_by(&unsaid)), (None, Some(true)));
        assert_eq!(unsaid.is_answered_by(&Meaning::Unsaid("y".into())), None);
    }
}
