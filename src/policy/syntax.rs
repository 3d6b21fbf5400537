//! Faults in the syntax of YAML, in the words of the person who made them.
//!
//! A parser says what it was about when it gave up, and where that was; people look for what they wrote, which
//! may be lines before. From the kind of fault and the text around it, [`problem`] finds the character that is
//! likely to blame and the usual mend. What is a fault is for the parser to say.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::codes;
use super::problem::Problem;
use super::secrecy;
use super::source::{FileId, Span};

/// What to say of a fault that the parser has found in `text`.
pub(super) fn problem(text: &str, file: FileId, error: &ScanError) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(0);
    let page = Page { text, file, at: text.floor_char_boundary(at) };
    match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => page.tab(),
        ErrorKind::UnclosedQuotedScalar => page.here("the quote is not closed").help("close it where its text ends"),
        ErrorKind::InvalidTrailingSingleQuotedScalar => page.after_quotes('\''),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => page.after_quotes('"'),
        ErrorKind::UnclosedFlowCollection { open } => page.unclosed(page.at, *open),
        ErrorKind::MismatchedFlowCollectionEnd { open, .. } => page.unclosed(page.at, *open),
        ErrorKind::MisplacedFlowCollectionEnd => page.here("the bracket closes nothing"),
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidFlowScalarIndent => page.separator(),
        ErrorKind::MissingAnchorOrAliasName | ErrorKind::UnknownAnchor => page.alias(),
        ErrorKind::MappingValueNotAllowed => page.colon(),
        ErrorKind::SimpleKeyExpected => page.no_colon(page.line(page.at)),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::InvalidQuotedScalarIndent => page.indentation(),
        ErrorKind::UnexpectedCharacter { character } => {
            let character =
                if *character == '`' { "a backtick".into() } else { format!("`{}`", character.escape_default()) };
            page.here(format!("{character} cannot begin a text")).help("put the text in quotes")
        }
        ErrorKind::UnknownQuotedScalarEscape => page
            .here("a backslash in double quotes begins an escape, and this one is not known")
            .help("write `\\\\` for a backslash, or put the text in single quotes"),
        _ => page.here(format!("this is not YAML: {}", error.info())),
    }
}

/// A file's text, and where the parser gave up.
struct Page<'a> {
    text: &'a str,
    file: FileId,
    at: usize,
}

impl<'a> Page<'a> {
    fn here(&self, message: impl Into<String>) -> Problem {
        self.told(message, self.at, 1)
    }

    fn told(&self, message: impl Into<String>, start: usize, length: usize) -> Problem {
        Problem::error(codes::SYNTAX, message).at(self.span(start, length), "")
    }

    fn span(&self, start: usize, length: usize) -> Span {
        let start = start.min(self.text.len());
        Span::new(self.file, start, start + length)
    }

