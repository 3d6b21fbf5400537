//! Following what gateways that share a store tell each other, for as long as a repertoire is in use.
//!
//! New questions are taken in and trials are told within a second. Nobody waits for any of it. Where nothing has been heard for
//! some seconds, nobody knows what others have found wrong meanwhile: until there is news again answers are only tried.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::repertoire::Repertoire;
use super::trust::{Ground, Standing, Trust};
use crate::state::answers::{Heard, News};

/// When anything was heard last, and a bell for who is to be told something.
#[derive(Default)]
pub struct Ear {
    heard: Mutex<Option<Instant>>,
    bell: Notify,
    /// Something is being told.
    is_telling: AtomicBool,
    /// So often it was tried to tell and to hear.
    tries: watch::Sender<u64>,
}

impl Ear {
    /// Whether it is known how others have fared, but for the last few seconds.
    pub fn is_current(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|at| at.elapsed() < CURRENT)
    }

    /// There is something to tell.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until there is nothing to tell any more.
    pub(super) async fn told(&self, is_left: impl Fn() -> bool) {
        let mut tries = self.tries.subscribe();
        while self.is_telling.load(Ordering::Acquire) || is_left() {
            self.ring();
            if tries.changed().await.is_err() {
                return;
            }
        }
    }

    /// All was heard that was there to hear at that time.
    fn heard(&self, at: Instant) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Whoever follows the news for a repertoire.
pub(super) struct Follower {
    pub of: Weak<Repertoire>,
    pub ear: Arc<Ear>,
    pub trust: Trust,
    pub news: Box<dyn News>,
    /// Trials that are being told, and are told again until that is known to be done.
    pub telling: Vec<(Ground, Standing)>,
}

