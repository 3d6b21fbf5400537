//! Keeping an answer while it passes: once it is over, and as it should be.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;

use super::likeness::Lesson;
use super::worth;
use crate::base::clock::Clock;
use crate::base::ids::DialectId;
use crate::base::stop::Stop;
use crate::base::text::Text;
use crate::chat::{Completion, Event, Frame, Losses};
use crate::dialect;
use crate::pipeline::charge::{Estimate, Price};
use crate::pipeline::ending::bytes_of;
use crate::pipeline::gathered::Gathered;
use crate::pipeline::remarks::Counts;
use crate::pipeline::renewal::Renewal;
use crate::pipeline::{Burst, Head};
use crate::state::Answers;
use crate::state::answers::{Kept, Origin, Place, Question, Room, Watch};

/// Where an answer is to be kept, and on what terms.
pub struct Shelf {
    pub answers: Arc<dyn Answers>,
    pub place: Place,
    /// Whether that was forgotten since the answer was asked for.
    pub watch: Watch,
    /// The question to the letter, if it is known otherwise.
    pub wording: Option<Question>,
    pub room: Room,
    /// Bytes of the largest answer that is kept.
    pub largest: u64,
    pub tool_calls: bool,
    /// How many choices were asked for.
    pub choices: f64,
    /// What it takes, where its provider does not say.
    pub estimate: Estimate,
    pub clock: Clock,
    /// Why nothing is kept, whatever comes.
    pub closed: Option<&'static str>,
    /// What came of it.
    pub counts: Arc<Counts>,
    /// Whoever waits for it to be kept.
    pub renewal: Option<Renewal>,
    /// What is learnt of it once it is kept.
    pub lesson: Lesson,
}

impl Shelf {
    /// Keeps the answer and learns of it, unless its place was forgotten meanwhile or the store does not take it; says which.
    fn put(self, kept: Kept, completion: &Completion) -> &'static str {
        let Self { answers, place, watch, room, renewal, lesson, .. } = self;
        let keep = || {
            let is_taken = match lesson.bearing() {
                Some(bearing) => answers.keep_with(place.clone(), Arc::new(kept), room, bearing),
                None => answers.keep(place.clone(), Arc::new(kept), room),
            };
            if !is_taken {
                return "not_kept";
            }
            if let Some(renewal) = renewal {
                renewal.succeeded();
            }
            lesson.learn(completion);
            "kept"
        };
        watch.unless_forgotten(&place, keep).unwrap_or("forgotten")
    }
}

/// An answer that is kept when it is over.
pub struct Recording {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    head: Head,
    /// `None` if that is not known.
    price: Option<Price>,
    gathered: Gathered,
    /// Bytes of what is gathered, about.
    size: u64,
    /// `None` once it is decided what becomes of the answer.
    shelf: Option<Shelf>,
}

impl Recording {
    pub fn new(
        frames: BoxStream<'static, Result<Burst, Stop>>,
        head: &Head,
        price: Option<Price>,
        shelf: Shelf,
    ) -> Self {
        let mut recording =
            Self { frames, head: head.clone(), price, gathered: Gathered::default(), size: 0, shelf: Some(shelf) };
        if let Some(why) = recording.shelf.as_ref().and_then(|shelf| shelf.closed) {
            recording.drop_for(why);
        }
        recording
    }

    fn hear(&mut self, frame: &Frame) {
        for event in frame.iter() {
            let Some(shelf) = &self.shelf else { return };
            match event {
                Event::Whole(completion) => self.keep_whole(frame, completion),
                Event::Failed(_) => self.drop_for("failed"),
                Event::End => self.keep_gathered(),
                event => {
                    if let Event::Delta { delta, .. } = event {
                        self.size += delta.text().map_or(0, Text::len) as u64;
                    }
                    if self.size > shelf.largest {
                        self.drop_for("size");
                    } else {
                        self.gathered.add(event);
                    }
                }
            }
        }
    }

    fn drop_for(&mut self, why: &str) {
        self.gathered = Gathered::default();
        if let Some(shelf) = self.shelf.take() {
            shelf.counts.add(why, 1);
        }
    }

    fn keep_whole(&mut self, frame: &Frame, completion: &Completion) {
        let dialect = self.head.dialect;
        let written = || written(dialect, completion, &mut Losses::default());
        let wire = frame.wire(dialect).or_else(written);
        self.keep(completion, wire.ok_or(UNREADABLE));
    }

    fn keep_gathered(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.is_lossy() {
            return self.drop_for(PARTS);
        }
        let (mut completion, _) = gathered.whole(GATHERED);
        if completion.model.is_empty() {
            completion.model = self.head.model.as_str().into();
        }
        let mut losses = Losses::default();
        let wire = written(self.head.dialect, &completion, &mut losses);
        // Whoever heard the stream was told all of it: a proof of thinking, say.
        let wire = if losses.is_empty() { wire.ok_or(UNREADABLE) } else { Err(PARTS) };
        self.keep(&completion, wire);
    }

