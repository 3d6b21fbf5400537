//! What a day came to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::traffic::{Asked, Meaning};
use crate::base::money::Nanos;
use crate::state::answers::Record;
use crate::telemetry::Line;

/// What a day came to.
#[derive(Debug, Default)]
pub struct Report {
    pub requests: u64,
    /// How many came to what, by the word for it: `hit`, `miss`, `bypass` and so on.
    pub results: BTreeMap<&'static str, u64>,
    /// What was found in each way.
    pub tiers: BTreeMap<&'static str, Tier>,
    /// Requests that were refused, or failed.
    pub unanswered: u64,
    /// How often providers were asked for an answer.
    pub asked: u64,
    pub embedded: Embedded,
    /// Answers to similar questions that were held against those that were asked for all the same.
    pub tried: Record,
    /// On answers that have a price.
    spent: Nanos,
    pub spent_on_embedding: Nanos,
    /// What given answers had cost.
    pub avoided: Nanos,
    /// Answers of which nobody knows what they cost.
    pub unpriced: u64,
    /// That served.
    pub policies: BTreeSet<String>,
    /// The first of those answers that were made for another question.
    pub false_hits: Vec<FalseHit>,
}

/// Texts that were embedded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// By one that is played, and finds all texts alike.
    pub played: u64,
    /// By models in this process, as they are.
    pub here: u64,
}

impl Embedded {
    pub fn all(self) -> u64 {
        self.played + self.here
    }
}

/// Answers that were given again.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    pub hits: u64,
    pub avoided: Nanos,
    pub false_hits: u64,
    /// Nobody has said whether they were right.
    pub unjudged: u64,
}

/// An answer to another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FalseHit {
    pub tier: &'static str,
    pub asked: String,
    pub made_for: String,
}

/// Goes through the day.
#[derive(Default)]
pub struct Judge {
    /// For whom the answer of each mark was made.
    made_for: HashMap<String, (Meaning, String)>,
    report: Report,
}

impl Judge {
    /// Looks at a request and at what came of it.
    pub fn see(&mut self, asked: &Asked, mark: Option<String>, line: &Line) {
        let report = &mut self.report;
        report.requests += 1;
        report.policies.extend(line.policy.as_ref().map(|policy| policy.as_str().to_owned()));
        if line.outcome != "ok" {
            report.unanswered += 1;
            return;
        }
        *report.results.entry(line.cache.unwrap_or("no cache")).or_default() += 1;
        let Some(tier) = line.cache_tier else {
            if let Some(mark) = mark {
                self.made_for.insert(mark, (asked.meaning.clone(), shown(asked)));
            }
            return;
        };
        let found = report.tiers.entry(tier).or_default();
        found.hits += 1;
        let avoided = line.saved.unwrap_or(Nanos::ZERO).0.saturating_add(line.charged.unwrap_or(Nanos::ZERO).0);
        found.avoided.0 += avoided;
        report.avoided.0 += avoided;
        let made_for = mark.and_then(|mark| self.made_for.get(&mark));
        match made_for.map(|(meaning, _)| asked.meaning.is_answered_by(meaning)) {
            Some(Some(true)) => {}
            Some(Some(false)) => {
                found.false_hits += 1;
                if report.false_hits.len() < SHOWN {
                    let made_for = made_for.map(|(_, text)| text.clone()).unwrap_or_default();
                    report.false_hits.push(FalseHit { tier, asked: shown(asked), made_for });
                }
            }
            Some(None) | None => found.unjudged += 1,
        }
    }

    /// Looks at what was spent, also beside requests.
    pub fn pay(&mut self, line: &Line) {
        let report = &mut self.report;
        if line.cache_tier.is_none() && line.attempts > 0 {
            report.unpriced += u64::from(line.cost.is_none());
            report.spent.0 += line.cost.unwrap_or(Nanos::ZERO).0;
        }
    }

