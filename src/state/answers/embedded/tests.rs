mod bounds;

use super::order::ORDER;
use super::*;
use crate::state::answers::tests::{ROOM, damaged, keeps_its_promises, kept, place, said, scope};
use crate::state::answers::{Question, Record};

/// The folder, once whoever had it open before has let go of it, which a busy machine takes a while for.
fn open(folder: &Path) -> EmbeddedAnswers {
    for _ in 0..200 {
        if let Ok(answers) = EmbeddedAnswers::open(folder, Clock::system()) {
            return answers;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
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
async fn a_folder_keeps_questions() {
    let (_folder, answers) = in_folder();
    crate::state::answers::tests::questions::keeps_questions(&answers).await;
}

#[tokio::test]
async fn a_folder_keeps_what_it_was_given_and_counts_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    answers.write(&mut answers.lock(), &place("again", 1), &kept("one"), ROOM, None).unwrap();
    answers.write(&mut answers.lock(), &place("again", 1), &kept("two"), ROOM, None).unwrap();
    let counted = answers.count().unwrap();
    drop(answers);
    let answers = open(&path);
    assert_eq!(said(answers.find(&place("again", 1)).await).as_deref(), Some("two"));
    let bytes = Some(kept("two").write(&place("again", 1)).len() as u64);
    assert_eq!(counted, [Stock { policy: PolicyName::new("p"), answers: 1, bytes, by_likeness: Some(0) }]);
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
        answers.write(&mut answers.lock(), &here, &kept("one"), ROOM, None).unwrap();
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
        answers.write(&mut answers.lock(), &place("room", number), &at(now + i64::from(number)), room, None).unwrap();
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
    answers.write(&mut answers.lock(), &place("old", 1), &at(now - 61), room, None).unwrap();
    answers.write(&mut answers.lock(), &place("new", 1), &at(now), room, None).unwrap();
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
    answers.write(&mut answers.lock(), &place("here", 1), &kept("one"), ROOM, None).unwrap();
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
        answers.write(&mut answers.lock(), &place(team, 1), &kept("one"), ROOM, None).unwrap();
    }
    let whose = Whose { policy: PolicyName::new("p"), scope: Some(scope("a")) };
    assert_eq!(answers.forget(&whose).await, Ok(1));
    drop(answers);
    let answers = open(&path);
    assert!(matches!(answers.find(&place("a", 1)).await, Found::Nothing));
    assert!(matches!(answers.find(&place("b", 1)).await, Found::Answer(_)));
}

const EMBEDDER: EmbedderHash = [7; 32];

fn bearing(number: u8) -> Bearing {
    Bearing {
        embedder: EMBEDDER,
        frame: Question([0; 32]),
        form: "how to do it".into(),
        vector: vec![1, -2, number as i8].into(),
    }
}

fn ground(team: &str) -> Ground {
    let policy = PolicyName::new("p");
    Ground { policy, scope: place(team, 0).scope(), embedder: EMBEDDER, least: 9_000 }
}

fn standing(tried: u64) -> Standing {
    Standing { record: Record { tried, wrong: 1 }, at_most: 0.01, by: "up/small".into() }
}

async fn recalled(answers: &EmbeddedAnswers) -> (Vec<(Place, Bearing)>, Vec<(Ground, Standing)>) {
    let recalled = answers.recall(&PolicyName::new("p"), EMBEDDER).unwrap().await.unwrap();
    (recalled.questions, recalled.standings)
}

#[tokio::test]
async fn where_questions_lie_and_how_they_fared_is_there_at_the_next_start_and_goes_with_their_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    let (room, now) = (Room { entries: 2, ..ROOM }, Timestamp::now().as_second());
    for number in 0..3 {
        answers
            .write(&mut answers.lock(), &place("a", number), &at(now + i64::from(number)), room, Some(&bearing(number)))
            .unwrap();
    }
    answers.write_standing(&ground("a"), &standing(5)).unwrap();
    answers.write_standing(&ground("b"), &standing(6)).unwrap();
    // Made anew, it has the question that it had.
    answers.write(&mut answers.lock(), &place("a", 1), &at(now + 9), room, None).unwrap();
    let counted = answers.count().unwrap();
    drop(answers);
    let answers = open(&path);
    assert_eq!(answers.count().unwrap(), counted);
    assert_eq!(counted[0].by_likeness, Some(2));
    let (questions, mut standings) = recalled(&answers).await;
    assert_eq!(questions, [(place("a", 2), bearing(2)), (place("a", 1), bearing(1))], "the oldest first");
    standings.sort_by_key(|(_, standing)| standing.record.tried);
    assert_eq!(standings, [(ground("a"), standing(5)), (ground("b"), standing(6))]);
    assert_eq!(answers.forget(&Whose { policy: PolicyName::new("p"), scope: Some(scope("a")) }).await, Ok(2));
    assert_eq!(recalled(&answers).await, (Vec::new(), vec![(ground("b"), standing(6))]));
    assert_eq!(answers.db.scan_prefix(b"v").count(), 0);
}

