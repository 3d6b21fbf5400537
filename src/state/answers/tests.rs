//! What every store of answers promises.

pub(in crate::state) mod questions;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::base::ids::{DialectId, ModelName, ProviderName, TargetName};
use crate::base::money::Nanos;

pub(in crate::state) const ROOM: Room = Room { bytes: 1 << 20, entries: 1_000, lasts: Duration::from_secs(1 << 30) };

pub(in crate::state) fn scope(team: &str) -> Scope {
    Scope::new(&PolicyName::new("p"), "team", &[Some(team)])
}

/// The place of the question of this number, as the team asks it.
pub(in crate::state) fn place(team: &str, number: u8) -> Place {
    scope(team).place(Question([number; 32]))
}

pub(in crate::state) fn kept(text: &str) -> Arc<Kept> {
    let body = format!(
        r#"{{"id":"chatcmpl-old","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}}}"#
    );
    let origin = Origin {
        at: "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap(),
        dialect: DialectId::OPENAI_CHAT,
        target: Some(TargetName::new("up/m")),
        provider: Some(ProviderName::new("up")),
        model: ModelName::new("m"),
        cost: Some(Nanos(7)),
        wording: Some(Question([9; 32])),
    };
    Arc::new(Kept::new(origin, body.into()).unwrap())
}

/// What an answer that was found says.
pub(in crate::state) fn said(found: Found) -> Option<String> {
    let wire: serde_json::Value = serde_json::from_slice(&found.answer()?.wire("x")).unwrap();
    wire["choices"][0]["message"]["content"].as_str().map(ToOwned::to_owned)
}

/// Goes through all promises with one store.
pub(in crate::state) async fn keeps_its_promises(answers: &dyn Answers) {
    what_was_kept_last_is_found(answers).await;
    no_scope_comes_upon_anothers(answers).await;
    what_is_forgotten_is_gone_and_nothing_else(answers).await;
}