    pub fn close(self, asked: u64, embedded: Embedded, spent_on_embedding: Nanos, tried: Record) -> Report {
        Report { asked, embedded, spent_on_embedding, tried, ..self.report }
    }
}

impl Report {
    /// How many answers were given to another question.
    pub fn false_count(&self) -> u64 {
        self.tiers.values().map(|tier| tier.false_hits).sum()
    }

    /// What answers have cost; `None` where not all have a price.
    pub fn spent(&self) -> Option<Nanos> {
        (self.unpriced == 0).then_some(self.spent)
    }

    /// What the day would have cost without a cache; `None` where not all has a price.
    pub fn uncached(&self) -> Option<Nanos> {
        Some(Nanos(self.spent()?.0.saturating_add(self.avoided.0)))
    }

    /// The share of that which was saved, of which embedding has taken its part; it may be less than nothing.
    pub fn saved(&self) -> Option<f64> {
        let uncached = self.uncached().filter(|uncached| uncached.0 > 0)?;
        Some((self.avoided.0 - self.spent_on_embedding.0) as f64 / uncached.0 as f64)
    }
}

/// Who asked what.
fn shown(asked: &Asked) -> String {
    let before = asked.before.first().map(|first| format!("{first} … ")).unwrap_or_default();
    format!("{}: {before}{}", asked.team, asked.text)
}

const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::ids::PolicyName;

    fn asked(means: &str) -> Asked {
        let meaning = Meaning::Common(means.into());
        let (team, user, text, topic) = ("t".into(), "u".into(), means.into(), means.into());
        let (at, system, before) = (Duration::ZERO, None, Vec::new());
        Asked { at, team, user, system, before, text, is_stream: false, topic, meaning }
    }

    fn line(cache: &'static str, cache_tier: Option<&'static str>, usd: i64) -> Line {
        let policy = Some(PolicyName::new("p"));
        let amount = Some(Nanos(usd * 1_000_000_000));
        let (cost, saved, attempts) = if cache_tier.is_none() { (amount, None, 1) } else { (None, amount, 0) };
        Line { outcome: "ok", policy, cache: Some(cache), cache_tier, cost, saved, attempts, ..Line::default() }
    }

    #[test]
    fn an_answer_that_was_made_for_something_else_is_told_on_and_what_is_saved_is_less_what_it_took() {
        let mut judge = Judge::default();
        let mut see = |means: &str, mark: &str, line: &Line| {
            judge.pay(line);
            judge.see(&asked(means), Some(mark.into()), line);
        };
        see("one", "mark-a", &line("miss", None, 6));
        see("one", "mark-a", &line("hit", Some("exact"), 6));
        see("other", "mark-a", &line("hit", Some("similar"), 6));
        see("one", "mark-unknown", &line("hit", Some("similar"), 6));
        let report = judge.close(1, Embedded { played: 2, here: 0 }, Nanos(3_000_000_000), Record::default());
        assert_eq!((report.tiers["exact"].hits, report.tiers["exact"].false_hits), (1, 0));
        assert_eq!((report.tiers["similar"].hits, report.tiers["similar"].false_hits), (2, 1));
        assert_eq!((report.tiers["similar"].unjudged, report.false_count()), (1, 1));
        let wrong = FalseHit { tier: "similar", asked: "t: other".into(), made_for: "t: one".into() };
        assert_eq!(report.false_hits, [wrong]);
        assert_eq!((report.uncached(), report.saved()), (Some(Nanos(24_000_000_000)), Some(15.0 / 24.0)));
    }

    #[test]
    fn where_an_answer_has_no_price_nothing_is_said_of_costs() {
        let mut judge = Judge::default();
        judge.pay(&Line { attempts: 1, ..Line::default() });
        judge.pay(&line("miss", None, 6));
        let report = judge.close(2, Embedded::default(), Nanos::ZERO, Record::default());
        assert_eq!((report.spent(), report.uncached(), report.saved()), (None, None, None));
    }
}
