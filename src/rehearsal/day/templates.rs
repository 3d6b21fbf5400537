//! What the built-in crowd asks about: each template with each of its fillers is a question of its own, which may be put in
//! any of the template's ways. Fillers are near-misses of each other, and some templates are of others.

/// Ways to ask for the same.
pub struct Template {
    /// The first is the usual one; `{}` is what is filled in.
    pub ways: &'static [&'static str],
    pub fillers: &'static [&'static str],
    /// Whether the answer is another one for each team.
    pub is_own: bool,
}

const fn common(ways: &'static [&'static str], fillers: &'static [&'static str]) -> Template {
    Template { ways, fillers, is_own: false }
}

const fn own(ways: &'static [&'static str], fillers: &'static [&'static str]) -> Template {
    Template { ways, fillers, is_own: true }
}

const FEATURES: &[&str] =
    &["dark mode", "two-factor authentication", "email alerts", "weekly reports", "single sign-on", "audit logs"];
const PLACES: &[&str] = &["Spain", "France", "Rotterdam", "Rome", "Oslo", "the office in Leeds"];
const NUMBERS: &[&str] = &[
    "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "15", "20", "21", "30", "31", "50", "100", "200",
    "300", "500", "1000", "10000",
];

pub const TEMPLATES: &[Template] = &[
    common(
        &[
            "How do I enable {}?",
            "how can I enable {}",
            "Hi, how do you enable {}? Thanks!",
            "Could you please tell me how to enable {}?",
            "How do I turn on {}?",
            "I have no clue how to enable {}",
        ],
        FEATURES,
    ),
    common(
        &["How do I disable {}?", "how to disable {}", "Hello, how can I disable {}", "How do I turn off {}?"],
        FEATURES,
    ),
    common(&["How do I not enable {}?", "how can I not enable {}"], FEATURES),
    common(&["Can I enable {} before the trial ends?", "can I please enable {} before the trial ends"], FEATURES),
    common(&["Can I enable {} after the trial ends?", "can I please enable {} after the trial ends"], FEATURES),
    common(
        &[
            "How do I select page {} of the photo album?",
            "how can I select page {} of the photo album",
            "How do I choose page {} of the photograph album?",
            "how do I pick page {} of the picture album please",
        ],
        NUMBERS,
    ),
    common(
        &[
            "How do I delete the last {} photos?",
            "how to delete the last {} photographs",
            "How do I erase the last {} photos?",
            "How do I remove the last {} pictures?",
        ],
        NUMBERS,
    ),
    common(
        &[
            "How do I delete the first {} photos?",
            "how to erase the first {} photographs",
            "Hi, how can I delete the first {} photographs?",
        ],
        NUMBERS,
    ),
    common(
        &[
            "How do I buy {} more seats for the children?",
            "how can I purchase {} more seats for the children",
            "How do I buy {} more seats for the kids?",
            "where do I get {} more seats for the little ones",
        ],
        NUMBERS,
    ),
    common(&["How do I sell {} seats of the children?", "how can I sell {} seats of the kids"], NUMBERS),
    common(
        &[
            "How do I export {} rows to a file?",
            "hi, how can I export {} rows to a file",
            "What is the way to export {} rows?",
        ],
        NUMBERS,
    ),
    common(&["How do I import {} rows from a file?", "how can I import {} rows from a file?"], NUMBERS),
    common(
        &[
            "Does shipping to {} cost extra?",
            "does shipping to {} cost extra",
            "Is there a surcharge for shipping to {}?",
        ],
        PLACES,
    ),
    common(&["Does shipping from {} cost extra?", "does shipping from {} cost extra please"], PLACES),
    common(&["What is the capital of the region around {}?", "what's the capital of the region around {}"], PLACES),
    common(&["Was {} always part of the free delivery area?", "was {} always part of the free delivery area"], PLACES),
    common(&["Is {} still part of the free delivery area?", "is {} still part of the free delivery area"], PLACES),
    own(
        &[
            "How do I reach our support desk in {}?",
            "how can I reach our support desk in {}",
            "Hi, how do I reach our support desk in {}? Thanks!",
            "How do I contact our support desk in {}?",
        ],
        PLACES,
    ),
    own(&["How many days do I have to return {} items?", "how many days do I have to return {} items please"], NUMBERS),
    own(
        &[
            "What is our discount for {} seats?",
            "what's our discount for {} seats",
            "which discount do we give for {} seats",
        ],
        NUMBERS,
    ),
    own(&["Who approves {} for my team?", "who approves {} for my team please"], FEATURES),
    own(&["Who rejects {} for my team?", "who rejects {} for my team please"], FEATURES),
];

/// What a system prompt may ask for on top.
pub const SYSTEMS: &[&str] = &["Answer in one sentence.", "Answer in three sentences."];
/// What is asked next, of which the meaning is that of the conversation.
pub const FOLLOWING: &[&str] = &["Why?", "And on a phone?"];