    fn before(&self, at: usize) -> &'a str {
        self.text.get(..at).unwrap_or(self.text)
    }

    fn after(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or("")
    }

    /// The line that `at` lies in, without the blanks around it, and where it begins.
    fn line(&self, at: usize) -> (usize, &'a str) {
        let start = self.before(at).rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.after(start).lines().next().unwrap_or("");
        (start + line.len() - line.trim_start().len(), line.trim())
    }

    /// The last line before that which is not blank.
    fn line_before(&self, at: usize) -> Option<(usize, &'a str)> {
        let end = self.before(at).rfind('\n')?;
        Some(self.line(self.before(end).trim_end().len()))
    }

    /// A part of the line at `at`, as it may be repeated in a message.
    fn repeated(&self, at: usize, part: &'a str) -> &'a str {
        if secrecy::guesses(self.line(at).1).is_empty() { part } else { "…" }
    }

    fn tab(&self) -> Problem {
        let from = self.before(self.at).rfind('\n').map_or(0, |newline| newline + 1);
        let at = self.after(from).find('\t').map_or(self.at, |offset| from + offset);
        self.told("a tab, where YAML takes only spaces", at, 1).help("indent with spaces; editors can be told to")
    }

    /// After a closing quote nothing follows on its line; if something does, the quote was likely meant to open.
    fn after_quotes(&self, quote: char) -> Problem {
        let close = self.before(self.at).rfind(quote).unwrap_or(self.at);
        let open = self.before(close).rfind(quote).unwrap_or(close);
        if self.text.get(open..close).is_some_and(|between| between.contains('\n')) {
            return self
                .told("the quote is not closed", open, 1)
                .at(self.span(close, 1), "the next one is taken to close it");
        }
        let rest = self.after(self.at).lines().next().unwrap_or("").trim_end();
        let other = if quote == '"' { '\'' } else { '"' };
        let help = format!("if the quotes belong to the text, put {other} around all of it");
        self.told("something follows the text in quotes", self.at, rest.len().max(1)).help(help)
    }

    fn unclosed(&self, at: usize, open: char) -> Problem {
        let close = if open == '[' { ']' } else { '}' };
        self.told(format!("`{open}` is not closed"), at, 1).help(format!("close it with `{close}`"))
    }

    /// Something stands where only a comma or a closing bracket can.
    fn separator(&self) -> Problem {
        let brace = self.before(self.at).trim_end_matches('{').len();
        if self.before(brace).ends_with('$') {
            let end = self.after(brace).find('}').map_or(self.at, |offset| brace + offset + 1);
            let start = brace - '$'.len_utf8();
            let reference = self.text.get(start..end).unwrap_or_default();
            let message = "a reference within braces or brackets must be in quotes";
            return self.told(message, start, end - start).help(format!("write `\"{reference}\"`"));
        }
        if let Some((at, open)) = self.last_open().filter(|(at, _)| self.after(*at).find('\n') < Some(self.at - at)) {
            return self.unclosed(at, open).at(self.span(self.at, 1), "this cannot belong to it");
        }
        self.here("a comma or the closing bracket is missing before this")
            .help("a text that holds `: `, a comma or a bracket must be in quotes")
    }

    /// The innermost bracket that is open where the parser gave up, as far as can be seen without parsing.
    fn last_open(&self) -> Option<(usize, char)> {
        let mut open = Vec::new();
        let mut quote = None;
        let mut previous = ' ';
        for (at, c) in self.before(self.at).char_indices() {
            let begins = previous.is_whitespace() || matches!(previous, '[' | '{' | ',');
            match c {
                _ if quote.is_some() => quote = quote.filter(|quote| *quote != c),
                '"' | '\'' if begins => quote = Some(c),
                '[' | '{' if begins => open.push((at, c)),
                ']' | '}' => drop(open.pop()),
                _ => {}
            }
            previous = c;
        }
        open.pop()
    }

    fn alias(&self) -> Problem {
        let end = self.before(self.at).len() + self.after(self.at).chars().next().map_or(0, char::len_utf8);
        let start = self.before(end).rfind(['*', '&']).unwrap_or(self.at);
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
        let word = self.after(start).split(is_end).next().unwrap_or_default();
        let what = if word.starts_with('&') {
            "begins an anchor, which needs a name"
        } else {
            "is an alias, and nothing has that name"
        };
        let shown = self.repeated(start, word);
        self.told(format!("`{shown}` {what}"), start, word.len().max(1))
            .help(format!("write \"{shown}\" in quotes if the text is meant"))
    }

    /// A `:` where no value can be: a second one on its line, or one whose key is no key.
    fn colon(&self) -> Problem {
        let (start, line) = self.line(self.at);
        let key_end = line.find(": ").map(|offset| start + offset).filter(|end| *end < self.at);
        if let Some(key_end) = key_end {
            let value = self.repeated(self.at, line.get(key_end + 2 - start..).unwrap_or_default().trim());
            return self
                .here("a second `:` on one line")
                .help(format!("if it belongs to the text, write \"{value}\" in quotes"));
        }
        match self.line_before(self.at) {
            Some(before) if !before.1.contains(": ") && !before.1.ends_with(':') => self.no_colon(before),
            _ => self.indentation(),
        }
    }

    fn no_colon(&self, (start, line): (usize, &'a str)) -> Problem {
        let shown = self.repeated(start, line);
        let help = match shown.strip_prefix('-') {
            Some(item) => format!("an item of a list is written `- {item}`, with a space"),
            None => "a key is followed by a colon and a space".to_owned(),
        };
        self.told(format!("`{shown}` is not a key with a value"), start, line.len()).help(help)
    }

    fn indentation(&self) -> Problem {
        let (start, line) = self.line(self.at);
        let key = line.split(':').next().unwrap_or(line);
        let problem = self.told("the line is indented unlike those it could belong to", start, key.len());
        let column = |at: usize| at - self.before(at).rfind('\n').map_or(0, |newline| newline + 1) + 1;
        let help = "fields of one map begin in the same column";
        match self.line_before(self.at) {
            Some((before, text)) => {
                let field = before + text.len() - text.trim_start_matches("- ").len();
                let (own, other) = (column(start), column(field));
                problem.help(format!("{help}; this one begins in {own}, the one before it in {other}"))
            }
            None => problem.help(help),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::problem::Problem;
    use crate::policy::source::Sources;
    use crate::policy::tree;

    /// The first problem, and the text that it points at.
    fn first(text: &str) -> (String, String) {
        let mut sources = Sources::default();
        let file = sources.add("t.yaml", text);
        let mut problems: Vec<Problem> = Vec::new();
        tree::parse(&sources, file, &mut problems);
        let problem = &problems[0];
        (problem.message.clone(), sources.slice(problem.labels[0].0).to_owned())
    }

    fn is(text: &str, message: &str, pointed_at: &str) {
        assert_eq!(first(text), (message.to_owned(), pointed_at.to_owned()), "{text}");
    }

    #[test]
    fn a_tab_is_pointed_at_and_not_the_line_before_it() {
        is("a:\n  b: x\n\tc: 1\n", "a tab, where YAML takes only spaces", "\t");
        is("a:\n\tb: 1\n", "a tab, where YAML takes only spaces", "\t");
    }

    #[test]
    fn a_quote_that_is_not_closed_is_pointed_at_where_it_opens() {
        is("a: { b: \"x }\nc: { d: \"y\" }\n", "the quote is not closed", "\"");
        is("a: 'x\n", "the quote is not closed", "'");
        is("a: \"b\" == c\n", "something follows the text in quotes", "== c");
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_pointed_at_where_it_opens() {
        is("a: { b: 1\nc: 2\n", "`{` is not closed", "{");
        is("a: [b, { c: 1 }\nd: [2]\n", "`[` is not closed", "[");
        is("a: { b: 1 c: 2 }\n", "a comma or the closing bracket is missing before this", ":");
    }

    #[test]
    fn what_has_a_meaning_to_yaml_is_told_apart_from_text() {
        is("a: { b: ${env:K} }\n", "a reference within braces or brackets must be in quotes", "${env:K}");
        is("a: [b, *]\n", "`*` is an alias, and nothing has that name", "*");
        is("a: *gpt\n", "`*gpt` is an alias, and nothing has that name", "*gpt");
        is("a: b: c\n", "a second `:` on one line", ":");
        is("a: %5\n", "`%` cannot begin a text", "%");
    }

    #[test]
    fn a_line_that_is_no_key_is_pointed_at_rather_than_the_next() {
        is("a:\n  b\n  c: 1\n", "`b` is not a key with a value", "b");
        is("a:1\nb: 2\n", "`a:1` is not a key with a value", "a:1");
        is("a:\n- b\n-c\n", "`-c` is not a key with a value", "-c");
    }

    #[test]
    fn a_line_in_the_wrong_column_is_pointed_at_by_its_key() {
        is("a:\n  b: 1\n c: 2\n", "the line is indented unlike those it could belong to", "c");
        is("a: 1\n b: 2\n", "the line is indented unlike those it could belong to", "b");
    }
}
