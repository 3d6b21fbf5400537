//! The parts of a message as a plugin counts them.
//!
//! A tool result of several pieces is several parts to a plugin, so that each text has a place of two numbers. An empty one
//! is one part.

use crate::chat::{Content, Part, ToolResult};

/// A part, and the tool result it is a piece of, if it is.
pub struct Shown<'a> {
    pub part: &'a Part,
    pub result: Option<&'a ToolResult>,
}

/// The parts of a message, in the order and number in which a plugin sees them.
pub fn shown(parts: &[Part]) -> impl Iterator<Item = Shown<'_>> {
    parts.iter().flat_map(|part| {
        let result = pieces(part);
        let whole = result.is_none().then_some(Shown { part, result: None });
        let pieces = result
            .into_iter()
            .flat_map(|result| result.parts.iter().map(move |part| Shown { part, result: Some(result) }));
        whole.into_iter().chain(pieces)
    })
}

/// The part that a plugin knows by this number.
pub fn nth(parts: &mut [Part], number: usize) -> Option<&mut Part> {
    let mut left = number;
    for part in parts {
        let count = pieces(part).map_or(1, |result| result.parts.len());
        if left >= count {
            left -= count;
            continue;
        }
        if pieces(part).is_none() {
            return Some(part);
        }
        let Content::ToolResult(result) = &mut part.content else { return None };
        return result.parts.get_mut(left);
    }
    None
}

fn pieces(part: &Part) -> Option<&ToolResult> {
    match &part.content {
        Content::ToolResult(result) if !result.parts.is_empty() => Some(result),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_tool_result_are_counted_one_by_one() {
        let result = |parts| Part::new(Content::ToolResult(ToolResult { call_id: "1".into(), parts, is_error: None }));
        let mut parts =
            vec![Part::text("a"), result(vec![Part::text("b"), Part::text("c")]), result(vec![]), Part::text("d")];
        let seen: Vec<_> = shown(&parts).map(|shown| (shown.part.clone(), shown.result.is_some())).collect();
        assert_eq!(seen.iter().map(|(_, inner)| *inner).collect::<Vec<_>>(), [false, true, true, false, false]);
        for (number, (part, _)) in seen.iter().enumerate() {
            assert_eq!(nth(&mut parts, number).as_deref(), Some(part));
        }
        assert_eq!(nth(&mut parts, 5), None);
    }
}