async fn what_is_forgotten_is_gone_and_nothing_else(answers: &dyn Answers) {
    let policy = PolicyName::new("p");
    let other = Scope::new(&PolicyName::new("q"), "team", &[Some("a")]).place(Question([7; 32]));
    for place in [place("x", 7), place("x", 8), place("y", 7), other.clone()] {
        answers.keep(place.clone(), kept("here"), ROOM);
        found(answers, &place, "here").await;
    }
    let count = async |name: &str| {
        let known = [PolicyName::new("p"), PolicyName::new("q")];
        let stock = answers.stock(&known).await.unwrap();
        stock.iter().find(|stock| stock.policy.as_str() == name).map_or(0, |stock| stock.answers)
    };
    // With those of the promises before; a store that others share may have them a moment later.
    for _ in 0..1_000 {
        if (count("p").await, count("q").await) == (5, 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((count("p").await, count("q").await), (5, 1));
    let of_x = Whose { policy: policy.clone(), scope: Some(scope("x")) };
    assert_eq!(answers.forget(&of_x).await, Ok(2));
    assert!(nothing(answers, &place("x", 7)).await && nothing(answers, &place("x", 8)).await);
    assert!(!nothing(answers, &place("y", 7)).await);
    assert!(answers.forget(&Whose { policy, scope: None }).await.unwrap() >= 1);
    assert!(nothing(answers, &place("y", 7)).await);
    assert!(!nothing(answers, &other).await);
    assert_eq!((count("p").await, count("q").await), (0, 1));
}

async fn what_was_kept_last_is_found(answers: &dyn Answers) {
    let here = place("again", 1);
    assert_eq!(said(answers.find(&here).await), None);
    answers.keep(here.clone(), kept("one"), ROOM);
    found(answers, &here, "one").await;
    answers.keep(here.clone(), kept("two"), ROOM);
    let found = found(answers, &here, "two").await;
    assert_eq!(found.origin, kept("two").origin);
    assert_eq!(found.outline().usage.as_ref().map(|usage| (usage.input(), usage.output())), Some((3, 2)));
    assert_eq!(said(Found::Answer(found)).as_deref(), Some("two"));
}

/// The answer in a place once it says this. Nobody waits for an answer to be kept, so it may take a moment.
async fn found(answers: &dyn Answers, place: &Place, text: &str) -> Arc<Kept> {
    for _ in 0..1_000 {
        let found = answers.find(place).await;
        if said(found.clone()).as_deref() == Some(text) {
            return found.answer().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("`{text}` was not kept");
}

async fn no_scope_comes_upon_anothers(answers: &dyn Answers) {
    answers.keep(place("a", 2), kept("of a"), ROOM);
    found(answers, &place("a", 2), "of a").await;
    let question = Question([2; 32]);
    let (mine, other) = (PolicyName::new("p"), PolicyName::new("q"));
    for scope in [
        Scope::new(&mine, "team", &[Some("b")]),
        Scope::new(&mine, "team", &[None]),
        Scope::new(&mine, "team", &[]),
        Scope::new(&mine, "team", &[Some("a"), None]),
        Scope::new(&mine, "user", &[Some("a")]),
        Scope::new(&mine, "teama", &[]),
        Scope::new(&other, "team", &[Some("a")]),
    ] {
        assert!(nothing(answers, &scope.place(question)).await, "{scope:?}");
    }
    // A hash of which a part agrees is another one.
    for bit in 0..256 {
        let mut near = [2; 32];
        near[bit / 8] ^= 1 << (bit % 8);
        assert!(nothing(answers, &scope("a").place(Question(near))).await, "bit {bit} of the question");
        let mut near = scope("a");
        near.digest[bit / 8] ^= 1 << (bit % 8);
        assert!(nothing(answers, &near.place(question)).await, "bit {bit} of the scope");
    }
}

async fn nothing(answers: &dyn Answers, place: &Place) -> bool {
    matches!(answers.find(place).await, Found::Nothing)
}

/// What a store must not take for the answer in `place`.
pub(in crate::state) fn damaged(place: &Place) -> Vec<(&'static str, Vec<u8>)> {
    let whole = kept("one").write(place);
    let flipped = |at: usize| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        flipped
    };
    let other = Scope::new(&PolicyName::new("q"), "team", &[Some("bad")]).place(Question([1; 32]));
    vec![
        ("of an older version", flipped(0)),
        ("with a bit of its body flipped", flipped(whole.len() - 20)),
        ("with a bit of its head flipped", flipped(100)),
        ("without its end", whole[..whole.len() - 1].to_vec()),
        ("without anything", Vec::new()),
        ("which is something else", b"hello".to_vec()),
        ("of another question", kept("one").write(&self::place("bad", 2))),
        ("of another team", kept("one").write(&self::place("worse", 1))),
        ("of another policy", kept("one").write(&other)),
    ]
}

#[tokio::test]
async fn memory_keeps_its_promises() {
    keeps_its_promises(&LocalAnswers::default()).await;
}

#[tokio::test]
async fn memory_has_no_more_room_than_it_is_given() {
    let size = kept("x").size();
    for (room, most) in [(Room { entries: 3, ..ROOM }, 3), (Room { bytes: 2 * size + 1, ..ROOM }, 2)] {
        let answers = LocalAnswers::default();
        for number in 0..100 {
            answers.keep(place("room", number), kept("x"), room);
        }
        let mut left = 0;
        for number in 0..100 {
            left += usize::from(!nothing(&answers, &place("room", number)).await);
        }
        assert!((1..=most).contains(&left), "{left} answers in {room:?}");
    }
}

/// How many of the first hundred are there.
async fn left(answers: &LocalAnswers) -> usize {
    let mut left = 0;
    for number in 0..100 {
        left += usize::from(!nothing(answers, &place("room", number)).await);
    }
    left
}

#[tokio::test]
async fn memory_keeps_what_it_has_when_a_policy_says_otherwise_how_much_there_is_to_be() {
    let (answers, policy) = (LocalAnswers::default(), PolicyName::new("p"));
    let keep = |number: u8, room: Room| answers.keep(place("room", number), kept("x"), room);
    (0..20).for_each(|number| assert!(keep(number, ROOM)));
    assert!(keep(20, Room { lasts: Duration::from_secs(1), ..ROOM }));
    assert_eq!(left(&answers).await, 21, "for how long bears on none");
    answers.stand(&[(policy.clone(), Room { entries: 500, bytes: 2 << 20, ..ROOM })]);
    assert!(keep(21, ROOM), "a request of the revision before");
    assert_eq!(left(&answers).await, 22);
    let small = Room { entries: 3, ..ROOM };
    answers.stand(&[(policy, small)]);
    assert!((1..=3).contains(&left(&answers).await));
    (0..20).for_each(|number| assert!(keep(number, ROOM)));
    assert!((1..=3).contains(&left(&answers).await), "what is said last is what holds");
}

#[tokio::test]
async fn memory_has_no_room_for_policies_that_are_gone() {
    let (answers, policy) = (LocalAnswers::default(), PolicyName::new("p"));
    assert!(answers.keep(place("room", 1), kept("x"), ROOM));
    answers.stand(&[(PolicyName::new("q"), ROOM)]);
    assert_eq!(answers.stock(&[]).await, Ok(Vec::new()));
    assert!(!answers.keep(place("room", 1), kept("x"), ROOM), "a request of the revision before");
    assert_eq!((answers.stock(&[]).await, left(&answers).await), (Ok(Vec::new()), 0));
    answers.stand(&[(policy, ROOM)]);
    assert!(answers.keep(place("room", 1), kept("x"), ROOM));
    assert_eq!(left(&answers).await, 1);
}

#[test]
fn an_answer_has_an_id_of_its_own_each_time() {
    let wire = kept("x").wire("NEW");
    assert!(wire.starts_with(br#"{"id":"chatcmpl-NEW","object""#), "{wire:?}");
}

#[test]
fn what_is_no_whole_answer_is_not_kept() {
    let origin = kept("x").origin.clone();
    assert!(Kept::new(origin.clone(), Bytes::from_static(b"{\"id\":")).is_err());
    assert!(Kept::new(Origin { dialect: DialectId("none"), ..origin }, Bytes::from_static(b"{}")).is_err());
}
