//! The kinds that are built in, one family a file.
//!
//! Sources are the standards and the issuers' own pages, named where a rule would be a riddle without.

pub mod america;
pub mod asia;
pub mod contact;
pub mod europe;
pub mod iban;
pub mod injection;
pub mod money;
pub mod network;
pub mod papers;
pub mod secrets;
pub mod tokens;

use super::kind::{Kind, Profile, Shape};

/// A kind with nothing but what a national number needs.
const fn national(
    name: &'static str,
    label: &'static str,
    says: &'static str,
    near: &'static [&'static str],
    shapes: &'static [Shape],
    examples: &'static [&'static str],
    counters: &'static [&'static str],
) -> Kind {
    Kind { name, label, says, profiles: &[Profile::Pii], near, unless: &[], shapes, examples, counters }
}

/// Every kind, in the order that settles ties.
pub fn all() -> impl Iterator<Item = &'static Kind> {
    let families: [&'static [Kind]; 10] = [
        secrets::KINDS,
        tokens::KINDS,
        network::KINDS,
        contact::KINDS,
        money::KINDS,
        america::KINDS,
        europe::KINDS,
        asia::KINDS,
        papers::KINDS,
        injection::KINDS,
    ];
    families.into_iter().flatten()
}

/// The kind of a name.
pub fn named(name: &str) -> Option<&'static Kind> {
    all().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::redact::{Detector, Settings};

    fn found(kind: &Kind, text: &str) -> Vec<String> {
        let settings = Settings { find: vec![kind.name.into()], ..Settings::default() };
        let detector = Detector::compile(&settings).unwrap();
        detector.findings(text, "").into_iter().map(|finding| text[finding.range].to_owned()).collect()
    }

    #[test]
    fn every_example_is_found_as_it_is_marked() {
        let mut wrong = Vec::new();
        for kind in all() {
            for example in kind.examples {
                let text: String = example.chars().filter(|c| !matches!(c, '«' | '»')).collect();
                let marked = example.split('«').nth(1).and_then(|rest| rest.split('»').next()).unwrap();
                let found = found(kind, &text);
                if found != [marked] {
                    wrong.push(format!("{}: {example:?} gives {found:?}", kind.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn no_counter_example_is_found() {
        let mut wrong = Vec::new();
        for kind in all() {
            for counter in kind.counters {
                let found = found(kind, counter);
                if !found.is_empty() {
                    wrong.push(format!("{}: {counter:?} gives {found:?}", kind.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_shape_has_a_longest_match() {
        for shape in all().flat_map(|kind| kind.shapes) {
            let longest = regex_syntax::parse(shape.regex).unwrap().properties().maximum_len();
            assert!(longest.is_some_and(|longest| longest <= 1024), "{}", shape.regex);
        }
    }

    #[test]
    fn names_are_unique_and_labels_fit_placeholders() {
        let mut names = std::collections::HashSet::new();
        for kind in all() {
            assert!(names.insert(kind.name), "{} is there twice", kind.name);
            assert!(kind.label.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'), "{}", kind.label);
            assert!(!kind.examples.is_empty() && !kind.counters.is_empty(), "{}", kind.name);
        }
    }

    #[test]
    #[ignore = "prints what each kind costs"]
    fn each_kind_has_its_price() {
        for kind in all() {
            let begun = std::time::Instant::now();
            let settings = Settings { find: vec![kind.name.into()], ..Settings::default() };
            let detector = Detector::compile(&settings).unwrap();
            println!(
                "{:9} bytes {:4} hold {:?} {}",
                detector.memory(),
                detector.hold_back(),
                begun.elapsed(),
                kind.name
            );
        }
    }

    #[test]
    fn all_kinds_together_fit() {
        let begun = std::time::Instant::now();
        let detector = Detector::compile(&Settings { find: vec!["all".into()], ..Settings::default() }).unwrap();
        println!("all: {} bytes, hold {}, {:?}", detector.memory(), detector.hold_back(), begun.elapsed());
        let begun = std::time::Instant::now();
        let detector = Detector::compile(&Settings::default()).unwrap();
        println!("default: {} bytes, hold {}, {:?}", detector.memory(), detector.hold_back(), begun.elapsed());
    }
}
