//! An expectation that was not met, and how it is shown: as the difference between what was expected and found.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The field of `expect`; of a later request, with where it stands.
    pub field: String,
    pub relation: Relation,
    pub expected: String,
    pub found: String,
}

/// What was to hold between what was found and what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Is,
    Contains,
    Lacks,
    Matches,
    AtLeast,
    AtMost,
}

impl Relation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::Contains => "contains",
            Self::Lacks => "lacks",
            Self::Matches => "matches",
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
        }
    }
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub side: Side,
    /// Pieces of the line; `true` for those that the other side does not have.
    pub pieces: Vec<(bool, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Both,
    Expected,
    Found,
}

impl Failure {
    /// The difference, line by line. Where a part was expected of a whole, both are shown as they are.
    pub fn difference(&self) -> Vec<Line> {
        if self.relation != Relation::Is {
            let all = |side, text: &str| {
                text.lines().map(|line| Line { side, pieces: vec![(false, line.to_owned())] }).collect::<Vec<_>>()
            };
            return [all(Side::Expected, &self.expected), all(Side::Found, &self.found)].concat();
        }
        let (expected, found) = (spread(&self.expected), spread(&self.found));
        let diff = TextDiff::from_lines(&expected, &found);
        let groups = diff.grouped_ops(CONTEXT);
        let changes = groups.iter().flatten().flat_map(|op| diff.iter_inline_changes(op));
        let line = |change: similar::InlineChange<'_, str>| Line {
            side: match change.tag() {
                ChangeTag::Equal => Side::Both,
                ChangeTag::Delete => Side::Expected,
                ChangeTag::Insert => Side::Found,
            },
            pieces: change
                .iter_strings_lossy()
                .map(|(is_new, text)| (is_new, text.trim_end_matches('\n').to_owned()))
                .filter(|(_, text)| !text.is_empty())
                .collect(),
        };
        changes.map(line).collect()
    }
}

/// JSON that is long is compared field by field.
fn spread(text: &str) -> String {
    let is_long = text.len() > WIDE && text.starts_with(['{', '[']);
    let json = is_long.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    json.map_or_else(|| text.to_owned(), |json| format!("{json:#}"))
}

/// Lines that are the same around one that is not.
const CONTEXT: usize = 2;
/// Bytes that fit on a line.
const WIDE: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(relation: Relation, expected: &str, found: &str) -> Vec<String> {
        let failure = Failure { field: "answer".into(), relation, expected: expected.into(), found: found.into() };
        let line = |line: &Line| {
            let sign = match line.side {
                Side::Both => ' ',
                Side::Expected => '-',
                Side::Found => '+',
            };
            let mark = |(is_new, text): &(bool, String)| if *is_new { format!("[{text}]") } else { text.clone() };
            format!("{sign}{}", line.pieces.iter().map(mark).collect::<String>())
        };
        failure.difference().iter().map(line).collect()
    }

    #[test]
    fn words_that_differ_are_marked() {
        assert_eq!(
            shown(Relation::Is, "the quick brown fox jumps over the dog", "the quick red fox jumps over the dog"),
            ["-the quick [brown] fox jumps over the dog", "+the quick [red] fox jumps over the dog"]
        );
    }

    #[test]
    fn lines_that_are_far_from_any_difference_are_left_out() {
        let text: String = (0..20).map(|n| format!("line {n}\n")).collect();
        let other = text.replace("line 10\n", "another\n");
        let lines = shown(Relation::Is, &text, &other);
        assert_eq!(lines.len(), 6, "{lines:#?}");
    }

    #[test]
    fn long_json_is_compared_field_by_field() {
        let json =
            |n: u32| format!(r#"{{"model":"a-model-with-a-name","messages":[],"max_tokens":{n},"stream":true}}"#);
        let lines = shown(Relation::Is, &json(1), &json(2));
        assert!(lines.iter().any(|line| line.starts_with('-') && line.contains("max_tokens")), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains("a-model-with-a-name\",\"messages")), "{lines:#?}");
    }

    #[test]
    fn a_part_that_is_missing_is_shown_beside_the_whole() {
        assert_eq!(shown(Relation::Contains, "x", "a\nb"), ["-x", "+a", "+b"]);
    }
}
