//! Changing a key file the way a careful person would: one entry, and not a byte elsewhere.
//!
//! The file is edited as text, because writing it anew would lose its comments and its order. Each edit is
//! then read back, and refused if anything but the one thing has changed.

use jiff::Timestamp;

use super::key::KeyHash;
use super::key_file::{KeyFile, KeyProblem};

/// A key that is to be added.
#[derive(Debug, Clone)]
pub struct Draft {
    pub name: String,
    pub hash: KeyHash,
    pub team: Option<String>,
    pub user: Option<String>,
    pub tags: Vec<String>,
    pub models: Vec<String>,
    pub expires: Option<Timestamp>,
}

/// The file with one more key at its end. An empty text becomes a key file.
///
/// # Errors
/// If the name is taken, or the file is not a key file or written in a way that cannot be added to.
pub fn add(text: &str, draft: &Draft) -> Result<String, String> {
    let is_new = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let before = if is_new { KeyFile::default() } else { KeyFile::parse(text).map_err(in_words)? };
    if before.keys.iter().any(|key| key.name.as_str() == draft.name) {
        return Err(format!("there is already a key `{}`; revoke it, or choose another name", draft.name));
    }
    let after = if is_new { lines_of(&format!("{text}version: 1\nkeys:\n")) } else { lines_of(text) };
    let after = insert(after, draft)?.concat();
    let mut keys = KeyFile::parse(&after).map_err(in_words)?.keys;
    let added =
        keys.iter().position(|key| key.name.as_str() == draft.name && key.hash == draft.hash).map(|at| keys.remove(at));
    if added.is_none() || keys != before.keys {
        return Err(format!(
            "`{}` cannot be added to this file without changing the rest of it; add it by hand",
            draft.name
        ));
    }
    Ok(after)
}

/// The file with `revoked: true` at the key `name`.
///
/// # Errors
/// If there is no such key, it is revoked already, or its entry is written in a way that cannot be changed.
pub fn revoke(text: &str, name: &str) -> Result<String, String> {
    let mut expected = KeyFile::parse(text).map_err(in_words)?;
    let Some(key) = expected.keys.iter_mut().find(|key| key.name.as_str() == name) else {
        return Err(format!("there is no key `{name}`"));
    };
    if std::mem::replace(&mut key.revoked, true) {
        return Err(format!("`{name}` is revoked already"));
    }
    let by_hand =
        || format!("`{name}` is written in a way that cannot be changed safely; add `revoked: true` to it by hand");
    let after = mark(lines_of(text), name).ok_or_else(by_hand)?.concat();
    match KeyFile::parse(&after) {
        Ok(read) if read == expected => Ok(after),
        _ => Err(by_hand()),
    }
}

/// Lines with their ends; the last one gets one if it has none.
fn lines_of(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push('\n');
    }
    lines
}

fn insert(mut lines: Vec<String>, draft: &Draft) -> Result<Vec<String>, String> {
    let Some(head) = lines.iter().position(|line| line.starts_with("keys:")) else {
        lines.push("keys:\n".into());
        lines.push(written(draft, 2));
        return Ok(lines);
    };
    if let Some(line) = lines.get_mut(head) {
        let (value, comment) = value_and_comment(line);
        match value {
            "" => {}
            "{}" | "~" | "null" => *line = format!("keys:{comment}\n"),
            _ => return Err("`keys` is written on one line; write one key per line, and try again".into()),
        }
    }
    let block = Block::after(&lines, head);
    lines.insert(block.end, written(draft, block.indent.unwrap_or(2)));
    Ok(lines)
}

fn mark(mut lines: Vec<String>, name: &str) -> Option<Vec<String>> {
    let head = lines.iter().position(|line| line.starts_with("keys:"))?;
    let block = Block::after(&lines, head);
    let is_entry = |line: &String| indent_of(line) == block.indent && value_of(line, name).is_some();
    let at = head + 1 + lines.get(head + 1..block.end)?.iter().position(is_entry)?;
    let entry = Block::after(&lines, at);
    let line = lines.get_mut(at)?;
    let value = value_of(line, name)?;
    if let Some(fields) = value.trim_start().strip_prefix('{') {
        let before = line.strip_suffix(value)?;
        *line = if fields.contains(NOT_REVOKED) {
            format!("{before}{}", value.replacen(NOT_REVOKED, REVOKED, 1))
        } else {
            format!("{before} {{ {REVOKED}, {}", fields.trim_start())
        };
        return Some(lines);
    }
    match lines.get_mut(at + 1..entry.end)?.iter_mut().find(|line| line.trim_start().starts_with(NOT_REVOKED)) {
        // An explicit `false` has to go, or the field would stand there twice.
        Some(line) => *line = line.replacen(NOT_REVOKED, REVOKED, 1),
        None => lines.insert(at + 1, format!("{:width$}{REVOKED}\n", "", width = entry.indent?)),
    }
    Some(lines)
}