#[tokio::test]
async fn what_another_version_has_left_is_dropped_and_what_another_embedder_has_is_left_alone() {
    let (_folder, answers) = in_folder();
    for number in 0..4 {
        answers
            .write(
                &mut answers.lock(),
                &place("a", number),
                &at(Timestamp::now().as_second()),
                ROOM,
                Some(&bearing(number)),
            )
            .unwrap();
    }
    let other = Bearing { embedder: [8; 32], ..bearing(0) };
    answers.write(&mut answers.lock(), &place("a", 0), &at(Timestamp::now().as_second()), ROOM, Some(&other)).unwrap();
    answers.write_standing(&Ground { embedder: [8; 32], ..ground("a") }, &standing(1)).unwrap();
    answers.write_standing(&ground("b"), &standing(1)).unwrap();
    for (number, harm) in [(1, 0), (2, 20)] {
        let key = likeness::bearing_key(&place("a", number).key());
        let mut stored = answers.db.get(&key).unwrap().unwrap().to_vec();
        stored[harm] ^= 1;
        answers.db.insert(key, stored).unwrap();
    }
    for _ in 0..2 {
        let (questions, standings) = recalled(&answers).await;
        assert_eq!((questions, standings), (vec![(place("a", 3), bearing(3))], vec![(ground("b"), standing(1))]));
        assert_eq!(answers.db.scan_prefix(b"v").count(), 2);
        assert_eq!(answers.db.scan_prefix(b"t").count(), 2);
    }
    // Their answers are there still, and found by their own words.
    assert!((0..4).all(|number| is_there(&answers, &place("a", number))));
}

#[tokio::test]
async fn what_nobody_has_added_to_for_months_goes() {
    let (_folder, answers) = in_folder();
    answers.write_standing(&ground("a"), &standing(1)).unwrap();
    answers.sweep_standings(Timestamp::now() + jiff::SignedDuration::from_hours(24 * 89)).unwrap();
    assert_eq!(answers.standings().unwrap().len(), 1);
    answers.sweep_standings(Timestamp::now() + jiff::SignedDuration::from_hours(24 * 91)).unwrap();
    assert!(answers.standings().unwrap().is_empty());
}

#[tokio::test]
async fn the_newest_note_stays_however_many_are_on_their_way() {
    let (_folder, answers) = in_folder();
    for round in 1..=20 {
        for number in 1..=50 {
            answers.note(&ground("a"), &standing(100 * round + number));
        }
        answers.flush().await;
        assert_eq!(recalled(&answers).await.1, [(ground("a"), standing(100 * round + 50))]);
    }
}

#[tokio::test]
async fn what_is_on_its_way_to_be_noted_does_not_come_back_once_it_is_forgotten() {
    let (_folder, answers) = in_folder();
    let of_a = Whose { policy: PolicyName::new("p"), scope: Some(scope("a")) };
    for number in 1..=200 {
        answers.note(&ground("a"), &standing(number));
        answers.note(&ground("b"), &standing(number));
        assert_eq!(answers.forget(&of_a).await, Ok(0));
        answers.flush().await;
        assert_eq!(recalled(&answers).await.1, [(ground("b"), standing(number))]);
    }
}

#[tokio::test]
async fn what_is_on_its_way_to_be_kept_does_not_come_back_once_it_is_forgotten() {
    let (_folder, answers) = in_folder();
    let all = Whose { policy: PolicyName::new("p"), scope: None };
    for number in 1..=100 {
        answers.keep_with(place("a", number), kept("one"), ROOM, bearing(number));
        answers.keep(place("a", number), kept("two"), ROOM);
        assert_eq!(answers.forget(&all).await, Ok(1));
        answers.flush().await;
        assert!(matches!(answers.find(&place("a", number)).await, Found::Nothing), "{number}");
        assert_eq!(recalled(&answers).await.0, []);
    }
}

#[tokio::test]
async fn the_newest_answer_stays_with_the_question_that_it_had() {
    let (_folder, answers) = in_folder();
    answers.keep_with(place("a", 1), kept("one"), ROOM, bearing(1));
    for _ in 0..20 {
        answers.keep(place("a", 1), kept("one"), ROOM);
    }
    answers.keep(place("a", 1), kept("two"), ROOM);
    answers.flush().await;
    assert_eq!(said(answers.read(&place("a", 1)).unwrap()).as_deref(), Some("two"));
    assert_eq!(recalled(&answers).await.0, [(place("a", 1), bearing(1))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_while_it_is_forgotten_is_not_remembered_either() {
    let (_folder, answers) = in_folder();
    let all = Whose { policy: PolicyName::new("p"), scope: None };
    for _ in 0..5 {
        for number in 0..200 {
            answers.keep(place("a", number), kept("one"), ROOM);
        }
        answers.flush().await;
        answers.near.drop_of(&all);
        let looking = (0..200).rev().map(|number| {
            let answers = answers.clone();
            tokio::spawn(async move { drop(answers.find(&place("a", number)).await) })
        });
        let looking: Vec<_> = looking.collect();
        answers.forget(&all).await.unwrap();
        for look in looking {
            look.await.unwrap();
        }
        let left = (0..200).filter(|number| answers.near.look(&place("a", *number)).is_some()).count();
        assert_eq!(left, 0);
    }
}

#[test]
fn the_folder_is_for_its_owner_alone_also_if_it_was_open_to_others() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let mode = || metadata(&path).unwrap().permissions().mode() & 0o777;
    drop(open(&path));
    assert_eq!(mode(), 0o700);
    set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    drop(open(&path));
    assert_eq!(mode(), 0o700);
}
