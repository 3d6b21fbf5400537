//! Law 1: what is read is written again as it was, each unknown field at its own level.

use super::*;

#[test]
fn a_request_touched_without_a_change_says_what_it_said() {
    for fixture in fixtures("request-") {
        let mut request = fixture.request();
        request.edit();
        assert!(request.wire(fixture.dialect.id()).is_none());
        let mut losses = Losses::default();
        let written = fixture.dialect.write_request(&request, &EASY, &mut losses);
        assert_eq!(json(&written), json(fixture.body.as_bytes()), "{}", fixture.name);
        assert!(losses.is_empty(), "{}: {:?}", fixture.name, shown(&losses));
        let again = fixture.dialect.read_request(&text(written.clone())).unwrap();
        assert_eq!(again.params, request.params, "{}", fixture.name);
        assert_eq!(fixture.dialect.write_request(&again, &EASY, &mut losses), written, "{}", fixture.name);
    }
}

#[test]
fn an_answer_touched_without_a_change_says_what_it_said() {
    for fixture in fixtures("answer-") {
        let mut answer = fixture.answer();
        answer.edit();
        let mut losses = Losses::default();
        let written = fixture.dialect.write_completion(&answer, &mut losses);
        assert_eq!(json(&written), json(fixture.body.as_bytes()), "{}", fixture.name);
        assert!(losses.is_empty(), "{}: {:?}", fixture.name, shown(&losses));
        let again = fixture.dialect.read_completion(&text(written.clone())).unwrap();
        assert_eq!(fixture.dialect.write_completion(&again, &mut losses), written, "{}", fixture.name);
    }
}