const REVOKED: &str = "revoked: true";
const NOT_REVOKED: &str = "revoked: false";

/// The lines that belong to a mapping's head, by their indentation.
struct Block {
    /// The line after the last one with content.
    end: usize,
    /// The spaces before its first line; `None` if it has no lines.
    indent: Option<usize>,
}

impl Block {
    fn after(lines: &[String], head: usize) -> Self {
        let outer = lines.get(head).and_then(|line| indent_of(line)).unwrap_or(0);
        let mut block = Self { end: head + 1, indent: None };
        for (at, line) in lines.iter().enumerate().skip(head + 1) {
            match indent_of(line) {
                Some(indent) if indent > outer => {
                    block.indent.get_or_insert(indent);
                    block.end = at + 1;
                }
                Some(_) => break,
                None => {}
            }
        }
        block
    }
}

/// The spaces before a line's content; `None` for a line that has none, or only a comment.
fn indent_of(line: &str) -> Option<usize> {
    let content = line.trim_start_matches(' ');
    (!content.trim().is_empty() && !content.starts_with('#')).then(|| line.len() - content.len())
}

/// What follows the first colon of a line, without and with its comment.
fn value_and_comment(line: &str) -> (&str, &str) {
    let rest = line.split_once(':').map_or("", |(_, rest)| rest).trim_end();
    match rest.find(" #") {
        Some(at) => rest.split_at_checked(at).map_or((rest.trim(), ""), |(value, comment)| (value.trim(), comment)),
        None => (rest.trim(), ""),
    }
}

/// What follows `name:` on a line that begins with it, bare or in quotes.
fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let spellings = [name.to_owned(), quoted(name), format!("'{}'", name.replace('\'', "''"))];
    spellings.iter().find_map(|written| line.strip_prefix(&**written)?.trim_start().strip_prefix(':'))
}

/// An entry in YAML, `indent` spaces in.
fn written(draft: &Draft, indent: usize) -> String {
    let list = |items: &[String]| format!("[{}]", items.iter().map(|item| scalar(item)).collect::<Vec<_>>().join(", "));
    let mut entry = format!("{:indent$}{}:\n", "", scalar(&draft.name));
    let mut field = |name: &str, value: String| {
        entry.push_str(&format!("{:indent$}  {name}: {value}\n", ""));
    };
    field("hash", format!("\"{}\"", draft.hash));
    draft.team.iter().for_each(|team| field("team", scalar(team)));
    draft.user.iter().for_each(|user| field("user", scalar(user)));
    if !draft.tags.is_empty() {
        field("tags", list(&draft.tags));
    }
    if !draft.models.is_empty() {
        field("models", list(&draft.models));
    }
    draft.expires.iter().for_each(|expires| field("expires", expires.to_string()));
    entry
}