    /// Keeps an answer that is worth it, as it is written, or not for this reason.
    fn keep(&mut self, completion: &Completion, wire: Result<Bytes, &'static str>) {
        let Some(shelf) = self.shelf.take() else { return };
        let counts = Arc::clone(&shelf.counts);
        let outcome = match (worth::lack(completion, shelf.choices, shelf.tool_calls), wire) {
            (Some(lack), _) => lack,
            (None, Ok(wire)) if wire.len() as u64 <= shelf.largest => {
                match Kept::new(self.origin(completion, &shelf), wire) {
                    Ok(kept) => shelf.put(kept, completion),
                    Err(_) => UNREADABLE,
                }
            }
            (None, Ok(_)) => "size",
            (None, Err(why)) => why,
        };
        counts.add(outcome, 1);
    }

    fn origin(&self, completion: &Completion, shelf: &Shelf) -> Origin {
        let usage = || shelf.estimate.complete(completion.usage.clone().unwrap_or_default(), bytes_of(completion));
        Origin {
            at: shelf.clock.now(),
            dialect: self.head.dialect,
            target: self.head.target.clone(),
            provider: self.head.provider.clone(),
            model: self.head.model.clone(),
            cost: self.price.as_ref().map(|price| price.cost(&usage())),
            wording: shelf.wording,
        }
    }
}

/// A whole answer, written in the dialect of the target that gave it.
fn written(dialect: DialectId, completion: &Completion, losses: &mut Losses) -> Option<Bytes> {
    let dialect = dialect::by_id(dialect)?;
    Some(dialect.write_completion(completion, losses).into())
}

impl Stream for Recording {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let burst = ready!(self.frames.as_mut().poll_next(cx));
        match &burst {
            Some(Ok(frames)) => frames.iter().for_each(|frame| self.hear(frame)),
            Some(Err(_)) => self.drop_for("failed"),
            // An answer that breaks off ends with an error. One without an end of its own is judged by its choices.
            None if self.shelf.is_some() => self.keep_gathered(),
            None => {}
        }
        Poll::Ready(burst)
    }
}

/// More was said than a whole answer would say.
const PARTS: &str = "parts";
const UNREADABLE: &str = "unreadable";
/// Nobody's dialect: a whole answer that was made of pieces is written with all that its dialect wants of one.
const GATHERED: DialectId = DialectId("gathered");

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::base::ids::{ModelName, PolicyName};
    use crate::pipeline::renewal::Renews;
    use crate::state::LocalAnswers;
    use crate::state::answers::{Forgotten, Scope, Whose};

    #[derive(Default)]
    struct Errand(AtomicBool);

    impl Renews for Errand {
        fn succeeded(&self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_answer_that_is_not_taken_or_was_forgotten_is_not_said_to_be_kept_nor_renewed() {
        let policy = PolicyName::new("p");
        let room = Room { bytes: 1 << 20, entries: 10, lasts: Duration::from_secs(60) };
        let put = |stands: bool, forgets: bool| {
            let (answers, forgotten, errand) =
                (LocalAnswers::default(), Forgotten::default(), Arc::new(Errand::default()));
            answers.stand(&[(policy.clone(), room)][..usize::from(stands)]);
            let renewal: Renewal = errand.clone();
            let shelf = Shelf {
                answers: Arc::new(answers),
                place: Scope::new(&policy, "all", &[]).place(Question([1; 32])),
                watch: forgotten.watch(),
                wording: None,
                room,
                largest: 1 << 10,
                tool_calls: false,
                clock: Clock::system(),
                choices: 1.0,
                estimate: Estimate::default(),
                closed: None,
                counts: Arc::default(),
                renewal: Some(renewal),
                lesson: Lesson::default(),
            };
            if forgets {
                forgotten.note(&Whose { policy: policy.clone(), scope: None });
            }
            let origin = Origin {
                at: Clock::system().now(),
                dialect: DialectId::OPENAI_CHAT,
                target: None,
                provider: None,
                model: ModelName::new("m"),
                cost: None,
                wording: None,
            };
            let wire = Bytes::from_static(
                br#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[]}"#,
            );
            let text = bytestring::ByteString::try_from(wire.clone()).unwrap();
            let completion = dialect::by_id(DialectId::OPENAI_CHAT).unwrap().read_completion(&text).unwrap();
            let outcome = shelf.put(Kept::new(origin, wire).unwrap(), &completion);
            (outcome, errand.0.load(Ordering::Relaxed))
        };
        assert_eq!(put(true, false), ("kept", true));
        assert_eq!(put(false, false), ("not_kept", false));
        assert_eq!(put(true, true), ("forgotten", false));
    }
}
