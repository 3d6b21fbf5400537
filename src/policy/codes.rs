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
    CANNOT_ACT = "TG0601";
    CANNOT_OPEN = "TG0602";
}
