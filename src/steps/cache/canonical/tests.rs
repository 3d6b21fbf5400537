use proptest::prelude::*;

use super::*;

fn form(text: &str) -> String {
    canonical(text).unwrap_or_else(|never| panic!("{text}: {never}"))
}

#[test]
fn what_is_said_around_a_question_is_overlooked() {
    for text in [
        "How do I reset my password?",
        "how do i reset my password",
        "how can I  reset my password ?",
        "How to reset my password",
        "Hi there, how do I reset my password? Thanks!",
        "hello how do i reset my password??",
        "Please tell me how to reset my password.",
        "Can you tell me how to reset my password, please?",
    ] {
        assert_eq!(form(text), "how to reset my password", "{text}");
    }
}

#[test]
fn whether_somebody_can_is_not_what_somebody_is_told_to_do() {
    for deed in
        ["give refunds", "tell lies", "tell the truth", "help children", "list files", "explain jokes", "show ads"]
    {
        assert_ne!(form(&format!("Can you {deed}?")), form(deed), "{deed}");
        assert_ne!(form(&format!("Could you {deed}?")), form(deed), "{deed}");
    }
}

#[test]
fn a_question_that_only_asks_for_something_is_what_is_asked_for() {
    for (asked, wanted) in [
        ("Can you tell me a joke?", "tell me a joke"),
        ("Could you help us with taxes?", "help us with taxes"),
        ("Can you give refunds, please?", "give refunds."),
        ("Can you please list files?", "list files"),
        ("Please could you compare prices?", "Compare prices"),
        ("Can you summarize the history of jazz?", "Summarize the history of jazz"),
        ("Could you explain my bill?", "Explain my bill"),
        ("can you explain how photosynthesis works", "Explain how photosynthesis works"),
    ] {
        assert_eq!(form(asked), form(wanted), "{asked}");
    }
}

#[test]
fn contractions_are_written_out() {
    assert_eq!(form("What’s a lease?"), form("what is a lease"));
    assert_eq!(form("I'm sure it isn't mine"), "I am sure it is not mine");
    assert_ne!(form("You can't pay"), form("You can not pay"));
}

#[test]
fn a_mark_stays_where_the_words_alone_are_no_question() {
    assert_ne!(form("It works."), form("It works?"));
    assert_ne!(form("Do it."), form("Do it?"));
    assert_ne!(form("What is n!?"), form("What is n?"));
    assert_ne!(form("Once upon a time..."), form("Once upon a time."));
}

#[test]
fn capitals_stay_where_they_may_mean_something() {
    for (a, b) in
        [("What is SALT?", "What is salt?"), ("Turkey recipes", "turkey recipes"), ("Is Java nice?", "Is java nice?")]
    {
        assert_ne!(form(a), form(b));
    }
}

#[test]
fn a_way_to_do_something_is_not_how_somebody_is() {
    assert_ne!(form("How do I look in it?"), form("How can I look in it?"));
    assert_ne!(form("How can I not cry there?"), form("How do I not cry there?"));
    assert_ne!(form("How to train your dragon"), form("How do I train your dragon"));
    assert_ne!(form("How do we breathe under water?"), form("How do I breathe under water?"));
}

#[test]
fn what_one_does_with_another_depends_on_who_asks() {
    for deed in ["lose a guy in 10 days", "marry a millionaire", "win friends and influence people", "talk to girls"] {
        assert_ne!(form(&format!("How to {deed}")), form(&format!("How can I {deed}")), "{deed}");
        assert_eq!(form(&format!("How do I {deed}?")), form(&format!("How can I {deed}?")), "{deed}");
    }
    assert_eq!(form("How to ask someone out"), form("How can I ask someone out?"));
    assert_eq!(form("How to run a mile in 10 minutes"), form("How can I run a mile in 10 minutes"));
}

#[test]
fn a_power_is_no_digit() {
    assert_ne!(form("What is 10²?"), form("What is 102?"));
    assert_eq!(form("What is a cafe\u{301}?"), form("What is a café?"));
}

#[test]
fn what_may_speak_of_its_own_letters_has_no_form() {
    assert_eq!(canonical("Translate Hello, please"), Err(Never::Words));
    assert_eq!(canonical("Is please polite enough?"), Err(Never::Words));
    assert_eq!(canonical("Hi, what is that?"), Err(Never::Words));
    assert_eq!(canonical("What is \"a  b\"?"), Err(Never::Sign('"')));
    assert_eq!(canonical("Explain: a"), Err(Never::Sign(':')));
    assert_eq!(canonical("one\ntwo"), Err(Never::Lines));
    assert_eq!(canonical(" \n "), Err(Never::Empty));
    assert_eq!(canonical(&"word ".repeat(300)), Err(Never::Long));
}

proptest! {
    #[test]
    fn any_text_is_gone_through_and_a_form_is_its_own(text in "(how|How|do|can|i|I|to|hi|Hi,|please|thanks|tell|me|you|is|isn't|the|cat|a|\\?|\\.| ){1,14}|.{0,80}") {
        if let Ok(form) = canonical(&text) {
            prop_assert!(!form.trim().is_empty());
            prop_assert_eq!(canonical(&format!("  {text} ")), Ok(form));
        }
    }

    #[test]
    fn a_word_that_one_text_has_and_the_other_has_not_is_never_overlooked(word in "[b-df-hj-np-tv-z]{5,9}", at in 0_usize..6) {
        let words = ["how", "do", "plants", "store", "water", "well"];
        let mut longer = words.to_vec();
        longer.insert(at, &word);
        prop_assert_ne!(form(&words.join(" ")), form(&longer.join(" ")));
    }
}
