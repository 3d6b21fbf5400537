//! Questions whose answer is another one tomorrow.

use crate::chat::{Content, Request, Role};

/// Whether the user's last words are about the present, by whole words of a few languages.
pub fn is_of_now(request: &Request) -> bool {
    let last = request.messages.iter().rev().find(|message| message.role == Role::User);
    let parts = last.into_iter().flat_map(|message| &message.parts);
    parts.filter_map(|part| if let Content::Text(text) = &part.content { Some(text) } else { None }).any(|text| {
        let text = text.as_str();
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
        words.any(is_word_of_now)
    })
}

fn is_word_of_now(word: &str) -> bool {
    // None of them is longer, and most words are no candidate by their length and first letter alone.
    if !(3..=LONGEST).contains(&word.len()) {
        return false;
    }
    WORDS
        .iter()
        .any(|known| known.len() == word.len() && (known.eq_ignore_ascii_case(word) || *known == word.to_lowercase()))
}

const LONGEST: usize = 13;
const WORDS: [&str; 32] = [
    "now",
    "today",
    "today's",
    "tonight",
    "yesterday",
    "tomorrow",
    "latest",
    "newest",
    "current",
    "currently",
    "recent",
    "recently",
    "nowadays",
    "jetzt",
    "heute",
    "gestern",
    "morgen",
    "aktuell",
    "aktuelle",
    "aktuellen",
    "neueste",
    "neuesten",
    "gerade",
    "maintenant",
    "aujourd'hui",
    "demain",
    "actuel",
    "actuellement",
    "ahora",
    "hoy",
    "ayer",
    "actualmente",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Message, Part};

    fn is_of_now(texts: &[(Role, &str)]) -> bool {
        let mut request = Request::new(DialectId::OPENAI_CHAT, "m");
        let turns = texts.iter().map(|(role, text)| Message::new(*role, vec![Part::text(*text)]));
        request.messages = turns.collect();
        super::is_of_now(&request)
    }

    #[test]
    fn words_of_now_are_whole_words_whatever_their_case() {
        assert!(is_of_now(&[(Role::User, "What is the LATEST version?")]));
        assert!(is_of_now(&[(Role::User, "Was steht heute an?")]));
        assert!(is_of_now(&[(Role::User, "what's on today")]));
        assert!(!is_of_now(&[(Role::User, "Do I know what a snowplough is?")]));
    }

    #[test]
    fn only_what_the_user_said_last_counts() {
        assert!(!is_of_now(&[(Role::User, "and now?"), (Role::Assistant, "x"), (Role::User, "thanks")]));
        assert!(!is_of_now(&[(Role::System, "Today is Monday."), (Role::User, "hello")]));
    }
}
