//! The codes of all problems, each with a page that explains it.
//!
//! A page holds a wrong and a right example; a test loads both, so a page cannot drift from what the
//! compiler does.

/// The code of a kind of problem: `TG0101`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// The page that explains a code, as Markdown; the code may be written in any case.
pub fn page(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_uppercase();
    PAGES.iter().find(|(known, _)| known.name() == code).map(|(_, page)| page.trim())
}

/// Every code there is, in order.
pub fn all() -> impl Iterator<Item = Code> {
    PAGES.iter().map(|(code, _)| *code)
}

macro_rules! codes {
    ($($name:ident = $code:literal;)*) => {
        $(pub const $name: Code = Code($code);)*

        static PAGES: &[(Code, &str)] = &[$(($name, include_str!(concat!("codes/", $code, ".md")))),*];
    };
}

codes! {
    UNREADABLE = "TG0001";
    SYNTAX = "TG0002";
    DUPLICATE_KEY = "TG0003";
    BOOLEAN_WORD = "TG0004";
    TOO_LARGE = "TG0005";
    EMPTY_IMPORT = "TG0006";
    UNKNOWN_FIELD = "TG0101";
    UNKNOWN_CHOICE = "TG0102";
    MISSING_FIELD = "TG0103";
    WRONG_VALUE = "TG0104";
    NO_UNIT = "TG0105";
    NOT_AVAILABLE = "TG0106";
    BAD_REFERENCE = "TG0107";
    EMPTY = "TG0108";
    OUT_OF_RANGE = "TG0109";
    CONTRADICTION = "TG0110";
    UNDEFINED = "TG0201";
    UNUSED = "TG0202";
    DUPLICATE_NAME = "TG0203";
    NEVER_MATCHES = "TG0204";
    NO_ROUTE = "TG0205";
    NO_PRICE = "TG0206";
    NO_DEFAULT = "TG0207";
    CONDITION_SYNTAX = "TG0301";
    CONDITION_NAME = "TG0302";
    CONDITION_FUNCTION = "TG0303";
    CONDITION_TYPE = "TG0304";
    OVERLAY_ADDS = "TG0401";
    OVERLAY_REMOVES = "TG0402";
    OPEN_TO_ALL = "TG0501";
    LITERAL_SECRET = "TG0502";
    UNRESOLVED = "TG0503";
    UNSHARED = "TG0504";
    RAW_TEXTS = "TG0505";
    CANNOT_ACT = "TG0601";
    CANNOT_OPEN = "TG0602";
    SHOWN_FIRST = "TG0701";
    ADDED_LAST = "TG0702";
    PASSED_BY = "TG0703";
    CHARGED_TO_NOBODY = "TG0704";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Environment, load};

    /// An example, with the parts of a gateway file that it leaves out.
    fn loads(example: &str) -> Vec<&'static str> {
        let folder = tempfile::tempdir().unwrap();
        let (base, overlay) = match example.strip_prefix("# file: prod.yaml\n") {
            Some(overlay) => ("", Some(overlay)),
            None => (example, None),
        };
        let mut text = base.to_owned();
        for (section, usual) in [
            ("version:", "version: 1"),
            ("providers:", "providers: { openai: { kind: openai, key: \"${env:K}\" } }"),
            ("callers:", "callers: { anonymous: true }"),
            ("policies:", "policies: [{ policy: default, route: openai }]"),
        ] {
            if !text.lines().any(|line| line.starts_with(section)) {
                text = format!("{usual}\n{text}");
            }
        }
        let mut files = vec![folder.path().join("tidegate.yaml")];
        std::fs::write(&files[0], text).unwrap();
        if let Some(overlay) = overlay {
            files.push(folder.path().join("prod.yaml"));
            std::fs::write(&files[1], overlay).unwrap();
        }
        load(&files, &Environment::of([], "")).problems.iter().map(|problem| problem.code.name()).collect()
    }

    fn examples(page: &str) -> Vec<&str> {
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
    }

    #[test]
    fn the_wrong_example_of_each_page_has_its_problem_and_the_right_one_has_not() {
        for (code, page) in PAGES {
            let examples = examples(page);
            let without = ["TG0001", "TG0005", "TG0503", "TG0602", "TG0703"].contains(&code.name());
            assert_eq!(examples.len(), if without { 0 } else { 2 }, "{}", code.name());
            if let [wrong, right] = examples[..] {
                assert!(loads(wrong).contains(&code.name()), "{}: {:?}", code.name(), loads(wrong));
                let only_a_warning = |found: Vec<&str>| found.iter().all(|found| ["TG0501", "TG0202"].contains(found));
                assert!(only_a_warning(loads(right)), "{}: {:?}", code.name(), loads(right));
            }
        }
    }

    #[test]
    fn each_code_is_used_and_named_after_its_page() {
        fn sources(folder: &std::path::Path, all: &mut String) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, all);
                } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("codes.rs") {
                    all.push_str(&std::fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut all = String::new();
        sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut all);
        let table = include_str!("codes.rs");
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {}: ", code.name())));
            let line = table.lines().find(|line| line.ends_with(&format!("= \"{}\";", code.name()))).unwrap();
            let name = line.split_whitespace().next().unwrap();
            assert!(all.contains(&format!("codes::{name}")), "nothing uses {name}");
        }
    }

    #[test]
    fn a_page_is_found_by_its_code_in_any_case() {
        assert_eq!(page("tg0101"), page("TG0101"));
        assert!(page("TG0101").is_some() && page("TG9999").is_none());
    }
}
