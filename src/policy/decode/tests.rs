use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::policy::tree;

#[derive(Debug, PartialEq, Deserialize)]
struct House {
    name: At<String>,
    #[serde(default)]
    doors: Vec<Door>,
    #[serde(default)]
    rooms: BTreeMap<String, u16>,
    owner: Option<OneOrMany<String>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Door {
    Open,
    Locked(Lock),
    Barred { bars: u8 },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Lock {
    key: String,
    turns: u8,
}

fn read(text: &str) -> (Option<House>, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("h.yaml", text);
    let mut problems = Vec::new();
    let documents = tree::parse(&sources, file, &mut problems);
    let decoded = decode(&documents[0], &sources);
    problems.extend(decoded.problems);
    (decoded.value, problems.iter().map(|problem| problem.line(&sources)).collect())
}

#[test]
fn a_sound_document_becomes_its_value() {
    let (house, problems) = read(
        "name: home\ndoors: [open, {locked: {key: k, turns: 2}}, {barred: {bars: 3}}]\nrooms: {a: 1}\nowner: me\n",
    );
    let house = house.unwrap();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!((house.name.value.as_str(), house.name.span.start), ("home", 6));
    let lock = Lock { key: "k".into(), turns: 2 };
    assert_eq!(house.doors, [Door::Open, Door::Locked(lock), Door::Barred { bars: 3 }]);
    assert_eq!(house.owner, Some(OneOrMany(vec!["me".into()])));
}

#[test]
fn every_problem_is_found_in_one_go() {
    let (house, problems) = read(
        "nam: home
name: 7
doors:
  - locked: { key: true, turns: 900 }
  - lokced: {}
  - open
  - barred
  - { open: {}, barred: {} }
rooms: { a: many, b: 70000, c: 3 }
owner: [x, [z]]
",
    );
    assert_eq!(
        problems,
        [
            "h.yaml:1:1: unknown field `nam` [TG0101]",
            "h.yaml:2:7: expected a text, found the number `7` [TG0104]",
            "h.yaml:4:20: expected a text, found `true` [TG0104]",
            "h.yaml:4:33: expected a whole number from 0 to 255, found the number `900` [TG0104]",
            "h.yaml:5:5: unknown door `lokced` [TG0102]",
            "h.yaml:7:5: `barred` needs settings [TG0104]",
            "h.yaml:8:5: a door is a map of one key [TG0104]",
            "h.yaml:9:13: expected a whole number, found the text `many` [TG0104]",
            "h.yaml:9:22: expected a whole number from 0 to 65535, found the number `70000` [TG0104]",
            "h.yaml:10:12: expected a text, found a list [TG0104]",
        ]
    );
    assert_eq!(house, None);
}

#[test]
fn what_is_sound_is_kept_beside_what_is_not() {
    let (house, problems) = read("name: home\ndoors: [opne, open]\nrooms: { a: x, b: 2 }\n");
    assert_eq!(problems.len(), 2);
    let house = house.unwrap();
    assert_eq!(house.doors, [Door::Open]);
    assert_eq!(house.rooms, BTreeMap::from([("b".to_owned(), 2)]));
}

#[test]
fn a_missing_field_is_reported_once_and_at_the_key_of_what_lacks_it() {
    let (_, problems) = read("name: home\ndoors:\n  - locked: { turns: 1 }\n  - locked: { key: 5, turns: 1 }\n");
    assert_eq!(
        problems,
        [
            "h.yaml:3:5: the field `key` is missing [TG0103]",
            "h.yaml:4:20: expected a text, found the number `5` [TG0104]"
        ]
    );
}
