//! YAML as a tree that knows where every key and value stands.
//!
//! A document is read once into owned [`Node`]s; merging, decoding and checking work on those. What YAML
//! leaves open is closed here: a duplicate key, a tag, and a plain word that YAML 1.1 reads as a boolean
//! are problems. Aliases are copied out, within a budget that no file of honest size reaches.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    Event, Options, Parser, ScalarStyle, Span as Mark, StrInput, StructureStyle, options,
};

use super::codes;
use super::problem::Problem;
use super::source::{FileId, Sources, Span};
use super::syntax;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub value: Value,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Scalar(Scalar),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    pub text: String,
    pub form: Form,
}

/// How a scalar was written: only a plain one can be anything but text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    Quoted,
    Block,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: Key,
    pub value: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: String,
    pub span: Span,
}

/// What a plain scalar stands for, by the core schema of YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key.text == key).map(|entry| &entry.value)
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::Seq(_) => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Seq(items) => items,
            Value::Scalar(_) | Value::Map(_) => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// What to underline to mean this value: the whole of it, or the start of what spans many lines.
    pub fn point(&self, sources: &Sources) -> Span {
        match &self.value {
            Value::Map(entries) if self.is_long(sources) => entries.first().map_or(self.span, |entry| entry.key.span),
            Value::Seq(items) if self.is_long(sources) => items.first().map_or(self.span, |item| item.point(sources)),
            _ => self.span,
        }
    }

    fn is_long(&self, sources: &Sources) -> bool {
        sources.slice(self.span).contains('\n')
    }
}

impl Scalar {
    pub fn plain(&self) -> Plain<'_> {
        if self.form != Form::Plain {
            return Plain::Text(&self.text);
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
            "true" | "True" | "TRUE" => Plain::Bool(true),
            "false" | "False" | "FALSE" => Plain::Bool(false),
            text => number(text).unwrap_or(Plain::Text(text)),
        }
    }
}

fn number(text: &str) -> Option<Plain<'_>> {
    let digits = text.trim_start_matches(['+', '-']);
    if text.len() - digits.len() > 1 || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let unsigned = text.trim_start_matches('+').parse().ok().map(Plain::Unsigned);
        return unsigned
            .or_else(|| text.parse().ok().map(Plain::Signed))
            .or_else(|| text.parse().ok().map(Plain::Float));
    }
    let is_float = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if is_float { text.parse().ok().map(Plain::Float) } else { None }
}

/// Reads every document of a file. Problems go to `problems`; a document with a fault in its syntax is
/// left out, and so is what comes after it.
pub fn parse(sources: &Sources, file: FileId, problems: &mut Vec<Problem>) -> Vec<Node> {
    let Some(source) = sources.get(file) else { return Vec::new() };
    if source.text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        problems.push(Problem::error(codes::TOO_LARGE, message).at(Span::new(file, 0, 0), ""));
        return Vec::new();
    }
    let mut options: Options = options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(&source.text, options);
    let mut reader = Reader {
        text: &source.text,
        file,
        parser,
        anchors: HashMap::new(),
        nodes: MAX_NODES,
        bytes: MAX_BYTES * 4,
        problems,
    };
    let (mut documents, mut document) = (Vec::new(), None);
    while let Ok(Some((event, mark))) = reader.next() {
        match event {
            Event::DocumentStart(..) => reader.anchors.clear(),
            Event::DocumentEnd => documents.extend(document.take()),
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                match reader.node(event, mark) {
                    Ok(node) => document = Some(node),
                    Err(Halt) => break,
                }
            }
            _ => {}
        }
    }
    documents
}

