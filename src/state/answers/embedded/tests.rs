use super::*;
use crate::state::answers::tests::{ROOM, damaged, keeps_its_promises, kept, place, said, scope};

fn open(folder: &Path) -> EmbeddedAnswers {
    EmbeddedAnswers::open(folder, Clock::system()).unwrap()
}

fn in_folder() -> (tempfile::TempDir, EmbeddedAnswers) {
    let folder = tempfile::tempdir().unwrap();
    let answers = open(&folder.path().join("answers"));
    (folder, answers)
}

fn is_there(answers: &EmbeddedAnswers, place: &Place) -> bool {
    matches!(answers.read(place).unwrap(), Found::Answer(_))
}

/// An answer of that second.
fn at(second: i64) -> Kept {
    let mut one = (*kept("x")).clone();
    one.origin.at = Timestamp::from_second(second).unwrap();
    one
}

#[tokio::test]
async fn a_folder_keeps_its_promises() {
    let (_folder, answers) = in_folder();
    keeps_its_promises(&answers).await;
}

#[tokio::test]
async fn a_folder_keeps_what_it_was_given_and_counts_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    answers.write(&place("again", 1), &kept("one"), ROOM).unwrap();
    answers.write(&place("again", 1), &kept("two"), ROOM).unwrap();
    let counted = answers.count().unwrap();
    drop(answers);
    let answers = open(&path);
    assert_eq!(said(answers.find(&place("again", 1)).await).as_deref(), Some("two"));
    let bytes = Some(kept("two").write(&place("again", 1)).len() as u64);
    assert_eq!(counted, [Stock { policy: PolicyName::new("p"), answers: 1, bytes }]);
    assert_eq!(answers.count().unwrap(), counted);
}

#[tokio::test]
async fn what_is_damaged_is_not_there() {
    let (_folder, answers) = in_folder();
    let here = place("bad", 1);
    let whole = kept("one").write(&here);
    assert!(Kept::read(whole.clone().into(), &here).is_some());
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(Kept::read(damaged.into(), &here).is_none(), "byte {at}");
        assert!(Kept::read(Bytes::copy_from_slice(&whole[..at]), &here).is_none(), "the first {at} bytes");
    }
    for (what, damaged) in damaged(&here) {
        answers.write(&here, &kept("one"), ROOM).unwrap();
        answers.db.insert(answer_key(&here), damaged).unwrap();
        assert!(matches!(answers.find(&here).await, Found::Damaged), "an answer {what}");
        assert!(answers.db.get(answer_key(&here)).unwrap().is_none(), "an answer {what}");
        assert!(matches!(answers.find(&here).await, Found::Nothing), "an answer {what}");
        assert!(answers.count().unwrap().is_empty(), "an answer {what}");
    }
}

#[test]
fn a_folder_has_no_more_room_than_it_is_given_and_the_oldest_go() {
    let (_folder, answers) = in_folder();
    let room = Room { entries: 3, ..ROOM };
    let now = Timestamp::now().as_second();
    for number in 0..10 {
        answers.write(&place("room", number), &at(now + i64::from(number)), room).unwrap();
    }
    let left: Vec<u8> = (0..10).filter(|number| is_there(&answers, &place("room", *number))).collect();
    assert_eq!(left, [7, 8, 9]);
    assert_eq!(answers.entries(&[ORDER]).count(), 3);
}

#[test]
fn what_is_of_no_use_any_more_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    let room = Room { lasts: std::time::Duration::from_secs(60), ..ROOM };
    let now = Timestamp::now().as_second();
    answers.write(&place("old", 1), &at(now - 61), room).unwrap();
    answers.write(&place("new", 1), &at(now), room).unwrap();
    drop(answers);
    let answers = open(&path);
    assert!(answers.db.get(answer_key(&place("old", 1))).unwrap().is_none());
    assert!(answers.db.get(answer_key(&place("new", 1))).unwrap().is_some());
    assert_eq!(answers.count().unwrap()[0].answers, 1);
}

#[test]
fn a_folder_that_another_has_open_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    answers.write(&place("here", 1), &kept("one"), ROOM).unwrap();
    assert!(EmbeddedAnswers::open(&path, Clock::system()).is_err());
    assert!(is_there(&answers, &place("here", 1)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_forgotten_is_forgotten_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    for team in ["a", "b"] {
        answers.write(&place(team, 1), &kept("one"), ROOM).unwrap();
    }
    let whose = Whose { policy: PolicyName::new("p"), scope: Some(scope("a")) };
    assert_eq!(answers.forget(&whose).await, Ok(1));
    drop(answers);
    let answers = open(&path);
    assert!(matches!(answers.find(&place("a", 1)).await, Found::Nothing));
    assert!(matches!(answers.find(&place("b", 1)).await, Found::Answer(_)));
}
