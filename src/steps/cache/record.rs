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
use crate::pipeline::gathered::Gathered;
use crate::pipeline::renewal::Renewal;
use crate::pipeline::tariff::Quote;
use crate::pipeline::trail::Counts;
use crate::pipeline::{Burst, Head};
use crate::pricing::Terms;
use crate::state::Answers;
use crate::state::answers::{Kept, Origin, Place, Question, Room};

/// Where an answer is to be kept, and on what terms.
pub struct Shelf {
    pub answers: Arc<dyn Answers>,
    pub place: Place,
    /// The question to the letter, if it is known otherwise.
    pub wording: Option<Question>,
    pub room: Room,
    /// Bytes of the largest answer that is kept.
    pub largest: u64,
    pub tool_calls: bool,
    /// How many choices were asked for.
    pub choices: f64,
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

/// An answer that is kept when it is over.
pub struct Recording {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    head: Head,
    quote: Option<Quote>,
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
        quote: Option<Quote>,
        shelf: Shelf,
    ) -> Self {
        let mut recording =
            Self { frames, head: head.clone(), quote, gathered: Gathered::default(), size: 0, shelf: Some(shelf) };
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
        let outcome = match (worth::lack(completion, shelf.choices, shelf.tool_calls), wire) {
            (Some(lack), _) => lack,
            (None, Ok(wire)) if wire.len() as u64 <= shelf.largest => {
                match Kept::new(self.origin(completion, &shelf), wire) {
                    Ok(kept) => {
                        let (place, kept) = (shelf.place, Arc::new(kept));
                        match shelf.lesson.bearing() {
                            Some(bearing) => shelf.answers.keep_with(place, kept, shelf.room, bearing),
                            None => shelf.answers.keep(place, kept, shelf.room),
                        }
                        if let Some(renewal) = shelf.renewal {
                            renewal.succeeded();
                        }
                        shelf.lesson.learn(completion);
                        "kept"
                    }
                    Err(_) => UNREADABLE,
                }
            }
            (None, Ok(_)) => "size",
            (None, Err(why)) => why,
        };
        shelf.counts.add(outcome, 1);
    }

    fn origin(&self, completion: &Completion, shelf: &Shelf) -> Origin {
        let cost = |quote: &Quote| Some(quote.rates.cost(completion.usage.as_ref()?, Terms::default()));
        Origin {
            at: shelf.clock.now(),
            dialect: self.head.dialect,
            provider: self.head.provider.clone(),
            model: self.head.model.clone(),
            cost: self.quote.as_ref().and_then(cost),
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
