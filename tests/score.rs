//! The score of similar questions: trained here, held against the one that is shipped, and tried.
//!
//! Likenesses are those of all-MiniLM-L6-v2, recorded in `likeness/cosines.txt`, so that all of this needs no model. Where
//! the pairs or the reading of questions have changed, record and train anew, and read the difference:
//!
//!     TIDEGATE_EMBEDDER=FOLDER cargo test --test score -- --ignored
//!     cargo test --test score -- --nocapture
//!
//! The second prints the table that the documentation of the tier shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidegate::base::bound;
use tidegate::steps::cache::canonical::canonical;
use tidegate::steps::cache::likeness::features::Features;
use tidegate::steps::cache::likeness::judge::Judge;
use tidegate::steps::cache::likeness::score::{Score, TERMS, terms};

#[path = "likeness/data.rs"]
mod data;
#[path = "likeness/generator.rs"]
mod generator;
#[path = "likeness/pairs.rs"]
mod pairs;
#[path = "likeness/training.rs"]
mod training;

use pairs::{Pair, Set};

/// Twice the odds of the likeliest of those trained on that are different.
const MARGIN: f64 = std::f64::consts::LN_2;

/// A pair of which both have a canonical form, as the tier sees it.
struct Seen {
    pair: Pair,
    forms: [String; 2],
    features: [Features; 2],
    likeness: f32,
}

impl Seen {
    fn is_telling(&self) -> bool {
        self.features.iter().all(Features::is_telling)
    }

    fn is_canonical(&self) -> bool {
        self.forms[0] == self.forms[1]
    }

    /// What the tier does, with that judge.
    fn is_taken(&self, judge: Judge) -> bool {
        let [one, other] = &self.features;
        self.is_canonical()
            || self.is_telling() && self.likeness >= judge.least && judge.takes(self.likeness, one, other).is_ok()
    }

    /// What the score is asked about: what words alone do not decide.
    fn row(&self) -> Option<([f64; TERMS.len()], bool)> {
        let [one, other] = &self.features;
        let is_asked = !self.is_canonical() && self.is_telling();
        let difference = one.difference(other).ok().filter(|_| is_asked)?;
        Some((terms(self.likeness, &difference), self.pair.same))
    }
}

fn forms(pair: &Pair) -> Option<[String; 2]> {
    Some([canonical(&pair.a).ok()?, canonical(&pair.b).ok()?])
}

/// All pairs that have forms, with what was recorded of them.
fn seen() -> Vec<Seen> {
    let pairs = pairs::all();
    let text = std::fs::read_to_string(pairs::file("cosines.txt")).unwrap();
    let (head, numbers) = text.split_once("\n\n").unwrap();
    let score = Score::shipped().unwrap();
    let expected = head_of(&score.model.to_string(), &pairs);
    assert_eq!(head, expected, "the pairs are others than were recorded: record anew");
    let mut numbers = numbers.split_whitespace().map(|number| number.parse::<f32>().unwrap() / 10_000.0);
    let see = |pair: Pair| {
        let forms = forms(&pair)?;
        let features = [Features::of(&forms[0]), Features::of(&forms[1])];
        Some(Seen { features, likeness: numbers.next().unwrap(), forms, pair })
    };
    let seen: Vec<_> = pairs.into_iter().filter_map(see).collect();
    assert_eq!(numbers.next(), None);
    seen
}

fn head_of(model: &str, pairs: &[Pair]) -> String {
    format!(
        "Cosines in ten thousandths, of the canonical forms of all pairs that have them, in the order of pairs.rs.\n\
         model {model}\npairs {}",
        pairs::hash(pairs)
    )
}

/// As it is shipped.
fn trained(seen: &[Seen]) -> String {
    let rows: Vec<_> = seen.iter().filter(|seen| seen.pair.set == Set::Trained).filter_map(Seen::row).collect();
    let weights = training::weights(&rows).map(|weight| (weight * 1_000.0).round() / 1_000.0);
    let of = |terms: &[f64; TERMS.len()]| terms.iter().zip(&weights).map(|(term, weight)| term * weight).sum::<f64>();
    let worst = rows.iter().filter(|(_, is_same)| !is_same).map(|(terms, _)| of(terms)).fold(f64::MIN, f64::max);
    let model = Score::shipped().unwrap().model;
    let mut text = format!(
        "Trained by tests/score.rs on {} pairs of tests/likeness/clusters.txt; not to be written by hand.\n\
         model\t{model}\nleast\t{:.3}\n",
        rows.len(),
        worst + MARGIN
    );
    for (name, weight) in TERMS.iter().zip(weights) {
        writeln!(text, "{name}\t{weight:.3}").unwrap();
    }
    text
}

/// How pairs fare by a rule.
#[derive(Default, Clone, Copy)]
struct Tally {
    same: u64,
    hits: u64,
    different: u64,
    wrong: u64,
}

impl Tally {
    fn hit_rate(self) -> f64 {
        self.hits as f64 / self.same as f64
    }

    fn false_rate(self) -> f64 {
        self.wrong as f64 / self.different as f64
    }
}

/// By a rule, all pairs of a set; those without a form are never taken for the same.
fn tally(seen: &[Seen], set: Set, is_taken: &dyn Fn(&Seen) -> bool) -> Tally {
    let mut tally = Tally::default();
    for Pair { same, .. } in pairs::all().iter().filter(|pair| pair.set == set) {
        *if *same { &mut tally.same } else { &mut tally.different } += 1;
    }
    for seen in seen.iter().filter(|seen| seen.pair.set == set && is_taken(seen)) {
        *if seen.pair.same { &mut tally.hits } else { &mut tally.wrong } += 1;
    }
    tally
}

