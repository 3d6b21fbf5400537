//! Which answers are worth keeping: those that say something, all of it, and nothing of which once is enough.

use crate::chat::{Choice, Completion, Content, FinishReason};

/// Why an answer is not kept, in a word; `asked` is how many choices were asked for.
pub fn lack(completion: &Completion, asked: f64, tool_calls: bool) -> Option<&'static str> {
    if completion.choices.is_empty() {
        return Some("empty");
    }
    let lack = completion.choices.iter().find_map(|choice| lack_of(choice, tool_calls));
    // One that never began may have been left out as well as broken off.
    lack.or_else(|| ((completion.choices.len() as f64) < asked).then_some("unfinished"))
}

fn lack_of(choice: &Choice, tool_calls: bool) -> Option<&'static str> {
    let has = |is_it: fn(&Content) -> bool| choice.parts.iter().any(|part| is_it(&part.content));
    let calls = has(|content| matches!(content, Content::ToolCall(_)));
    let speaks = has(|content| matches!(content, Content::Text(text) if !text.is_empty()));
    match choice.finish.as_ref().map(|finish| finish.reason) {
        None => Some("unfinished"),
        Some(FinishReason::Length) => Some("length"),
        Some(FinishReason::ContentFilter) => Some("refused"),
        Some(FinishReason::Pause | FinishReason::Other) => Some("unfinished"),
        Some(FinishReason::Stop | FinishReason::ToolCalls) if has(|content| matches!(content, Content::Refusal(_))) => {
            Some("refused")
        }
        Some(FinishReason::Stop | FinishReason::ToolCalls) if calls && !tool_calls => Some("tool_calls"),
        Some(FinishReason::Stop | FinishReason::ToolCalls) if !calls && !speaks => Some("empty"),
        Some(FinishReason::Stop | FinishReason::ToolCalls) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Finish, Part, ToolCall};

    fn answer(parts: Vec<Part>, reason: Option<FinishReason>) -> Completion {
        let finish = reason.map(|reason| Finish::new(reason, reason.name()));
        Completion {
            dialect: DialectId::OPENAI_CHAT,
            id: "x".into(),
            model: "m".into(),
            created: None,
            choices: vec![Choice { parts, finish, ..Choice::default() }],
            usage: None,
            extra: Default::default(),
        }
    }

    #[test]
    fn what_was_said_to_its_end_is_kept_and_nothing_else() {
        let said = |reason| lack(&answer(vec![Part::text("yes")], reason), 1.0, false);
        assert_eq!(said(Some(FinishReason::Stop)), None);
        assert_eq!(said(Some(FinishReason::Length)), Some("length"));
        assert_eq!(said(Some(FinishReason::ContentFilter)), Some("refused"));
        assert_eq!(said(Some(FinishReason::Pause)), Some("unfinished"));
        assert_eq!(said(None), Some("unfinished"));
    }

    #[test]
    fn refusals_and_nothing_at_all_are_not_kept() {
        let stop = Some(FinishReason::Stop);
        assert_eq!(lack(&answer(vec![Part::new(Content::Refusal("no".into()))], stop), 1.0, true), Some("refused"));
        assert_eq!(lack(&answer(vec![Part::text("")], stop), 1.0, true), Some("empty"));
        assert_eq!(lack(&answer(Vec::new(), stop), 1.0, true), Some("empty"));
    }

    #[test]
    fn calls_of_tools_are_kept_only_if_that_is_wanted() {
        let call = ToolCall { id: "1".into(), name: "f".into(), arguments: "{}".into() };
        let answer = answer(vec![Part::new(Content::ToolCall(call))], Some(FinishReason::ToolCalls));
        assert_eq!((lack(&answer, 1.0, false), lack(&answer, 1.0, true)), (Some("tool_calls"), None));
    }

    #[test]
    fn where_several_were_asked_for_all_of_them_must_be_there() {
        let mut answer = answer(vec![Part::text("yes")], Some(FinishReason::Stop));
        assert_eq!(lack(&answer, 2.0, false), Some("unfinished"));
        answer.choices.push(Choice { index: 1, ..answer.choices[0].clone() });
        assert_eq!(lack(&answer, 2.0, false), None);
    }
}
