//! Counts against what is known of them, and texts that are meant to do harm.

use proptest::prelude::*;

use super::*;
use crate::base::ids::DialectId;
use crate::chat::{Message, Part, Role};

fn both(text: &str) -> (u64, u64) {
    (Encoding::O200k.count(text), Encoding::Cl100k.count(text))
}

fn asking(texts: &[&str]) -> Request {
    let mut request = Request::new(DialectId::OPENAI_CHAT, "gpt-4o");
    request.messages = texts.iter().map(|text| Message::new(Role::User, vec![Part::text(*text)])).collect();
    request
}

#[test]
fn texts_have_the_tokens_that_tiktoken_gives_them() {
    assert_eq!((both(""), both("hello world"), both("Hello, world!")), ((0, 0), (2, 2), (4, 4)));
    assert_eq!((both("tiktoken is great!"), both("2 + 2 = 4")), ((6, 6), (7, 7)));
    assert_eq!(both("antidisestablishmentarianism"), (6, 6));
    assert_eq!(both("お誕生日おめでとう"), (8, 9));
    assert_eq!((both("🙂"), both("👩\u{200d}👩\u{200d}👧\u{200d}👦")), ((1, 2), (11, 18)));
    assert_eq!(both("fn main() {\n    println!(\"hi\");\n}\n"), (10, 10));
}

#[test]
fn a_special_token_in_a_text_is_text() {
    assert_eq!(both("<|endoftext|>"), (7, 7));
    assert!(Encoding::O200k.count("<|im_start|>system<|im_end|><|endofprompt|>") > 10);
}

#[test]
fn every_role_is_a_token() {
    for role in ["system", "developer", "user", "assistant", "tool"] {
        assert_eq!(both(role), (1, 1), "{role}");
    }
}

#[test]
fn a_chat_takes_what_openai_says_it_does() {
    let count = |request: &Request| Tokens::default().count_here(Encoding::O200k, &Countable::of(request));
    // 3 for the message, 1 for its role, 1 for the text, 3 for the answer's head.
    assert_eq!(count(&asking(&["hello"])), 8);
    let mut named = asking(&["hello", "hello world"]);
    named.messages[0].name = Some("bob".into());
    assert_eq!(count(&named), 3 + (4 + 1 + 2) + (4 + 2));
}

#[test]
fn a_megabyte_of_anything_is_counted() {
    let noise: Vec<u8> = (0..1_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let hostile = [
        "a".repeat(1 << 20),
        " ".repeat(1 << 20),
        "\n ".repeat(1 << 19),
        "\u{301}".repeat(1 << 19),
        "<|endoftext|>".repeat(80_000),
        String::from_utf8_lossy(&noise).into_owned(),
    ];
    for text in &hostile {
        let (o200k, cl100k) = both(text);
        assert!(o200k > 0 && o200k <= text.len() as u64 && cl100k > 0 && cl100k <= text.len() as u64);
    }
}

#[test]
fn a_conversation_sent_again_costs_its_new_turns_only() {
    let tokens = Tokens::default();
    let turns: Vec<String> = (0..20).map(|turn| format!("turn {turn} says rather more than a few words do")).collect();
    let texts: Vec<&str> = turns.iter().map(String::as_str).collect();
    let first = tokens.count_here(Encoding::O200k, &Countable::of(&asking(&texts[..19])));
    assert_eq!(tokens.counts.known(), 19);
    let second = tokens.count_here(Encoding::O200k, &Countable::of(&asking(&texts)));
    assert_eq!((tokens.counts.known(), second - first), (20, 4 + Encoding::O200k.count(texts[19])));
    // Another encoding's counts are its own.
    tokens.count_here(Encoding::Cl100k, &Countable::of(&asking(&texts)));
    assert_eq!(tokens.counts.known(), 40);
}

#[tokio::test]
async fn a_long_text_has_the_same_count_on_another_thread() {
    let (tokens, long) = (Tokens::default(), "a word and another ".repeat(4_000));
    let countable = Countable::of(&asking(&[&long]));
    assert_eq!(tokens.count(Encoding::O200k, &countable).await, Some(tokens.count_here(Encoding::O200k, &countable)));
}

#[test]
fn a_bound_counts_only_texts_that_stand_alone() {
    let mut request = asking(&["a text that is by itself in its message", "one"]);
    request.messages[1].parts.push(Part::text("of two"));
    let bound = Countable::bound(&request);
    assert_eq!(bound.bytes(), "a text that is by itself in its message".len());
    assert_eq!(bound.fixed, request.most_tokens() - bound.bytes() as u64);
}

proptest! {
    #[test]
    fn no_text_has_more_tokens_than_bytes(text in any::<String>()) {
        let (o200k, cl100k) = both(&text);
        prop_assert!(o200k <= text.len() as u64 && cl100k <= text.len() as u64);
    }

    #[test]
    fn a_request_has_no_more_tokens_than_its_bounds(texts in prop::collection::vec(any::<String>(), 0..6)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (tokens, request) = (Tokens::default(), asking(&texts));
        let exact = tokens.count_here(Encoding::O200k, &Countable::of(&request));
        let bound = tokens.count_here(Encoding::O200k, &Countable::bound(&request));
        prop_assert!(exact <= bound && bound <= request.most_tokens());
    }
}