impl Follower {
    pub async fn run(mut self) {
        let (mut pause, mut is_deaf) = (EVERY, false);
        while let Some(repertoire) = self.of.upgrade() {
            let policy = repertoire.policy.clone();
            let begun = Instant::now();
            let heard = self.exchange(repertoire).await;
            self.ear.tries.send_modify(|tries| *tries += 1);
            match heard {
                Ok(has_more) => {
                    self.ear.heard(begun);
                    if std::mem::take(&mut is_deaf) {
                        info!(%policy, "similar questions of other gateways are heard of again");
                    }
                    pause = EVERY;
                    if !has_more {
                        sleep(LEAST).await;
                        // Whoever rings is as good as the time that is over.
                        let _ = timeout(spread(pause), self.ear.bell.notified()).await;
                    }
                }
                Err(why) => {
                    if !is_deaf && !self.ear.is_current() {
                        is_deaf = true;
                        warn!(%policy, why, "similar questions of other gateways are not heard of; answers to them are only tried");
                    }
                    sleep(spread(pause)).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    /// Tells and hears once; whether there is more to hear.
    async fn exchange(&mut self, repertoire: Arc<Repertoire>) -> Result<bool, String> {
        if self.telling.is_empty() {
            // Before they are taken out, so that they are never seen nowhere.
            self.ear.is_telling.store(true, Ordering::Release);
            self.telling = self.trust.untold(&repertoire.policy, repertoire.embedder);
        }
        let heard = self.news.exchange(&self.telling).await?;
        self.telling.clear();
        self.ear.is_telling.store(false, Ordering::Release);
        let has_more = heard.has_more;
        if !is_silence(&heard) {
            let trust = self.trust.clone();
            // To read hundreds of questions takes longer than others shall wait for this thread.
            let taken = tokio::task::spawn_blocking(move || repertoire.take_in(heard, &trust));
            taken.await.map_err(|_| "the gateway is stopping".to_owned())?;
        }
        Ok(has_more)
    }
}

fn is_silence(heard: &Heard) -> bool {
    heard.forgotten.is_empty() && heard.new.questions.is_empty() && heard.new.standings.is_empty() && !heard.are_all
}

/// So that gateways do not ask all at the same moment.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// For so long nothing that was heard is too old to act upon.
const CURRENT: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_millis(400);
/// So long after one exchange there is none, whoever rings.
const LEAST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_core::future::BoxFuture;

    use super::*;
    use crate::base::ids::PolicyName;
    use crate::state::answers::{
        Answers, Bearing, EmbedderHash, Found, Kept, LocalAnswers, Place, Question, Recalled, Record, Room, Scope,
        Stock, Whose,
    };
    use crate::steps::cache::likeness::repertoire::Repertoires;

    const EMBEDDER: EmbedderHash = [1; 32];
    const ROOM: Room = Room { bytes: 1 << 20, entries: 10, lasts: Duration::MAX };

    fn policy() -> PolicyName {
        PolicyName::new("p")
    }

    fn place(number: u8) -> Place {
        Scope::new(&policy(), "all", &[]).place(Question([number; 32]))
    }

    fn ground() -> Ground {
        Ground { policy: policy(), scope: place(0).scope(), embedder: EMBEDDER, least: 9_000 }
    }

    fn standing(tried: u64, wrong: u64) -> (Ground, Standing) {
        (ground(), Standing { record: Record { tried, wrong }, at_most: 0.2, by: "m".into() })
    }

    type Told = Arc<Mutex<Vec<Vec<(u64, u64)>>>>;
    type Script = Arc<Mutex<VecDeque<Result<Heard, String>>>>;

    /// Says what it is to say, and then that it hears nothing any more.
    struct Scripted {
        script: Script,
        told: Told,
    }

    impl News for Scripted {
        fn exchange<'a>(&'a mut self, trials: &'a [(Ground, Standing)]) -> BoxFuture<'a, Result<Heard, String>> {
            let trials = trials.iter().map(|(_, standing)| (standing.record.tried, standing.record.wrong)).collect();
            self.told.lock().unwrap().push(trials);
            let next = self.script.lock().unwrap().pop_front();
            Box::pin(std::future::ready(next.unwrap_or_else(|| Err("away".to_owned()))))
        }
    }

    /// A store that others share.
    struct Shared {
        local: LocalAnswers,
        script: Script,
        told: Told,
    }

    impl Answers for Shared {
        fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found> {
            self.local.find(place)
        }

        fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) -> bool {
            self.local.keep(place, kept, room)
        }

        fn follow(&self, _: &PolicyName, _: EmbedderHash) -> Option<Box<dyn News>> {
            Some(Box::new(Scripted { script: Arc::clone(&self.script), told: Arc::clone(&self.told) }))
        }

        fn stock<'a>(&'a self, known: &'a [PolicyName]) -> BoxFuture<'a, Result<Vec<Stock>, String>> {
            self.local.stock(known)
        }

        fn forget<'a>(&'a self, whose: &'a Whose) -> BoxFuture<'a, Result<u64, String>> {
            self.local.forget(whose)
        }
    }

    struct House {
        all: Repertoires,
        repertoire: Arc<Repertoire>,
        trust: Trust,
        told: Told,
        script: Script,
    }

    fn house(script: impl IntoIterator<Item = Result<Heard, String>>) -> House {
        let (told, script): (Told, Script) = (Arc::default(), Arc::new(Mutex::new(script.into_iter().collect())));
        let shared = Shared { local: LocalAnswers::default(), script: Arc::clone(&script), told: Arc::clone(&told) };
        let answers: Arc<dyn Answers> = Arc::new(shared);
        let (all, trust) = (Repertoires::default(), Trust::default());
        let repertoire = all.of(&policy(), EMBEDDER);
        repertoire.recall(&answers, &trust, ROOM);
        repertoire.recall(&answers, &trust, ROOM);
        House { all, repertoire, trust, told, script }
    }

    fn heard(questions: &[u8], standings: Vec<(Ground, Standing)>) -> Heard {
        let bearing = |number: &u8| {
            let vector = vec![1, 2, number.cast_signed()].into();
            (
                place(*number),
                Bearing { embedder: EMBEDDER, frame: Question([0; 32]), form: "how to do it".into(), vector },
            )
        };
        let new = Recalled { questions: questions.iter().map(bearing).collect(), standings };
        Heard { new, ..Heard::default() }
    }

    async fn pass(millis: u64) {
        sleep(Duration::from_millis(millis)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_acted_upon_before_the_first_news_and_for_no_more_than_seconds_after_the_last() {
        let house = house([Ok(heard(&[1, 2], vec![standing(500, 0)]))]);
        assert!(!house.repertoire.is_current());
        pass(50).await;
        assert!(house.repertoire.is_current());
        assert_eq!((house.repertoire.index.len(), house.trust.of(&ground()).tried), (2, 500));
        pass(2_900).await;
        assert!(house.repertoire.is_current());
        pass(200).await;
        assert!(!house.repertoire.is_current(), "nothing was heard for three seconds");
        assert_eq!(house.repertoire.index.len(), 2, "what is known is known still");
        house.script.lock().unwrap().push_back(Ok(Heard::default()));
        pass(4_000).await;
        house.script.lock().unwrap().push_back(Ok(Heard::default()));
        pass(2_500).await;
        assert!(house.repertoire.is_current());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_tried_before_the_first_news_is_told_and_told_again_until_it_has_arrived() {
        let house = house([
            Err("away".to_owned()),
            Err("away".to_owned()),
            Ok(heard(&[], vec![standing(12, 1)])),
            Ok(heard(&[], vec![standing(14, 2)])),
        ]);
        let by = Arc::from("m");
        house.trust.learn_to_tell(&ground(), true, 0.2, &by);
        house.trust.learn_to_tell(&ground(), false, 0.2, &by);
        pass(1).await;
        // This one comes when the first two are on their way, and goes with the next.
        house.trust.learn_to_tell(&ground(), false, 0.2, &by);
        assert_eq!(house.trust.of(&ground()), Record { tried: 3, wrong: 2 });
        pass(2_000).await;
        assert_eq!(house.told.lock().unwrap()[..3], [vec![(2, 1)], vec![(2, 1)], vec![(2, 1)]]);
        pass(1_000).await;
        assert_eq!(house.told.lock().unwrap()[3], [(1, 1)]);
        assert_eq!(house.trust.of(&ground()), Record { tried: 14, wrong: 2 });
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_may_wait_until_everything_is_told() {
        let house = house([Ok(Heard::default()), Err("away".to_owned()), Ok(Heard::default())]);
        house.trust.learn_to_tell(&ground(), true, 0.2, &Arc::from("m"));
        pass(300).await;
        house.trust.learn_to_tell(&ground(), false, 0.2, &Arc::from("m"));
        house.all.told(&house.trust).await;
        assert_eq!(*house.told.lock().unwrap(), [vec![(1, 0)], vec![(1, 1)], vec![(1, 1)]]);
        house.all.told(&house.trust).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_elsewhere_is_forgotten_here_and_what_comes_after_it_is_not() {
        let gone = Heard { forgotten: vec![Whose { policy: policy(), scope: None }], ..heard(&[3], vec![]) };
        let house = house([Ok(heard(&[1, 2], vec![standing(500, 0)])), Ok(gone)]);
        pass(50).await;
        assert_eq!(house.repertoire.index.len(), 2);
        pass(1_000).await;
        assert_eq!((house.repertoire.index.len(), house.trust.of(&ground()).tried), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_who_follows_and_none_when_nobody_needs_the_questions_any_more() {
        let house = house((0..1_000).map(|_| Ok(Heard::default())));
        pass(10_000).await;
        let asked = house.told.lock().unwrap().len();
        assert!((15..=30).contains(&asked), "{asked} times in ten seconds");
        drop(house.repertoire);
        pass(1_000).await;
        let asked = house.told.lock().unwrap().len();
        pass(10_000).await;
        assert_eq!(house.told.lock().unwrap().len(), asked);
    }
}
