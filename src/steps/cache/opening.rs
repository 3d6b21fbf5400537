//! The text of a conversation's opening question, which may be known by its canonical form.
//!
//! Only what a user says first, and in one text, is taken for a question. Later on, and where the answer is to have a
//! form of its own, it may be material: something to be rewritten or sorted, of which every letter counts.

use crate::base::text::Text;
use crate::chat::{Content, Format, Request, Role};

/// `None` if the request has something else.
pub fn text(request: &Request) -> Option<&Text> {
    let (last, before) = request.messages.split_last()?;
    let opens = last.role == Role::User
        && before.iter().all(|message| matches!(message.role, Role::System | Role::Developer))
        && matches!(request.params.format, None | Some(Format::Text));
    match last.parts.as_slice() {
        [part] if opens => match &part.content {
            Content::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Message, Part};

    fn request(turns: &[(Role, &[&str])]) -> Request {
        let mut request = Request::new(DialectId::OPENAI_CHAT, "m");
        let parts = |texts: &[&str]| texts.iter().map(|text| Part::text(*text)).collect();
        request.messages = turns.iter().map(|(role, texts)| Message::new(*role, parts(texts))).collect();
        request
    }

    #[test]
    fn only_what_a_user_says_first_and_at_once_is_an_opening() {
        let said = |turns: &[(Role, &[&str])]| text(&request(turns)).map(|text| text.as_str().into_owned());
        assert_eq!(said(&[(Role::System, &["s"]), (Role::User, &["a"])]).as_deref(), Some("a"));
        assert_eq!(said(&[(Role::User, &["a", "b"])]), None);
        assert_eq!(said(&[(Role::User, &["a"]), (Role::Assistant, &["b"]), (Role::User, &["c"])]), None);
        assert_eq!(said(&[(Role::User, &["a"]), (Role::Assistant, &["b"])]), None);
    }

    #[test]
    fn where_the_answer_has_a_form_of_its_own_there_is_none() {
        let mut request = request(&[(Role::User, &["a"])]);
        request.params.format = Some(Format::JsonObject);
        assert!(text(&request).is_none());
    }
}
