//! The texts of a request or an answer, and where they lie.

use std::ops::{Deref, Range};

use crate::{ChatRequest, ChatResponse, Part, Place, Role, Span};

/// A text, where it lies and who says it. It is used as the `&str` it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Text<'a> {
    pub at: Place,
    pub role: Role,
    /// What kind of part it is of.
    pub part: &'a Part,
    text: &'a str,
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

impl Text<'_> {
    /// The range of bytes as a span of this text, for an edit or a finding.
    pub fn span(&self, range: Range<usize>) -> Span {
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { at: self.at, start: bound(range.start), end: bound(range.end) }
    }
}

impl Part {
    /// The text that an edit can name: of a `Text`, `Thinking` or `Refusal`, the arguments of a tool call, a result.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::Refusal(text) => Some(text),
            Self::ToolCall(call) => Some(&call.arguments_json),
            Self::ToolResult(result) => Some(&result.text),
            Self::Blob(_) | Self::Link(_) | Self::Other(_) => None,
        }
    }
}

impl ChatRequest {
    /// All that the model reads as text: instructions, history, the arguments of tool calls and their results. Not the
    /// definitions of tools, which no edit can reach.
    pub fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        self.messages.iter().enumerate().flat_map(|(number, message)| texts(number, message.role, &message.parts))
    }

    /// The texts of the last message of the user.
    pub fn last_user(&self) -> impl Iterator<Item = Text<'_>> {
        let last = self.messages.iter().enumerate().rev().find(|(_, message)| message.role == Role::User);
        last.into_iter().flat_map(|(number, message)| texts(number, message.role, &message.parts))
    }

    /// A parameter that the caller gave: `params("temperature")`.
    pub fn param(&self, name: &str) -> Option<serde_json::Value> {
        let params: serde_json::Value = serde_json::from_str(&self.params_json).ok()?;
        params.get(name).cloned()
    }
}

impl ChatResponse {
    /// All that the model says, tool calls included.
    pub fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        let choices = self.choices.iter().enumerate();
        choices.flat_map(|(number, choice)| texts(number, Role::Assistant, &choice.parts))
    }
}

fn texts(message: usize, role: Role, parts: &[Part]) -> impl Iterator<Item = Text<'_>> {
    let place = move |part: usize| Place { message: message as u32, part: part as u32 };
    let parts = parts.iter().enumerate();
    parts.filter_map(move |(number, part)| Some(Text { at: place(number), role, part, text: part.text()? }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{answer, ask};
    use crate::{Message, Part, Role, ToolCall};

    #[test]
    fn a_text_knows_where_it_lies() {
        let mut request = ask("first");
        let call = ToolCall { id: "1".into(), name: "look".into(), arguments_json: "{}".into() };
        request.messages.push(Message { role: Role::Assistant, name: None, parts: vec![Part::ToolCall(call)] });
        request.messages.push(Message::text(Role::User, "süß"));
        let seen: Vec<_> = request.texts().map(|text| (text.at.message, text.role, text.to_string())).collect();
        let text = |message, role, text: &str| (message, role, text.to_owned());
        let all = [text(0, Role::User, "first"), text(1, Role::Assistant, "{}"), text(2, Role::User, "süß")];
        assert_eq!(seen, all);
        let last = request.last_user().next().unwrap();
        let span = last.span(last.find('ß').unwrap()..last.len());
        assert_eq!((span.at.message, span.start, span.end), (2, 3, 5));
    }

    #[test]
    fn what_is_no_text_counts_as_a_part_all_the_same() {
        let mut answer = answer("hello");
        answer.choices[0].parts.insert(0, Part::Other("{}".into()));
        assert_eq!(answer.texts().map(|text| text.at.part).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        let mut request = ask("hello");
        request.params_json = r#"{"max_tokens": 7}"#.into();
        assert_eq!(request.param("max_tokens"), Some(7.into()));
        assert_eq!(request.param("seed"), None);
    }
}
