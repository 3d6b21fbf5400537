use futures_util::FutureExt as _;

use super::*;
use crate::base::ids::{DialectId, ModelName, PolicyName};
use crate::chat::{Event, Events, Frame};
use crate::state::answers::Scope;

/// An answer of ten bursts to two, of whom the first has left.
async fn left() -> (Answer, Answer, Audience) {
    let flights = Flights::default();
    let place = Scope::new(&PolicyName::new("p"), "key", &[]).place(Question([0; 32]));
    let (Joined::First(lead), Joined::Later(seat)) =
        (flights.join(&place, true, None), flights.join(&place, true, None))
    else {
        panic!("not one after the other");
    };
    let head = Head {
        target: None,
        provider: None,
        model: ModelName::new("m"),
        dialect: DialectId::OPENAI_CHAT,
        headers: HeaderMap::new(),
        is_detoured: false,
        basis: Default::default(),
        audience: None,
    };
    let burst = || Ok(vec![Frame::new(Events::from_iter([Event::Ping]))]);
    let frames = futures_util::stream::iter((0..10).map(move |_| burst())).boxed();
    let first = lead.begin(Answer { head, frames }, Whence::Target(None), 1 << 20);
    let second = seat.hear().await.unwrap().0;
    let audience = first.head.audience.clone().unwrap();
    audience.0.leave(OnDisconnect::Cancel);
    (first, second, audience)
}

#[tokio::test]
async fn who_takes_nothing_is_waited_for_until_it_is_hurried_and_again_once_it_takes_something() {
    let (mut first, mut second, audience) = left().await;
    let mut goes_on = || first.frames.next().now_or_never().is_some();
    assert!(!goes_on());
    audience.0.hurry();
    assert!(goes_on() && goes_on());
    assert!(second.frames.next().await.is_some());
    assert!(!goes_on());
}

#[tokio::test]
async fn what_others_have_heard_is_heard_when_they_have_left_and_nothing_else() {
    let (mut first, mut second, audience) = left().await;
    for _ in 0..3 {
        assert!(second.frames.next().await.is_some());
    }
    drop(second);
    assert!(audience.goes_on());
    let heard = std::iter::from_fn(|| first.frames.next().now_or_never()).count();
    assert_eq!((heard, audience.goes_on()), (3, false));
}
