//! A skimmed answer tells the gateway what a reading would have told it.

use super::*;

#[test]
fn a_skimmed_answer_tells_the_same_usage_and_the_same_ends() {
    for fixture in fixtures("answer-") {
        let (read, skimmed) = (fixture.answer(), fixture.dialect.skim_completion(&fixture.body).unwrap());
        assert_eq!(skimmed.usage, read.usage, "{}", fixture.name);
        let ends = |answer: &Completion| {
            let reasons = answer.choices.iter().map(|choice| choice.finish.as_ref().map(|finish| finish.reason));
            reasons.collect::<Vec<_>>()
        };
        assert_eq!(ends(&skimmed), ends(&read), "{}", fixture.name);
    }
}

#[test]
fn what_is_no_answer_is_refused_by_a_skim_too() {
    for fixture in fixtures("answer-") {
        let half = fixture.body.len() / 2;
        let half = (0..=half).rev().find(|at| fixture.body.is_char_boundary(*at)).unwrap_or_default();
        for wrong in ["", "{}", "[]", "7", r#"{"error":{"message":"no"}}"#, fixture.body.get(..half).unwrap()] {
            assert!(fixture.dialect.skim_completion(&wrong.into()).is_err(), "{}: {wrong}", fixture.name);
        }
    }
}
