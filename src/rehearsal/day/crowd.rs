//! The built-in crowd: callers of a few teams who ask over a day what they ask every day.
//!
//! Some questions are asked much more often than others, by the rule of Zipf; most in their usual words, many in others,
//! and next to each of them its near-misses. Some come as streams, some with instructions of their own, some in the middle
//! of a conversation. The same number of requests and seed always make the same day.

use std::time::Duration;

use fastrand::Rng;

use super::templates::{FOLLOWING, SYSTEMS, TEMPLATES, Template};
use super::traffic::{Asked, Meaning};

/// How many ask how much.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub requests: usize,
    pub seed: u64,
}

/// Something that can be asked.
struct Topic {
    template: &'static Template,
    filler: &'static str,
    /// The share in the traffic of this topic and all before it.
    until: f64,
}

impl Crowd {
    /// The requests of its day, in their order.
    pub fn day(self) -> Vec<Asked> {
        let mut rng = Rng::with_seed(self.seed);
        let topics = topics(&mut rng);
        let mut times: Vec<_> = (0..self.requests).map(|_| time(&mut rng)).collect();
        times.sort_unstable();
        times.into_iter().map(|at| ask(&mut rng, &topics, at)).collect()
    }
}

fn topics(rng: &mut Rng) -> Vec<Topic> {
    let of = |template: &'static Template| template.fillers.iter().map(move |filler| (template, *filler));
    let mut all: Vec<_> = TEMPLATES.iter().flat_map(of).collect();
    rng.shuffle(&mut all);
    let weights: Vec<f64> = (1..=all.len()).map(|rank| 1.0 / rank as f64).collect();
    let whole: f64 = weights.iter().sum();
    let mut until = 0.0;
    let topics = all.into_iter().zip(weights).map(|((template, filler), weight)| {
        until += weight / whole;
        Topic { template, filler, until }
    });
    topics.collect()
}

/// Most is asked about noon, and some at night.
fn time(rng: &mut Rng) -> Duration {
    let hour = if rng.f64() < 0.1 { rng.f64() * 24.0 } else { 7.0 + (rng.f64() + rng.f64()) * 6.0 };
    Duration::from_secs_f64(hour * 3_600.0)
}

fn ask(rng: &mut Rng, topics: &[Topic], at: Duration) -> Asked {
    let team = format!("team-{}", rng.usize(0..TEAMS));
    let user = format!("{team}-{}", rng.usize(0..USERS));
    let share = rng.f64();
    let number = topics.partition_point(|topic| topic.until < share).min(topics.len().saturating_sub(1));
    let (mut text, mut means, is_own) = match topics.get(number) {
        Some(topic) => (said(rng, topic), number.to_string(), topic.template.is_own),
        None => (String::new(), String::new(), false),
    };
    let mut topic = means.clone();
    let system = (rng.f64() < 0.1).then(|| rng.choice(SYSTEMS).copied()).flatten();
    means.extend(system.map(|system| format!(", {system}")));
    let mut before = Vec::new();
    if rng.f64() < 0.1 {
        let next = rng.choice(FOLLOWING).copied().unwrap_or_default();
        means = format!("{means}, then {next}");
        topic = next.to_owned();
        before = vec![std::mem::replace(&mut text, next.to_owned()), "As I have said.".to_owned()];
    }
    let meaning = if is_own { Meaning::Own { team: team.clone(), means } } else { Meaning::Common(means) };
    let system = system.map(ToOwned::to_owned);
    Asked { at, team, user, system, before, text, is_stream: rng.f64() < 0.3, topic, meaning }
}

/// Half of all ask in the usual way, to the letter.
fn said(rng: &mut Rng, topic: &Topic) -> String {
    let ways = topic.template.ways;
    let way = if rng.bool() { ways.first() } else { rng.choice(ways) };
    let text = way.copied().unwrap_or_default().replace("{}", topic.filler);
    match rng.u8(0..10) {
        0 => format!("{text} "),
        1 => text.trim_end_matches('?').to_owned(),
        _ => text,
    }
}

const TEAMS: usize = 2;
const USERS: usize = 10;

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn a_day_is_the_same_each_time_and_has_repeats_other_words_and_near_misses() {
        let crowd = Crowd { requests: 2_000, seed: 7 };
        let day = crowd.day();
        assert_eq!(day, crowd.day());
        assert_ne!(day, Crowd { seed: 8, ..crowd }.day());
        assert!(day.is_sorted_by_key(|asked| asked.at) && day.last().unwrap().at < Duration::from_secs(86_400));
        let words: HashSet<_> = day.iter().map(|asked| (&asked.meaning, &asked.text, &asked.before)).collect();
        let meanings: HashSet<_> = day.iter().map(|asked| &asked.meaning).collect();
        assert!(
            words.len() < day.len() * 3 / 4 && meanings.len() * 5 / 4 < words.len(),
            "{} {}",
            words.len(),
            meanings.len()
        );
        let teams: HashSet<_> = day.iter().map(|asked| &asked.team).collect();
        assert_eq!(teams.len(), TEAMS);
    }

    #[test]
    fn no_text_means_two_things_to_one_who_asks_it_alone() {
        let mut known = HashMap::new();
        for asked in (Crowd { requests: 5_000, seed: 1 }).day() {
            let key = (asked.team, asked.system, asked.before, asked.text.clone());
            assert_eq!(known.entry(key).or_insert(asked.meaning.clone()), &asked.meaning, "{}", asked.text);
        }
    }
}
