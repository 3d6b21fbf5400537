//! The metrics as they were at one moment, read out of the one text that they are all written to.
//!
//! That text is ours, in the format of OpenMetrics. Whatever else shows metrics takes them from here, so that nobody
//! ever shows other values. What does not look like our text is passed over.

use std::borrow::Cow;

/// All samples of one name, and what is said of them.
#[derive(Debug, Default, PartialEq)]
pub struct Family<'a> {
    /// Without the endings that samples have.
    pub name: &'a str,
    pub help: &'a str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'a str,
    /// `seconds` or `bytes`, where there is one.
    pub unit: Option<&'a str>,
    pub samples: Vec<Sample<'a>>,
}

#[derive(Debug, PartialEq)]
pub struct Sample<'a> {
    /// The name and the labels, as they are written.
    pub series: &'a str,
    pub name: &'a str,
    pub labels: Labels<'a>,
    /// A number, as it is written.
    pub value: &'a str,
    pub exemplar: Option<Exemplar<'a>>,
}

pub type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// One of those that a bucket counts.
#[derive(Debug, PartialEq)]
pub struct Exemplar<'a> {
    pub labels: Labels<'a>,
    pub value: f64,
    /// Seconds since 1970.
    pub at: Option<f64>,
}

/// Everything that is in a text.
pub fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        match line.splitn(4, ' ').collect::<Vec<_>>().as_slice() {
            ["#", "HELP", name, help] => families.push(Family { name, help, ..Family::default() }),
            ["#", "TYPE", _, kind] => families.iter_mut().next_back().into_iter().for_each(|family| family.kind = kind),
            ["#", "UNIT", _, unit] => {
                families.iter_mut().next_back().into_iter().for_each(|family| family.unit = Some(unit));
            }
            ["#", ..] => {}
            _ => {
                if let (Some(family), Some(sample)) = (families.last_mut(), sample(line)) {
                    family.samples.push(sample);
                }
            }
        }
    }
    families
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let name = line.get(..line.find(['{', ' '])?)?;
    let (labels, rest) = labels(line.get(name.len()..)?)?;
    let series = line.get(..line.len() - rest.len())?;
    let (value, exemplar) = match rest.trim_start().split_once(" # ") {
        Some((value, exemplar)) => (value, self::exemplar(exemplar)),
        None => (rest.trim_start(), None),
    };
    Some(Sample { series, name, labels, value, exemplar })
}

fn exemplar(text: &str) -> Option<Exemplar<'_>> {
    let (labels, rest) = labels(text)?;
    let mut numbers = rest.split_whitespace().map(|number| number.parse().ok());
    Some(Exemplar { labels, value: numbers.next()??, at: numbers.next().flatten() })
}

/// The labels at the beginning of a text, if it has any, and what follows.
fn labels(text: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Some((labels, text)) };
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, value) = rest.split_once("=\"")?;
        let end = end_of(value)?;
        labels.push((name, unescaped(value.get(..end)?)));
        rest = value.get(end + 1..)?;
    }
}

/// Where the quotation mark is that ends a value.
fn end_of(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next().map(|next| if next == 'n' { '\n' } else { next })),
            letter => text.push(letter),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_what_is_said_of_it_and_its_samples() {
        let text = "# HELP a_seconds How long, in all.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total{x=\"1\",y=\"a b\"} 2.5\n# HELP b Many.\n# TYPE b gauge\nb 7\n# EOF\n";
        let [first, second] = families(text).try_into().unwrap();
        assert_eq!(
            (first.name, first.help, first.kind, first.unit),
            ("a_seconds", "How long, in all.", "counter", Some("seconds"))
        );
        let sample = &first.samples[0];
        assert_eq!((sample.name, sample.value), ("a_seconds_total", "2.5"));
        assert_eq!(sample.series, "a_seconds_total{x=\"1\",y=\"a b\"}");
        assert_eq!(sample.labels, [("x", "1".into()), ("y", "a b".into())]);
        assert_eq!((second.unit, second.samples[0].labels.len(), second.samples[0].value), (None, 0, "7"));
    }

    #[test]
    fn names_may_have_in_them_what_ends_others() {
        let sample = sample(r#"a_total{x="1 # {y=\"2\"} \\",z="\n"} 3"#).unwrap();
        assert_eq!(sample.labels, [("x", r#"1 # {y="2"} \"#.into()), ("z", "\n".into())]);
        assert_eq!((sample.value, sample.exemplar), ("3", None));
    }

    #[test]
    fn an_exemplar_is_of_its_bucket() {
        let sample = sample(r#"a_bucket{le="1.0"} 3 # {trace_id="ab"} 0.25 1700000000.5"#).unwrap();
        assert_eq!(sample.value, "3");
        let labels = vec![("trace_id", "ab".into())];
        assert_eq!(sample.exemplar, Some(Exemplar { labels, value: 0.25, at: Some(1_700_000_000.5) }));
    }

    #[test]
    fn what_is_no_text_of_ours_is_passed_over() {
        for text in
            ["", "a", "a{", "a{x", "a{x=\"", "a{x=\"1\"", "# HELP", "# HELP a b\na{x=\"\\", "\u{e9}{\u{e9}=\"\u{e9}"]
        {
            assert!(families(text).iter().all(|family| family.samples.is_empty()), "{text}");
        }
    }
}
