//! What no plugin should do, and the gateway has to bear.

use std::hint::black_box;

use crate::exports::tidegate::plugin::stream_hook::Session;
use crate::stream::Follower;
use crate::tidegate::plugin::types::{Denial, Edit, Failure, Finding, Outcome, Place, Severity, Span, Tag, Verdict};
use crate::tidegate::plugin::{kv, log};
use crate::{Act, pass};

pub fn act(act: &Act) -> Result<Outcome, Failure> {
    let nonsense = |edits| Ok(Outcome { edits, ..pass() });
    match act.name.as_str() {
        "loop" => loop {
            black_box(0);
        },
        "memory" => {
            let mut held = Vec::new();
            loop {
                held.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "recurse" => recurse(act.number),
        "return" => {
            let text = "x".repeat(act.number as usize);
            nonsense(vec![Edit::SetText((Place { message: 0, part: 0 }, text))])
        }
        "panic" => panic!("canary {}", act.text),
        "exit" => std::process::exit(3),
        "log" => {
            (0..act.number).for_each(|_| log::write(log::Level::Error, &act.text));
            Ok(pass())
        }
        "calls" => {
            (0..act.number).for_each(|_| drop(kv::get("k")));
            Ok(pass())
        }
        "handles" => {
            (0..act.number).for_each(|_| std::mem::forget(Session::new(Follower::default())));
            Ok(pass())
        }
        "fail" => Err(Failure::Internal(act.text.clone())),
        "files" => match std::fs::read_to_string("/etc/passwd") {
            Ok(_) => Err(Failure::Internal("it read a file".into())),
            Err(_) => Ok(pass()),
        },
        "environment" => match std::env::vars().count() + std::env::args().count() {
            0 => Ok(pass()),
            _ => Err(Failure::Internal("there is an environment".into())),
        },
        "dirt" => dirt(),
        "place" => nonsense(vec![Edit::SetText((Place { message: 9, part: 9 }, "x".into()))]),
        "cut" => {
            let span = Span { at: Place { message: 0, part: 0 }, start: 1, end: 1_000_000 };
            nonsense(vec![Edit::Replace((span, "x".into()))])
        }
        "kind" => {
            let finding = Finding { kind: "No Kind".into(), severity: Severity::Low, score: 0.0, at: None };
            Ok(Outcome { findings: vec![finding], ..pass() })
        }
        "status" => {
            let denial = Denial { status: 200, code: "x".into(), message: "x".into(), retry_after_ms: None };
            Ok(Outcome { verdict: Verdict::Deny(denial), ..pass() })
        }
        "smuggle" => {
            let key = "authorization".into();
            nonsense(vec![Edit::SetHeader(Tag { key, value: "Bearer stolen".into() })])
        }
        other => Err(Failure::Config(format!("no such act: {other}"))),
    }
}

fn recurse(depth: u64) -> Result<Outcome, Failure> {
    if black_box(depth) == u64::MAX {
        return Ok(pass());
    }
    let here = black_box([depth; 64]);
    let result = recurse(here[63] + 1);
    black_box(here);
    result
}

/// Whether memory that nobody has written to is anything but zero, and then leaves it dirty.
fn dirt() -> Result<Outcome, Failure> {
    let size = 16 << 20;
    let layout = std::alloc::Layout::from_size_align(size, 65_536).map_err(|_| Failure::Internal("layout".into()))?;
    // SAFETY: the layout is not empty, and what is read has been allocated.
    let memory = unsafe { std::slice::from_raw_parts_mut(std::alloc::alloc(layout), size) };
    let is_clean = memory.iter().all(|byte| *byte == 0);
    memory.fill(0xAB);
    black_box(memory);
    if is_clean { Ok(pass()) } else { Err(Failure::Internal("memory was not clean".into())) }
}
