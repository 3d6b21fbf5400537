//! What a store promises of similar questions, if it keeps them for others than the process that asked them.

use super::*;

pub(in crate::state) const EMBEDDER: EmbedderHash = [7; 32];
pub(in crate::state) const OTHER: EmbedderHash = [8; 32];

pub(in crate::state) fn policy() -> PolicyName {
    PolicyName::new("p")
}

pub(in crate::state) fn bearing(number: u8) -> Bearing {
    Bearing {
        embedder: EMBEDDER,
        frame: Question([0; 32]),
        form: "how to do it".into(),
        vector: vec![1, -2, number.cast_signed()].into(),
    }
}

pub(in crate::state) fn ground(team: &str) -> Ground {
    Ground { policy: policy(), scope: place(team, 0).scope(), embedder: EMBEDDER, least: 9_000 }
}

pub(in crate::state) fn standing(tried: u64, wrong: u64) -> Standing {
    Standing { record: Record { tried, wrong }, at_most: 0.01, by: "up/small 1".into() }
}

pub(in crate::state) type Known = (Vec<(Place, Bearing)>, Vec<(Ground, Standing)>);

/// What there is of the policy's questions, as one who comes new to it finds it.
pub(in crate::state) async fn known(answers: &dyn Answers, embedder: EmbedderHash) -> Known {
    let (mut questions, mut standings) = (Vec::new(), Vec::new());
    if let Some(recalling) = answers.recall(&policy(), embedder) {
        let recalled = recalling.await.unwrap();
        (questions, standings) = (recalled.questions, recalled.standings);
    } else {
        let mut news = answers.follow(&policy(), embedder).unwrap();
        loop {
            let heard = news.exchange(&[]).await.unwrap();
            questions.extend(heard.new.questions);
            standings.extend(heard.new.standings);
            if !heard.has_more {
                break;
            }
        }
    }
    // That of team a first.
    standings.sort_by_key(|(ground, _)| ground.scope == place("b", 0).scope());
    (questions, standings)
}

/// Waits until this is what there is.
pub(in crate::state) async fn knows(answers: &dyn Answers, questions: &[(Place, Bearing)]) {
    let mut last = Vec::new();
    for _ in 0..1_000 {
        last = known(answers, EMBEDDER).await.0;
        if last == questions {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", last.iter().map(|(place, _)| place.question().0[0]).collect::<Vec<_>>());
}

async fn note(answers: &dyn Answers, ground: Ground, standing: Standing) {
    match answers.follow(&policy(), ground.embedder) {
        Some(mut news) => drop(news.exchange(&[(ground, standing)]).await.unwrap()),
        None => answers.note(&ground, &standing),
    }
}

/// An answer of that second of this day.
fn at(second: i64) -> Arc<Kept> {
    let mut one = (*kept("x")).clone();
    one.origin.at = Timestamp::from_second(Timestamp::now().as_second() + second).unwrap();
    Arc::new(one)
}

/// Goes through all promises with one store.
pub(in crate::state) async fn keeps_questions(answers: &dyn Answers) {
    let room = Room { entries: 2, ..ROOM };
    let is = |number: u8| (place("a", number), bearing(number));
    for (number, there) in [(0, vec![is(0)]), (1, vec![is(0), is(1)]), (2, vec![is(1), is(2)])] {
        answers.keep_with(place("a", number), at(i64::from(number)), room, bearing(number));
        knows(answers, &there).await;
    }
    // Made anew, it has the question that it had.
    answers.keep(place("a", 1), at(9), room);
    answers.keep_with(place("b", 3), at(10), room, Bearing { embedder: OTHER, ..bearing(3) });
    knows(answers, &[is(1)]).await;
    assert_eq!(known(answers, OTHER).await.0, [(place("b", 3), Bearing { embedder: OTHER, ..bearing(3) })]);
    let stock = answers.stock(&[policy()]).await.unwrap();
    assert_eq!((stock[0].answers, stock[0].by_likeness), (2, Some(2)));

    for (team, tried) in [("a", 5), ("b", 6)] {
        note(answers, ground(team), standing(tried, 1)).await;
    }
    note(answers, Ground { embedder: OTHER, ..ground("b") }, standing(7, 1)).await;
    let of_both = vec![(ground("a"), standing(5, 1)), (ground("b"), standing(6, 1))];
    while known(answers, EMBEDDER).await.1 != of_both {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(answers.forget(&Whose { policy: policy(), scope: Some(scope("a")) }).await, Ok(1));
    assert_eq!(known(answers, EMBEDDER).await, (Vec::new(), vec![(ground("b"), standing(6, 1))]));
    assert_eq!(known(answers, OTHER).await.0.len(), 1);
    assert_eq!(answers.forget(&Whose { policy: policy(), scope: None }).await, Ok(1));
    assert_eq!(known(answers, EMBEDDER).await, (Vec::new(), Vec::new()));
    assert_eq!(known(answers, OTHER).await, (Vec::new(), Vec::new()));
}