/// A text as YAML reads it back: bare where that is safe, in quotes otherwise.
fn scalar(text: &str) -> String {
    // What YAML 1.1 or 1.2 would take for something other than a text.
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "~"];
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// JSON's strings are YAML's double-quoted ones.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn in_words(problems: Vec<KeyProblem>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn draft(name: &str) -> Draft {
        Draft {
            name: name.into(),
            hash: KeyHash::of(name),
            team: None,
            user: None,
            tags: vec![],
            models: vec![],
            expires: None,
        }
    }

    fn hash(name: &str) -> String {
        KeyHash::of(name).to_string()
    }

    /// With a comment of every kind, odd indentation, and something after the keys.
    fn lived_in() -> String {
        format!(
            "# who may call\nkeys:   # one per service\n    # the bot\n    bot:\n        hash: \"{}\" # ours\n        tags: [a]\n\n    'it''s':  {{ hash: \"{}\", team: x }}\n    plain: {{hash: \"{}\"}}\n\n# the format\nversion: 1\n",
            hash("bot"),
            hash("its"),
            hash("plain")
        )
    }

    #[test]
    fn the_first_key_makes_the_file() {
        let text = add("", &draft("bot")).unwrap();
        assert_eq!(text, format!("version: 1\nkeys:\n  bot:\n    hash: \"{}\"\n", hash("bot")));
        let commented = add("# keys of the team\n", &draft("bot")).unwrap();
        assert!(commented.starts_with("# keys of the team\nversion: 1\n"));
    }

    #[test]
    fn every_field_of_a_draft_is_read_back() {
        let full = Draft {
            team: Some("yes".into()),
            user: Some("Ada \"A\" L: #1".into()),
            tags: vec!["1e3".into(), "prod".into()],
            models: vec!["gpt-4*".into(), "*".into()],
            expires: Some("2027-01-01T00:00:00Z".parse().unwrap()),
            ..draft("42")
        };
        let file = KeyFile::parse(&add("", &full).unwrap()).unwrap();
        let key = &file.keys[0];
        assert_eq!(
            (key.name.as_str(), key.team.as_deref(), key.user.as_deref()),
            ("42", Some("yes"), Some("Ada \"A\" L: #1"))
        );
        assert_eq!((&*key.tags[0], &*key.models[1], key.expires), ("1e3", "*", full.expires));
    }

    #[test]
    fn a_key_is_added_at_the_end_of_the_keys_and_nothing_else_changes() {
        let before = lived_in();
        let after = add(&before, &draft("new")).unwrap();
        let entry = format!("    new:\n      hash: \"{}\"\n", hash("new"));
        assert_eq!(after.replace(&entry, ""), before);
        assert!(after.find("new:").unwrap() < after.find("# the format").unwrap());
    }

    #[test]
    fn an_empty_set_of_keys_can_be_added_to() {
        for text in ["version: 1\nkeys: {} # none yet\n", "version: 1\nkeys:\n", "version: 1", "keys: ~\nversion: 1\n"]
        {
            assert_eq!(KeyFile::parse(&add(text, &draft("a")).unwrap()).unwrap().keys.len(), 1, "{text}");
        }
        assert!(add("version: 1\nkeys: {} # none yet\n", &draft("a")).unwrap().contains("# none yet"));
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        assert!(add(&lived_in(), &draft("bot")).unwrap_err().contains("already a key `bot`"));
        assert!(add(&lived_in(), &draft("it's")).unwrap_err().contains("already"));
    }

    #[test]
    fn keys_on_one_line_are_left_alone() {
        let text = format!("version: 1\nkeys: {{ a: {{ hash: \"{}\" }} }}\n", hash("a"));
        assert!(add(&text, &draft("b")).unwrap_err().contains("one key per line"));
        assert!(revoke(&text, "a").unwrap_err().contains("by hand"));
    }

    #[test]
    fn a_file_that_is_broken_is_not_edited() {
        assert!(add("version: 1\nkeys:\n  a: { hash: x }\n", &draft("b")).unwrap_err().contains("line 3"));
    }

    #[test]
    fn a_key_is_revoked_where_it_stands() {
        let before = lived_in();
        let block = revoke(&before, "bot").unwrap();
        assert_eq!(block.replace("        revoked: true\n", ""), before);
        let flow = revoke(&before, "plain").unwrap();
        assert_eq!(flow.replace("{ revoked: true, ", "{"), before);
        let quoted = revoke(&before, "it's").unwrap();
        assert!(quoted.contains("    'it''s': { revoked: true, hash:"));
    }

    #[test]
    fn an_explicit_false_is_turned_over() {
        let text = format!("version: 1\nkeys:\n  a:\n    hash: \"{}\"\n    revoked: false # for now\n", hash("a"));
        assert_eq!(revoke(&text, "a").unwrap(), text.replace("false", "true"));
    }

    #[test]
    fn what_cannot_be_revoked_says_why() {
        assert_eq!(revoke(&lived_in(), "nobody").unwrap_err(), "there is no key `nobody`");
        let once = revoke(&lived_in(), "bot").unwrap();
        assert_eq!(revoke(&once, "bot").unwrap_err(), "`bot` is revoked already");
    }

    proptest! {
        #[test]
        fn any_printable_name_can_be_added_and_revoked(name in "[^\\p{Cc}]{1,20}", team in "[^\\p{Cc}]{1,20}") {
            let mut new = draft(&name);
            new.team = Some(team.clone());
            let added = add(&lived_in(), &new).unwrap();
            let revoked = KeyFile::parse(&revoke(&added, &name).unwrap()).unwrap();
            let key = revoked.keys.iter().find(|key| key.name.as_str() == name).unwrap();
            prop_assert!(key.revoked);
            prop_assert_eq!(key.team.as_deref(), Some(&*team));
        }
    }
}
