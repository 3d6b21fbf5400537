//! What is wrong with a configuration, shown so that it can be mended.
//!
//! A [`Problem`] says what is wrong, points at the text that is, and helps. Problems are collected, never
//! thrown: a person who mends a file wants to see all of them at once.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};
use serde_json::{Map, Value, json};

use super::codes::Code;
use super::source::{FileId, Sources, Span};

/// Whether a configuration with this problem can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
}

/// One thing that is wrong, or that is likely not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub level: Level,
    pub message: String,
    /// What to point at, and what to say there. The first is the place of the problem; without any, the
    /// problem is with a file as a whole, which the message names.
    pub labels: Vec<(Span, String)>,
    pub help: Vec<String>,
}

impl Problem {
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self { code, level: Level::Error, message: message.into(), labels: Vec::new(), help: Vec::new() }
    }

    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    /// Points at `span`, and says `text` there; an empty text only underlines.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    /// The problem as compilers show them: message, place, the lines of the file, help.
    pub fn render(&self, sources: &Sources, ink: Ink) -> String {
        let title = match self.level {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
        };
        let mut group = Group::with_title(title.primary_title(self.message.as_str()).id(self.code.name()));
        for file in self.files() {
            let Some(source) = sources.get(file) else { continue };
            let mut snippet = Snippet::source(sources.shown(file)).path(source.path.display().to_string());
            for (index, (span, text)) in self.labels.iter().enumerate().filter(|(_, (span, _))| span.file == file) {
                let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                let label = (!text.is_empty()).then_some(text.as_str());
                snippet = snippet.annotation(kind.span(sources.range(*span)).label(label));
            }
            group = group.element(snippet);
        }
        for help in &self.help {
            group = group.element(Title::HELP.message(help.as_str()));
        }
        match ink {
            Ink::Plain => Renderer::plain().render(&[group]),
            Ink::Colour => Renderer::styled().render(&[group]),
        }
    }

    /// One line, for a log: `policies/support.yaml:5:5: unknown step`.
    pub fn line(&self, sources: &Sources) -> String {
        let mut line = String::new();
        if let Some((span, _)) = self.labels.first() {
            let place = sources.place(*span);
            let _ = write!(line, "{}:{}:{}: ", place.path.display(), place.line, place.column);
        }
        let _ = write!(line, "{} [{}]", self.message, self.code.name());
        line
    }

    /// The problem for programs: editors, CI annotations.
    pub fn json(&self, sources: &Sources) -> Value {
        let mut object = match self.labels.first() {
            Some((span, _)) => place_fields(sources, *span),
            None => {
                ["file", "line", "column", "end"].into_iter().map(|field| (field.to_owned(), Value::Null)).collect()
            }
        };
        let label = |(span, text): &(Span, String)| {
            let mut label = place_fields(sources, *span);
            label.insert("text".into(), json!(text));
            Value::Object(label)
        };
        object.insert("code".into(), json!(self.code.name()));
        object.insert("level".into(), json!(if self.is_error() { "error" } else { "warning" }));
        object.insert("message".into(), json!(self.message));
        object.insert("help".into(), json!(self.help));
        object.insert("labels".into(), self.labels.iter().map(label).collect());
        Value::Object(object)
    }

    fn files(&self) -> Vec<FileId> {
        let mut files = Vec::new();
        for (span, _) in &self.labels {
            if !files.contains(&span.file) {
                files.push(span.file);
            }
        }
        files
    }
}

fn place_fields(sources: &Sources, span: Span) -> Map<String, Value> {
    let place = sources.place(span);
    let mut fields = Map::new();
    fields.insert("file".into(), json!(place.path.display().to_string()));
    fields.insert("line".into(), json!(place.line));
    fields.insert("column".into(), json!(place.column));
    fields.insert("end".into(), json!({ "line": place.end_line, "column": place.end_column }));
    fields
}

/// Whether a rendering may use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Colour,
}

/// What was meant, if a known word is near what was written.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_ascii_lowercase().replace(['-', '.', ' '], "_");
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&folded, &known.to_ascii_lowercase().replace('-', "_")), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `did you mean …?`, or nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|meant| format!("did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::codes;

    #[test]
    fn a_problem_points_names_and_helps() {
        let mut sources = Sources::default();
        let file = sources.add("p.yaml", "steps:\n  - redcat: {}\n");
        let problem = Problem::error(codes::UNKNOWN_CHOICE, "unknown step `redcat`")
            .at(Span::new(file, 11, 17), "did you mean `redact`?")
            .help("steps are: redact, rewrite");
        insta::assert_snapshot!(problem.render(&sources, Ink::Plain), @r"
        error[TG0102]: unknown step `redcat`
         --> p.yaml:2:5
          |
        2 |   - redcat: {}
          |     ^^^^^^ did you mean `redact`?
          |
          = help: steps are: redact, rewrite
        ");
        assert_eq!(problem.line(&sources), "p.yaml:2:5: unknown step `redcat` [TG0102]");
        assert_eq!(problem.json(&sources)["end"]["column"], 11);
    }

    #[test]
    fn only_a_near_word_is_offered() {
        assert_eq!(nearest("opnai", ["openai", "anthropic"]), Some("openai"));
        assert_eq!(nearest("max-concurent", ["max_concurrent"]), Some("max_concurrent"));
        assert_eq!(nearest("xyz", ["openai", "anthropic"]), None);
    }
}
