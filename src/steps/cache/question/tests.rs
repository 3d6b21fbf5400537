use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::clock::Clock;
use crate::dialect::Dialect;
use crate::dialect::anthropic_messages::AnthropicMessages;
use crate::dialect::openai_chat::OpenAiChat;
use crate::pipeline::facts::Endpoint;
use crate::tokens::Tokens;

fn hash(pieces: &[Vec<u8>]) -> Question {
    let mut said = Said::default();
    pieces.iter().for_each(|piece| said.bytes(piece));
    said.question()
}

/// Pieces of one letter, so that they differ by their lengths alone: about the borders of what a length says in a byte,
/// and of what is hashed together.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop::sample::select(vec![0, 1, 2, 127, 128, 129, 1023, 1024, 1025, 2047, 2048, 16_384]);
    prop::collection::vec(length.prop_map(|length| vec![b'a'; length]), 0..6)
}

proptest! {
    #[test]
    fn no_two_things_run_into_one(one in pieces(), other in pieces()) {
        prop_assert_eq!(hash(&one) == hash(&other), one == other);
    }

    #[test]
    fn pieces_are_hashed_in_their_order_however_large(pieces in pieces(), letters in prop::collection::vec(any::<u8>(), 6)) {
        let pieces: Vec<Vec<u8>> =
            pieces.iter().zip(letters).map(|(piece, letter)| vec![letter; piece.len()]).collect();
        let mut all = Vec::new();
        for piece in &pieces {
            let mut left = piece.len();
            while left > 127 {
                all.push((left % 128) as u8 + 128);
                left /= 128;
            }
            all.push(left as u8);
            match piece.len() {
                2048.. => all.extend(blake3::hash(piece).as_bytes()),
                _ => all.extend(piece),
            }
        }
        prop_assert_eq!(hash(&pieces), Question(Sha256::digest(&all).into()));
    }
}

#[test]
fn what_ends_in_one_thing_does_not_begin_another() {
    let hash = |pieces: [&str; 2]| hash(&pieces.map(|piece| piece.as_bytes().to_vec()));
    assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
    assert_ne!(hash(["", "abc"]), hash(["abc", ""]));
}

fn asked(dialect: &dyn Dialect, members: &str) -> Question {
    let request = dialect.read_request(&format!(r#"{{"model":"m",{members}}}"#).into()).unwrap();
    let cx = Cx::new(Endpoint::Chat, Clock::system(), Arc::new(Tokens::default()));
    let circumstances = Circumstances { imprint: "", route: None, shared_by: SharedBy::Key, steers: false };
    of(&circumstances, &cx, &request, None).question
}

fn all_differ(dialect: &dyn Dialect, bodies: &[&str]) {
    for (nth, one) in bodies.iter().enumerate() {
        for other in &bodies[..nth] {
            assert_ne!(asked(dialect, one), asked(dialect, other), "{one} {other}");
        }
    }
}

#[test]
fn how_a_model_is_to_think_is_a_part_of_the_question() {
    all_differ(
        &AnthropicMessages,
        &[
            r#""messages":[]"#,
            r#""messages":[],"thinking":{}"#,
            r#""messages":[],"thinking":{"type":"adaptive"}"#,
            r#""messages":[],"thinking":{"type":"enabled"}"#,
            r#""messages":[],"thinking":{"type":"disabled"}"#,
            r#""messages":[],"output_config":{"effort":"low"}"#,
            r#""messages":[],"output_config":{"effort":"low"},"thinking":{"type":"adaptive"}"#,
            r#""messages":[],"output_config":{"effort":"low"},"thinking":{"type":"enabled"}"#,
        ],
    );
}

#[test]
fn so_is_where_instructions_and_what_nobody_knows_have_stood() {
    let system = |members| format!(r#"{members}{{"role":"user","content":"x"}}]"#);
    let above = system(r#""system":"s","messages":["#);
    let among = system(r#""messages":[{"role":"system","content":"s"},"#);
    all_differ(&AnthropicMessages, &[&above, &among]);
    let odd = |field: &str| format!(r#""messages":[{{"role":"assistant","{field}":[{{"type":"odd","x":1}}]}}]"#);
    all_differ(&OpenAiChat, &[&odd("content"), &odd("tool_calls"), &odd("reasoning_details")]);
}

#[test]
fn how_the_same_thing_is_spelled_is_not() {
    let same = |dialect: &dyn Dialect, one, other| assert_eq!(asked(dialect, one), asked(dialect, other));
    let openai: &dyn Dialect = &OpenAiChat;
    same(openai, r#""messages":[],"max_tokens":5"#, r#""messages":[],"max_completion_tokens":5,"stream":false"#);
    same(openai, r#""messages":[],"stop":"a""#, r#""messages":[],"stop":["a"]"#);
    let (bare, part) = (r#""messages":[{"role":"user","content":"x"}]"#, r#"[{"type":"text","text":"x"}]"#);
    let listed = bare.replace(r#""x""#, part);
    same(openai, bare, &listed);
    same(&AnthropicMessages, bare, &listed);
    same(&AnthropicMessages, bare, &format!(r#""system":[],"tools":[],"stop_sequences":[],"stream":false,{bare}"#));
}
