//! Whatever legal events come, a legal stream goes out.

use proptest::prelude::*;

use super::*;
use crate::chat::{Finish, FinishReason, Usage};

/// What happens to some lane next.
#[derive(Debug, Clone)]
enum Move {
    Open(Opening),
    Delta(prop::sample::Index),
    Close(prop::sample::Index),
    Usage(u64),
    Ping,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let opening = prop_oneof![
        Just(Opening::Text),
        Just(Opening::Thinking),
        Just(Opening::Refusal),
        Just(Opening::ToolCall { id: "call 1".into(), name: "f".into() }),
        Just(Opening::Sealed("x".into())),
        Just(Opening::Other(crate::base::json::Json("{\"type\":\"audio\"}".into()))),
        Just(Opening::Other(crate::base::json::Json("{\"type\":\"server_tool_use\"}".into()))),
    ];
    let one = prop_oneof![
        opening.prop_map(Move::Open),
        any::<prop::sample::Index>().prop_map(Move::Delta),
        any::<prop::sample::Index>().prop_map(Move::Close),
        (0..99u64).prop_map(Move::Usage),
        Just(Move::Ping),
    ];
    prop::collection::vec(one, 0..40)
}

/// Turns moves into events in a legal order, and what the answer is then.
fn play(moves: Vec<Move>, starts: bool, finishes: bool) -> (Vec<Event>, Vec<(Opening, String)>) {
    let mut events = Vec::new();
    let (mut open, mut parts): (Vec<u32>, Vec<(Opening, String)>) = (Vec::new(), Vec::new());
    if starts {
        events.push(Event::Start(Box::default()));
    }
    for (count, next) in moves.into_iter().enumerate() {
        match next {
            Move::Open(what) => {
                let part = parts.len() as u32;
                open.push(part);
                parts.push((what.clone(), String::new()));
                events.push(Event::Open { lane: lane(part), what });
            }
            Move::Delta(at) if !open.is_empty() => {
                let part = *at.get(&open);
                let (what, so_far) = &mut parts[part as usize];
                let text = format!("{count}\"\\\n");
                let delta = match what {
                    Opening::Text => Delta::Text(text.as_str().into()),
                    Opening::Thinking => Delta::Thinking(text.as_str().into()),
                    Opening::Refusal => Delta::Refusal(text.as_str().into()),
                    _ => continue,
                };
                so_far.push_str(&text);
                events.push(Event::Delta { lane: lane(part), delta });
            }
            Move::Close(at) if !open.is_empty() => {
                let part = open.remove(at.index(open.len()));
                events.push(Event::Close { lane: lane(part) });
            }
            Move::Usage(n) => events.push(Event::Usage(Box::new(Usage { out: Some(n), ..Usage::default() }))),
            Move::Ping => events.push(Event::Ping),
            Move::Delta(_) | Move::Close(_) => {}
        }
    }
    if finishes {
        events.extend(open.drain(..).map(|part| Event::Close { lane: lane(part) }));
        events.push(Event::Finish { choice: 0, finish: Box::new(Finish::new(FinishReason::Stop, "stop")) });
        events.push(Event::Usage(Box::new(Usage { out: Some(7), ..Usage::default() })));
    }
    events.push(Event::End);
    (events, parts)
}

proptest! {
    #[test]
    fn any_legal_events_become_a_legal_stream_that_tells_all_of_them(
        moves in moves(),
        starts in any::<bool>(),
        finishes in any::<bool>(),
    ) {
        let (events, parts) = play(moves, starts, finishes);
        let told = told(&write_events(events)).map_err(TestCaseError::fail)?;
        let sayable: Vec<_> = parts
            .iter()
            .filter(|(what, _)| !matches!(what, Opening::Other(json) if json.0.contains("audio")))
            .collect();
        prop_assert_eq!(told.blocks.len(), sayable.len());
        for (block, (what, text)) in told.blocks.iter().zip(sayable) {
            match what {
                Opening::Text | Opening::Refusal => prop_assert_eq!(&block["text"], text),
                Opening::Thinking => prop_assert_eq!(&block["thinking"], text),
                _ => {}
            }
        }
    }

    #[test]
    fn a_stream_of_which_frames_were_edited_and_blocks_taken_out_is_still_legal(
        stream in prop::sample::select(fixtures("stream-").into_iter().filter(|(name, _)| !["crlf", "error", "unknown"].iter().any(|odd| name.contains(odd))).collect::<Vec<_>>()),
        touched in prop::collection::vec(any::<bool>(), 40),
        gone in prop::collection::vec(any::<bool>(), 5),
    ) {
        let (mut frames, end) = read_stream(&[stream.1.as_bytes()]);
        prop_assert!(end.is_ok());
        frames.retain(|frame| {
            !frame.iter().any(|event| match event {
                Event::Open { lane, .. } | Event::Delta { lane, .. } | Event::Close { lane } => gone[lane.part as usize],
                _ => false,
            })
        });
        for (frame, _) in frames.iter_mut().zip(touched).filter(|(_, touched)| *touched) {
            frame.edit();
        }
        told(&write_stream(&frames)).map_err(TestCaseError::fail)?;
    }
}
