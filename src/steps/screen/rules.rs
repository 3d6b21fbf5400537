//! Which findings a policy refuses: by the kinds that a guard flags, and by its scores.

use std::collections::BTreeMap;

use globset::{Glob, GlobMatcher};

use super::report::Finding;

/// Patterns of kinds, ready to be matched.
pub struct Rules {
    flagged: Vec<GlobMatcher>,
    scores: Vec<(GlobMatcher, f64)>,
}

impl Rules {
    /// # Errors
    /// What is wrong with a pattern or a score.
    pub fn new(refuse: Option<&[String]>, scores: &BTreeMap<String, f64>) -> Result<Self, String> {
        if refuse.is_some_and(<[String]>::is_empty) && scores.is_empty() {
            return Err("it refuses nothing; name kinds under `refuse` or `scores`".into());
        }
        let flagged = match refuse {
            Some(kinds) => kinds.iter().map(|kind| pattern(kind)).collect::<Result<_, _>>()?,
            // Whoever names scores goes by them alone.
            None if scores.is_empty() => vec![pattern("*")?],
            None => Vec::new(),
        };
        let scores = scores.iter().map(|(kind, least)| {
            if !(0.0..=1.0).contains(least) {
                return Err(format!("the score of `{kind}` must lie between 0 and 1"));
            }
            Ok((pattern(kind)?, *least))
        });
        Ok(Self { flagged, scores: scores.collect::<Result<_, _>>()? })
    }

    /// Whether a finding is a reason to refuse.
    pub fn refuse(&self, finding: &Finding) -> bool {
        let kind = finding.kind.as_str();
        let is_flagged = finding.is_flagged && self.flagged.iter().any(|pattern| pattern.is_match(kind));
        is_flagged || self.scores.iter().any(|(pattern, least)| finding.score >= *least && pattern.is_match(kind))
    }
}

fn pattern(kind: &str) -> Result<GlobMatcher, String> {
    let glob = Glob::new(kind).map_err(|error| format!("`{kind}` is not a pattern of kinds: {}", error.kind()))?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: &str, score: f64, is_flagged: bool) -> Finding {
        Finding { kind: kind.into(), text: None, count: 1, score, is_flagged }
    }

    #[test]
    fn what_is_flagged_is_refused_by_its_kind_and_the_rest_by_its_score() {
        let scores = BTreeMap::from([("hate*".to_owned(), 0.4)]);
        let rules = Rules::new(Some(&["self-harm*".to_owned()]), &scores).unwrap();
        assert!(rules.refuse(&finding("self-harm/intent", 0.1, true)));
        assert!(!rules.refuse(&finding("self-harm/intent", 0.9, false)));
        assert!(!rules.refuse(&finding("violence", 0.9, true)));
        assert!(rules.refuse(&finding("hate/threatening", 0.4, false)));
        assert!(!rules.refuse(&finding("hate/threatening", 0.39, true)));
    }

    #[test]
    fn whatever_a_guard_flags_is_refused_where_nothing_is_named() {
        let rules = Rules::new(None, &BTreeMap::new()).unwrap();
        assert!(rules.refuse(&finding("x/y", 0.0, true)) && !rules.refuse(&finding("x/y", 1.0, false)));
        assert!(Rules::new(Some(&[]), &BTreeMap::new()).is_err());
        assert!(Rules::new(None, &BTreeMap::from([("x".to_owned(), 1.5)])).is_err());
        assert!(Rules::new(Some(&["a[".to_owned()]), &BTreeMap::new()).is_err());
    }
}