type Rule<'a> = (&'static str, Box<dyn Fn(&Seen) -> bool + 'a>);

fn rules(score: &'static Score) -> Vec<Rule<'static>> {
    let cosine = |least: f32| Box::new(move |seen: &Seen| seen.likeness >= least);
    let words = |least: f32| Box::new(move |seen: &Seen| seen.is_taken(Judge { least, score: None }));
    let scored = |least: f32| Box::new(move |seen: &Seen| seen.is_taken(Judge { least, score: Some(score) }));
    vec![
        ("cosine from .95", cosine(0.95)),
        ("cosine from .97", cosine(0.97)),
        ("cosine from .99", cosine(0.99)),
        ("canonical form", Box::new(Seen::is_canonical)),
        ("words, whatever the cosine", words(-1.0)),
        ("words, cosine from .9", words(0.9)),
        ("words or score, cosine from .85", scored(0.85)),
        ("words or score, cosine from .9", scored(0.9)),
        ("words or score, cosine from .95", scored(0.95)),
    ]
}

#[test]
fn the_score_that_is_shipped_is_the_one_that_its_pairs_give() {
    let expected = trained(&seen());
    let read = |text: &str| Score::read(text).unwrap();
    let (shipped, expected_score) = (Score::shipped().unwrap(), read(&expected));
    let off = |one: f64, other: f64| (one - other).abs() > 0.0015;
    let is_other = off(shipped.least, expected_score.least)
        || shipped.weights.iter().zip(expected_score.weights).any(|(one, other)| off(*one, other));
    assert!(!is_other, "train anew; expected:\n{expected}");
}

/// At most so many wrong ones of a hundred, with hits on at least eleven of a hundred.
#[test]
fn on_pairs_that_it_was_not_trained_on_it_hits_often_and_is_hardly_ever_wrong() {
    let seen = seen();
    let judge = Judge::of(Some(Score::shipped().unwrap().model), None);
    for (set, most) in [(Set::HeldOut, 0.005), (Set::Generated, 0.002), (Set::Adversarial, 0.0), (Set::Blind, 0.005)] {
        let tally = tally(&seen, set, &|seen| seen.is_taken(judge));
        let wrong = seen.iter().filter(|seen| seen.pair.set == set && !seen.pair.same && seen.is_taken(judge));
        let wrong: Vec<_> = wrong.map(|seen| (&seen.pair.a, &seen.pair.b)).collect();
        assert!(tally.hit_rate() >= 0.11, "{set:?}: {}", tally.hit_rate());
        assert!(tally.false_rate() <= most, "{set:?}: {wrong:?}");
    }
}

/// With `--nocapture` the table of tiers and thresholds: hits among those that are the same, false hits among the others,
/// and what the share of false hits is below with a confidence of 95 %.
#[test]
fn the_table_of_tiers_and_thresholds() {
    let seen = seen();
    let mut rows = BTreeMap::new();
    print!("| rule |");
    Set::ALL.iter().for_each(|set| print!(" {set:?} |"));
    println!("\n|---|{}", "---|".repeat(Set::ALL.len()));
    for (name, rule) in rules(Score::shipped().unwrap()) {
        print!("| {name} |");
        for set in Set::ALL {
            let tally = tally(&seen, set, &rule);
            let below = bound::upper(tally.wrong, tally.different) * 100.0;
            print!(" {:.3}, {} of {} (below {below:.2} %) |", tally.hit_rate(), tally.wrong, tally.different);
            rows.insert((name, format!("{set:?}")), tally);
        }
        println!();
    }
    let rate = |rule: &'static str| rows[&(rule, "Generated".to_owned())].false_rate();
    assert!(rate("cosine from .97") > 0.05, "no threshold alone tells them apart");
    assert!(rate("words or score, cosine from .85") < 0.002);
}

/// Asks the model where all texts lie, writes that down, and the score that is trained on it.
#[cfg(feature = "local-embedder")]
#[test]
#[ignore = "needs the model's files"]
fn record() {
    use tidegate::embedding::{Files, Model};
    use tidegate::steps::cache::likeness::vector::Vector;

    let folder = std::env::var_os("TIDEGATE_EMBEDDER").expect("TIDEGATE_EMBEDDER names no folder");
    let files = Files::read(folder.as_ref()).unwrap();
    assert_eq!(files.pin(), Score::shipped().unwrap().model, "it is another model");
    let (model, pairs) = (Model::of(&files).unwrap(), pairs::all());
    let all: Vec<_> = pairs.iter().filter_map(forms).collect();
    let mut vectors: BTreeMap<&str, Option<Vector>> = all.iter().flatten().map(|form| (form.as_str(), None)).collect();
    let texts: Vec<_> = vectors.keys().copied().collect();
    for (text, direction) in texts.iter().zip(texts.chunks(32).flat_map(|chunk| model.embed(chunk))) {
        vectors.insert(text, Vector::of(&direction));
    }
    let of = |form: &String| vectors[form.as_str()].as_ref().unwrap();
    let numbers: Vec<_> =
        all.iter().map(|[one, other]| format!("{:.0}", of(one).likeness(of(other)).unwrap() * 10_000.0)).collect();
    let lines: Vec<_> = numbers.chunks(24).map(|chunk| chunk.join(" ")).collect();
    let text = format!("{}\n\n{}\n", head_of(&files.pin().to_string(), &pairs), lines.join("\n"));
    std::fs::write(pairs::file("cosines.txt"), text).unwrap();
    let score = pairs::file("../../src/steps/cache/likeness/score.tsv");
    std::fs::write(score, trained(&seen())).unwrap();
}
