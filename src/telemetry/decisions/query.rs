//! Which records somebody wants to see, as it stands in a URL.

use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;

use super::shelf::Head;
use crate::base::duration;

/// What records must have in common; what is not said may be anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// How many at the most.
    pub limit: usize,
    /// Requests that came then or later, or before.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    status: Option<(u16, u16)>,
    /// Names that must be the same.
    names: Vec<(Name, String)>,
    /// Only what failed, broke off or was refused.
    errors: bool,
    /// In US dollars.
    min_cost: Option<f64>,
    min_took_ms: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Outcome,
    Endpoint,
    Policy,
    Model,
    Target,
    Team,
    Key,
    User,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            limit: 50,
            since: None,
            until: None,
            status: None,
            names: Vec::new(),
            errors: false,
            min_cost: None,
            min_took_ms: None,
        }
    }
}

/// The most records that are shown at once.
const MOST: usize = 1000;

const KNOWN: &str = "limit, since, until, status, outcome, endpoint, policy, model, target, team, key, user, errors, \
                     min_cost, min_took";

impl Query {
    /// Reads what stands behind the `?` of a URL.
    ///
    /// # Errors
    /// What is wrong with it, and what could stand there instead.
    pub fn read(query: &str, now: Timestamp) -> Result<Self, String> {
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8();
            let value = value.map_err(|_| format!("what `{name}` is, is not UTF-8"))?;
            read.take(name, &value, now)?;
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: &str, now: Timestamp) -> Result<(), String> {
        let wrong = |expected: &str| Err(format!("`{value}` is not {expected}, which `{name}` wants"));
        match name {
            "limit" => match value.parse() {
                Ok(limit) if (1..=MOST).contains(&limit) => self.limit = limit,
                _ => return wrong(&format!("a number from 1 to {MOST}")),
            },
            "since" | "until" => match moment(value, now) {
                Some(moment) if name == "since" => self.since = Some(moment),
                Some(moment) => self.until = Some(moment),
                None => return wrong("a time, like `2026-11-29T06:00:00Z`, or one ago, like `15m`"),
            },
            "status" => match statuses(value) {
                Some(statuses) => self.status = Some(statuses),
                None => return wrong("a status, like `429`, or a class of them, like `5xx`"),
            },
            "errors" => match value {
                "true" | "" => self.errors = true,
                "false" => self.errors = false,
                _ => return wrong("`true` or `false`"),
            },
            "min_cost" => match value.parse() {
                Ok(cost) if cost >= 0.0 => self.min_cost = Some(cost),
                _ => return wrong("an amount of US dollars, like `0.50`"),
            },
            "min_took" => {
                let took = duration::parse(value).map_err(|wrong| format!("{wrong}, which `{name}` wants"))?;
                self.min_took_ms = Some(took.as_secs_f64() * 1e3);
            }
            "outcome" if !OUTCOMES.contains(&value) => return wrong(&format!("one of {}", OUTCOMES.join(", "))),
            name => match named(name) {
                Some(name) => self.names.push((name, value.to_owned())),
                None => return Err(format!("`{name}` is nothing to look for decisions by; there are: {KNOWN}")),
            },
        }
        Ok(())
    }

    pub(super) fn asks_for(&self, head: &Head<'_>) -> bool {
        self.since.is_none_or(|since| head.time >= since)
            && self.until.is_none_or(|until| head.time < until)
            && self.status.is_none_or(|(first, last)| (first..=last).contains(&head.status))
            && (!self.errors || matches!(&*head.outcome, "failed" | "cut" | "refused"))
            && self.min_cost.is_none_or(|least| head.cost_usd.is_some_and(|cost| cost >= least))
            && self.min_took_ms.is_none_or(|least| head.took_ms >= least)
            && self.names.iter().all(|(name, value)| of(head, *name) == Some(value))
    }
}

const OUTCOMES: [&str; 5] = ["ok", "refused", "failed", "cut", "hang_up"];

fn named(name: &str) -> Option<Name> {
    Some(match name {
        "outcome" => Name::Outcome,
        "endpoint" => Name::Endpoint,
        "policy" => Name::Policy,
        "model" => Name::Model,
        "target" => Name::Target,
        "team" => Name::Team,
        "key" => Name::Key,
        "user" => Name::User,
        _ => return None,
    })
}

fn of<'a>(head: &'a Head<'_>, name: Name) -> Option<&'a str> {
    match name {
        Name::Outcome => Some(&*head.outcome),
        Name::Endpoint => Some(&*head.endpoint),
        Name::Policy => head.policy.as_deref(),
        Name::Model => head.model.as_deref(),
        Name::Target => head.target.as_deref(),
        Name::Team => head.team.as_deref(),
        Name::Key => head.key.as_deref(),
        Name::User => head.user.as_deref(),
    }
}

fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let ago = SignedDuration::try_from(duration::parse(text).ok()?).ok()?;
    now.checked_sub(ago).ok()
}

fn statuses(text: &str) -> Option<(u16, u16)> {
    if let Some(class) = text.strip_suffix("xx") {
        let first = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))? * 100;
        return Some((first, first + 99));
    }
    let status = text.parse().ok().filter(|status| (100..600).contains(status))?;
    Some((status, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-29T06:00:00Z".parse().unwrap()
    }

    fn head(json: &str) -> Head<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_part_of_a_query_tells_records_apart() {
        let json = r#"{"time":"2026-11-29T05:50:00Z","request_id":"r","status":429,"outcome":"refused","endpoint":"chat",
            "policy":"p q","model":"m","team":"t","cost_usd":0.25,"took_ms":1500.5,"steps":[]}"#;
        for (query, expected) in [
            ("", true),
            ("since=15m", true),
            ("since=5m", false),
            ("since=2026-11-29T05:50:00Z&until=2026-11-29T05:50:00.001Z", true),
            ("until=2026-11-29T05%3A50%3A00Z", false),
            ("status=429", true),
            ("status=4xx", true),
            ("status=5xx", false),
            ("errors=true", true),
            ("errors", true),
            ("outcome=refused", true),
            ("outcome=ok", false),
            ("policy=p+q", true),
            ("policy=p%20q&model=m", true),
            ("policy=p+q&model=n", false),
            ("team=t", true),
            ("key=k", false),
            ("target=t", false),
            ("min_cost=0.25", true),
            ("min_cost=0.26", false),
            ("min_took=1.5s", true),
            ("min_took=2s", false),
        ] {
            assert_eq!(Query::read(query, now()).unwrap().asks_for(&head(json)), expected, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_said_with_what_can() {
        for (query, help) in [
            ("limit=0", "1 to 1000"),
            ("limit=all", "1 to 1000"),
            ("since=yesterday", "`15m`"),
            ("status=ok", "`5xx`"),
            ("status=9xx", "`5xx`"),
            ("outcome=fine", "hang_up"),
            ("errors=maybe", "`false`"),
            ("min_cost=cheap", "0.50"),
            ("min_cost=NaN", "0.50"),
            ("min_took=3", "min_took"),
            ("colour=red", "min_took"),
            ("user=%ff", "UTF-8"),
        ] {
            let wrong = Query::read(query, now()).unwrap_err();
            assert!(wrong.contains(help), "{query}: {wrong}");
        }
    }
}