/// A problem was noted after which reading cannot go on.
struct Halt;

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    /// How many more nodes, and bytes of text, may come out of this file.
    nodes: usize,
    bytes: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Mark)>, Halt> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((Event::StreamEnd, _))) => Ok(None),
            Some(Ok(next)) => Ok(Some(next)),
            Some(Err(error)) => {
                self.problems.push(syntax::problem(self.text, self.file, &error));
                Err(Halt)
            }
        }
    }

    fn node(&mut self, event: Event<'a>, mark: Mark) -> Result<Node, Halt> {
        let span = self.span(&mark);
        if let Some(tag) = event.tag() {
            let message = format!("the tag `{}` has no meaning here", tag.original());
            let at = mark.tag_span().map_or(span, |tag| self.span(&tag));
            let help = "a text that begins with `!`, such as a condition, must be in quotes";
            self.problems.push(Problem::error(codes::SYNTAX, message).at(at, "").help(help));
        }
        let anchor = event.anchor_id().unwrap_or(0);
        let node = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, ..) => self.scalar(&text, style, span),
            Event::SequenceStart(style, ..) => self.sequence(style, span)?,
            Event::MappingStart(style, ..) => self.mapping(style, span)?,
            _ => Node { value: Value::Scalar(Scalar { text: String::new(), form: Form::Plain }), span },
        };
        self.charge(1, node.text().map_or(0, str::len), span)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, Halt> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            self.problems.push(Problem::error(codes::SYNTAX, "an alias inside its own anchor").at(span, ""));
            return Err(Halt);
        };
        let (nodes, bytes) = weigh(&node);
        self.charge(nodes, bytes, span)?;
        Ok(node)
    }

    fn charge(&mut self, nodes: usize, bytes: usize, span: Span) -> Result<(), Halt> {
        match (self.nodes.checked_sub(nodes), self.bytes.checked_sub(bytes)) {
            (Some(nodes), Some(bytes)) => {
                (self.nodes, self.bytes) = (nodes, bytes);
                Ok(())
            }
            _ => {
                let message = format!("the file holds more than {MAX_NODES} values, aliases counted");
                self.problems.push(Problem::error(codes::TOO_LARGE, message).at(span, ""));
                Err(Halt)
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let form = match style {
            ScalarStyle::Plain => Form::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Form::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Form::Block,
        };
        if form == Form::Plain {
            self.refuse_boolean_word(text, span);
        }
        Node { value: Value::Scalar(Scalar { text: text.to_owned(), form }), span }
    }

    fn refuse_boolean_word(&mut self, text: &str, span: Span) {
        let meant = match text.to_ascii_lowercase().as_str() {
            "on" | "yes" | "y" => "true",
            "off" | "no" | "n" => "false",
            _ => return,
        };
        let message = format!("`{text}` is a boolean to some readers of YAML and text to others");
        let help = format!("write `{meant}`, or \"{text}\" in quotes if the text is meant");
        self.problems.push(Problem::error(codes::BOOLEAN_WORD, message).at(span, "").help(help));
    }

    fn sequence(&mut self, style: StructureStyle, start: Span) -> Result<Node, Halt> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let Some((event, mark)) = self.next()? else { return Err(Halt) };
            if matches!(event, Event::SequenceEnd) {
                let last = items.last().map(|item| item.span);
                let span = self.extent(style, start, items.first().map(|item| item.span), last, &mark);
                return Ok(Node { value: Value::Seq(items), span });
            }
            items.push(self.node(event, mark)?);
        }
    }

    fn mapping(&mut self, style: StructureStyle, start: Span) -> Result<Node, Halt> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: HashMap<String, Span> = HashMap::new();
        loop {
            let Some((event, mark)) = self.next()? else { return Err(Halt) };
            if matches!(event, Event::MappingEnd) {
                let first = entries.first().map(|entry| entry.key.span);
                let last = entries.last().map(|entry| entry.value.span);
                let span = self.extent(style, start, first, last, &mark);
                return Ok(Node { value: Value::Map(entries), span });
            }
            let key = self.node(event, mark)?;
            let Some((event, mark)) = self.next()? else { return Err(Halt) };
            let value = self.node(event, mark)?;
            let Some(key) = self.key(key) else { continue };
            if key.text == "<<" {
                let problem = Problem::error(codes::SYNTAX, "maps are not merged: `<<` is of YAML 1.1");
                let help = "write the fields out; an alias can stand for a whole value, as in `timeouts: *usual`";
                self.problems.push(problem.at(key.span, "").help(help));
            }
            if let Some(first) = known.insert(key.text.clone(), key.span) {
                let problem = Problem::error(codes::DUPLICATE_KEY, format!("`{}` is given twice", key.text))
                    .at(key.span, "here again")
                    .at(first, "first here");
                self.problems.push(problem);
                known.insert(key.text, first);
                continue;
            }
            entries.push(Entry { key, value });
        }
    }

    fn key(&mut self, node: Node) -> Option<Key> {
        match node.value {
            Value::Scalar(scalar) => Some(Key { text: scalar.text, span: node.span }),
            Value::Seq(_) | Value::Map(_) => {
                self.problems.push(Problem::error(codes::SYNTAX, "a key must be a word or a text").at(node.span, ""));
                None
            }
        }
    }

    /// Block collections have no end of their own: they reach from their first child to their last.
    fn extent(&self, style: StructureStyle, start: Span, first: Option<Span>, last: Option<Span>, end: &Mark) -> Span {
        match (style, first, last) {
            (StructureStyle::Block, Some(first), Some(last)) => first.to(last),
            _ => start.to(self.span(end)),
        }
    }

    fn span(&self, mark: &Mark) -> Span {
        let range = mark.byte_range().unwrap_or(0..0);
        let trimmed = self.text.get(range.clone()).map_or(range.end, |text| range.start + text.trim_end().len());
        Span::new(self.file, range.start, trimmed)
    }
}

fn weigh(node: &Node) -> (usize, usize) {
    let add = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
    match &node.value {
        Value::Scalar(scalar) => (1, scalar.text.len()),
        Value::Seq(items) => items.iter().map(weigh).fold((1, 0), add),
        Value::Map(entries) => {
            entries.iter().map(|entry| add((1, entry.key.text.len()), weigh(&entry.value))).fold((1, 0), add)
        }
    }
}

const MAX_BYTES: usize = 4 << 20;
const MAX_NODES: usize = 200_000;
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Node>, Vec<Problem>, Sources) {
        let mut sources = Sources::default();
        let file = sources.add("t.yaml", text);
        let mut problems = Vec::new();
        (parse(&sources, file, &mut problems), problems, sources)
    }

    fn only_code(text: &str) -> &'static str {
        let (_, problems, _) = read(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].code.name()
    }

    #[test]
    fn keys_and_values_know_where_they_stand() {
        let (documents, problems, sources) = read("a: 1\nb:\n  - \"x y\"\n  - { c: d }\n---\nz: 1\n");
        assert_eq!(problems, []);
        assert_eq!(documents.len(), 2);
        let list = documents[0].get("b").unwrap();
        assert_eq!(sources.slice(documents[0].entries()[1].key.span), "b");
        assert_eq!(sources.slice(list.items()[0].span), "\"x y\"");
        assert_eq!(sources.slice(list.items()[1].span), "{ c: d }");
        assert_eq!(sources.slice(list.span), "\"x y\"\n  - { c: d }");
    }

    #[test]
    fn only_a_plain_scalar_is_anything_but_text() {
        let plain = |text: &str, form| format!("{:?}", Scalar { text: text.into(), form }.plain());
        assert_eq!(plain("12", Form::Plain), "Unsigned(12)");
        assert_eq!(plain("-1", Form::Plain), "Signed(-1)");
        assert_eq!(plain("2.50", Form::Plain), "Float(2.5)");
        assert_eq!(plain("1e3", Form::Plain), "Float(1000.0)");
        assert_eq!(plain("12", Form::Quoted), "Text(\"12\")");
        for text in ["2s", "1.2.3", "--1", "1-2", "e", "."] {
            assert!(plain(text, Form::Plain).starts_with("Text"), "{text}");
        }
    }

    #[test]
    fn a_key_given_twice_is_pointed_at_in_both_places() {
        let (_, problems, sources) = read("a: 1\nb: 2\na: 3\na: 4\n");
        assert_eq!(problems.len(), 2);
        let lines: Vec<_> = problems[1].labels.iter().map(|(span, _)| sources.place(*span).line).collect();
        assert_eq!(lines, [4, 1]);
    }

    #[test]
    fn words_that_yaml_1_1_takes_for_booleans_are_refused_unless_quoted() {
        for word in ["on", "Off", "YES", "no", "y", "N"] {
            assert_eq!(only_code(&format!("a: {word}")), "TG0004");
            assert_eq!(only_code(&format!("{word}: 1")), "TG0004");
        }
        assert_eq!(read("a: 'on'\n\"no\": 1\nonly: nope\n").1, []);
    }

    #[test]
    fn a_fault_in_the_syntax_has_a_place() {
        let (_, problems, sources) = read("a: 1\nb: [1, 2\nc: 3\n");
        assert_eq!(problems[0].code, codes::SYNTAX);
        assert!(sources.place(problems[0].labels[0].0).line >= 2);
        assert_eq!(only_code("a: !secret x"), "TG0002");
        assert_eq!(only_code("? [1, 2]\n: x"), "TG0002");
        assert_eq!(only_code("a: *nobody"), "TG0002");
        assert_eq!(only_code("a: &a [*a]"), "TG0002");
    }

    #[test]
    fn an_alias_is_a_copy_and_a_bomb_of_them_goes_off_harmlessly() {
        let (documents, problems, _) = read("a: &x { k: v }\nb: *x\n");
        assert_eq!(problems, []);
        assert_eq!(documents[0].get("b").unwrap().get("k").unwrap().text(), Some("v"));

        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = level - 1;
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
        }
        assert_eq!(only_code(&bomb), "TG0005");
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(only_code(&"[".repeat(5000)), "TG0002");
        let mut nested = String::new();
        for level in 0..200 {
            nested += &format!("{}a:\n", " ".repeat(level));
        }
        assert_eq!(only_code(&nested), "TG0002");
    }
}
