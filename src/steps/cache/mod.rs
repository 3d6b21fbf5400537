//! Keeps answers and gives them again to the same question.
//!
//! The same question is one that is equal in everything an answer depends on, asked by somebody who shares answers with
//! whoever asked it first: see `question` and `sharing`. It is looked at as earlier steps have left it, and what is
//! kept is what later steps have made of the answer; earlier steps treat a kept answer like any other.
//!
//! Where a policy says `canonical`, a conversation's opening question is the same, too, if it differs only in how it is
//! written: see [`canonical`] and `opening`. Everything else must be equal as before.
//!
//! Where it says `similar`, such a question may also be given what was answered to another one that an embedder finds
//! alike, once that has proved to be right often enough: see `likeness`.
//!
//! Only what was said to its end and as it should be is kept: see `worth`. Those who ask the same at the same time
//! hear one and the same answer while it comes: see `flight`. What is out of date, but not by much, is given at once and
//! renewed behind the back of whoever was given it: see `renewals`.
//!
//! Where a policy only observes, nobody is answered from here and nobody waits, but answers are kept, so that the trail
//! says what would have been found.

mod book;
pub mod canonical;
mod conclusion;
mod config;
mod flight;
mod forgetting;
mod keeping;
pub mod likeness;
mod moment;
mod opening;
mod question;
mod record;
mod renewals;
mod replay;
mod sharing;
#[cfg(test)]
mod tests;
mod wanted;
mod whence;
mod window;
mod word;
mod worth;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::base::ids::PolicyName;
use crate::base::json::Number;
use crate::base::stop::Stop;
use crate::chat::{Request, Verbatim};
use crate::pipeline::charge::Estimate;
use crate::pipeline::cx::{Cached, Cx};
use crate::pipeline::route::Route;
use crate::pipeline::run::Mode;
use crate::pipeline::step::{Deed, Side};
use crate::pipeline::target::Target;
use crate::pipeline::{Answer, Flow, Step};
use crate::state::Answers;
use crate::state::answers::{Forgotten, Found, Kept, Place, Room};
use crate::steps::Site;

pub use book::Book;
use book::Event;
use conclusion::{conclude, pass_by};
pub use config::Config;
use config::Settings;
pub use flight::Flights;
use flight::{Joined, Lead};
pub use forgetting::forget;
use keeping::{Keeping, given};
pub use likeness::repertoire::Repertoires;
pub use likeness::trust::{Ground, Standing, Trust};
use likeness::{Opening, Seen, Similar};
use record::Shelf;
pub use renewals::Renewals;
use replay::Sending;
pub use sharing::{SharedBy, everyones, whose};
use wanted::{Asking, Wanted};
use whence::Whence;
use word::Word;

/// The step, its settings checked.
pub struct Cache {
    policy: PolicyName,
    /// The policy under whose name answers are kept.
    home: PolicyName,
    imprint: String,
    mode: Mode,
    settings: Settings,
    similar: Option<Similar>,
    answers: Arc<dyn Answers>,
    forgotten: Forgotten,
    flights: Flights,
    renewals: Renewals,
    book: Arc<Book>,
    clock: Clock,
    route: Option<Arc<Route>>,
    targets: Vec<Arc<Target>>,
}

impl Cache {
    /// # Errors
    /// What is wrong with a setting, for the person who wrote it.
    pub fn new(config: &Config, site: &Site<'_>) -> Result<Self, String> {
        let settings = config.checked()?;
        let home = settings.shared_by.home(site.policy);
        let [own, common] = site.imprints;
        Ok(Self {
            policy: site.policy.clone(),
            imprint: if settings.shared_by == SharedBy::Everyone { common } else { own }.to_owned(),
            mode: site.mode,
            similar: match &config.similar {
                Some(similar) => similar.build(site, &home, settings.room)?,
                None => None,
            },
            home,
            settings,
            answers: Arc::clone(&site.stores.answers),
            forgotten: site.stores.forgotten.clone(),
            flights: site.stores.flights.clone(),
            renewals: site.stores.renewals.clone(),
            book: Arc::clone(&site.stores.kept),
            clock: site.stores.clock,
            route: site.route.cloned(),
            targets: site.targets.to_vec(),
        })
    }

    async fn look(&self, cx: &mut Cx, request: &Request) -> Flow {
        let word = Word::of(&cx.headers);
        let wanted = match self.wanted(cx, request, word) {
            Ok(wanted) => wanted,
            Err(why) => return pass_by(cx, why),
        };
        let may_find = word != Some(Word::Refresh);
        let mut found = None;
        if may_find && !wanted.is_known_by_form() {
            // What is kept for a question known to the letter was asked for by one that was not about the present, and so is
            // not this one. Only the others need be gone through: they may be whole documents.
            let (good, age) = self.find(cx, &wanted.place).await.unzip();
            if let (Some(good), Some(Age::Fresh)) = (&good, age)
                && let Some(answer) = self.give(cx, request, good, "hit", wanted.tier_of(&good.kept))
            {
                return Flow::Answer(answer);
            }
            found = Some(good.zip(age));
        }
        match () {
            () if moment::is_of_now(request) => pass_by(cx, "now"),
            // Boxed, since it is large, and answers that are there need none of it.
            () if may_find => Box::pin(self.find_or_ask(cx, request, wanted, found)).await,
            () => self.ask(cx, request, "refresh", wanted, Asking::default()),
        }
    }

    /// Looks for the answer, if that was not done a moment ago, waits for one under way, or asks.
    async fn find_or_ask(
        &self,
        cx: &mut Cx,
        request: &Request,
        wanted: Wanted,
        mut found: Option<Option<(Good, Age)>>,
    ) -> Flow {
        // Who has waited in vain for two others asks for itself: what keeps failing is not waited for in a row.
        for _ in 0..TURNS {
            let found = match found.take() {
                Some(found) => found,
                None => self.find(cx, &wanted.place).await,
            };
            match found {
                Some((good, Age::Fresh)) => {
                    if let Some(answer) = self.give(cx, request, &good, "hit", wanted.tier_of(&good.kept)) {
                        return Flow::Answer(answer);
                    }
                }
                Some((good, Age::Stale)) if self.mode == Mode::Enforce && cx.renews.is_none() => {
                    if let Some(answer) = self.give(cx, request, &good, "stale", wanted.tier_of(&good.kept)) {
                        cx.to_renew = self
                            .renewals
                            .take(&wanted.place, &self.policy, &self.book)
                            .map(|errand| Arc::new(errand) as _);
                        return Flow::Answer(answer);
                    }
                }
                _ => {}
            }
            if self.mode == Mode::Observe {
                break;
            }
            let seat = match self.flights.join(&wanted.place, request.stream, wanted.wording) {
                Joined::First(lead) => {
                    // Whoever was first a moment ago may have kept it meanwhile.
                    if let Some((good, Age::Fresh)) = self.find(cx, &wanted.place).await
                        && let Some(answer) = self.give(cx, request, &good, "hit", wanted.tier_of(&good.kept))
                    {
                        return Flow::Answer(answer);
                    }
                    cx.presence.iter().for_each(|presence| presence.outlive_for(lead.audience()));
                    return self.seek(cx, request, wanted, lead).await;
                }
                Joined::Later(seat) => seat,
            };
            let tier = wanted.tier(seat.wording());
            let begun = Instant::now();
            let heard = seat.hear().await;
            cx.trail.pauses += begun.elapsed();
            if let Some((answer, whence)) = heard {
                return Flow::Answer(self.share(cx, answer, whence, tier));
            }
        }
        self.ask(cx, request, "miss", wanted, Asking::default())
    }

    /// Looks for a similar question before the request is asked.
    async fn seek(&self, cx: &mut Cx, request: &Request, wanted: Wanted, lead: Lead) -> Flow {
        let Seen { like, mut lesson } = match (&self.similar, &wanted.opening) {
            // What is to be renewed is not to be had elsewhere.
            (Some(similar), Some((frame, form))) if cx.renews.is_none() => {
                similar.look(cx, Opening { frame, place: &wanted.place, form }).await
            }
            _ => Seen::default(),
        };
        if let Some(like) = like {
            let found = self.answers.find(&like.place).await;
            // A store that cannot be asked may have it still.
            let is_known = !matches!(found, Found::Unknown);
            match self.sound(cx, found) {
                Some((good, Age::Fresh)) if like.may_be_given => {
                    if let Some(mut answer) = self.give(cx, request, &good, "hit", "similar") {
                        answer.head.headers.insert(SIMILARITY, like.header());
                        let whence = Whence::Kept { origin: Box::new(good.kept.origin.clone()), tier: "similar" };
                        return Flow::Answer(lead.begin(answer, whence, window::room(self.settings.largest)));
                    }
                }
                Some((good, Age::Fresh)) => lesson.try_against(like, good.kept),
                // It may be fresh again later, but then its question is known anew.
                _ if is_known => lesson.forget(&like),
                _ => {}
            }
        }
        self.ask(cx, request, "miss", wanted, Asking { lead: Some(lead), lesson })
    }

    /// Where the request's answer would lie, or why it is none of those that are kept.
    fn wanted(&self, cx: &mut Cx, request: &Request, word: Option<Word>) -> Result<Wanted, &'static str> {
        if word == Some(Word::NoStore) {
            return Err("no_store");
        }
        if request.has_media() {
            return Err("media");
        }
        if request.params.temperature.as_ref().is_some_and(|given| given.as_f64() > self.settings.max_temperature) {
            return Err("temperature");
        }
        let scope = self.settings.shared_by.scope(&self.home, &cx.caller).ok_or("nobody")?;
        let circumstances = question::Circumstances {
            imprint: &self.imprint,
            route: self.route.as_deref(),
            shared_by: self.settings.shared_by,
            steers: self.targets.iter().chain(&cx.detour).any(|target| target.dialect.id() == request.dialect),
        };
        let form = self.form(cx, request);
        let question::Asked { question, wording, frame } = question::of(&circumstances, cx, request, form.as_deref());
        let opening = frame.map(|frame| scope.place(frame)).zip(form);
        Ok(Wanted { place: scope.place(question), wording, opening, watch: self.forgotten.watch() })
    }

    /// The form that the request's question shares with others, where the policy wants that and it has one.
    fn form(&self, cx: &mut Cx, request: &Request) -> Option<String> {
        let opening = opening::text(request).filter(|_| self.settings.canonical)?;
        canonical::canonical(&opening.as_str()).inspect_err(|never| cx.remarks.note("exact", never.as_str())).ok()
    }

    async fn find(&self, cx: &mut Cx, place: &Place) -> Option<(Good, Age)> {
        let found = self.answers.find(place).await;
        self.sound(cx, found)
    }

    /// What was found, if that may be given.
    fn sound(&self, cx: &mut Cx, found: Found) -> Option<(Good, Age)> {
        let kept = match found {
            Found::Answer(kept) => kept,
            Found::Nothing | Found::Unknown => return None,
            Found::Damaged => {
                self.book.count(&self.policy, Event::Damaged);
                cx.remarks.note("found", "damaged");
                return None;
            }
        };
        let age = Duration::try_from(self.clock.now().duration_since(kept.origin.at)).unwrap_or_default();
        let good = Good { kept, age };
        match age {
            age if age < self.settings.keep => Some((good, Age::Fresh)),
            age if age < self.settings.keep + self.settings.stale => Some((good, Age::Stale)),
            _ => None,
        }
    }

    /// A kept answer, given again.
    fn give(
        &self,
        cx: &mut Cx,
        request: &Request,
        Good { kept, age }: &Good,
        result: &'static str,
        tier: &'static str,
    ) -> Option<Answer> {
        let mut answer = replay::answer(kept, cx, self.sending(request))?;
        let cached = self.priced(cx, &kept.origin, result);
        if let Some(renewal) = &cx.renews {
            // Somebody was faster.
            renewal.succeeded();
        }
        let age = age.as_secs();
        answer.head.headers.insert(http::header::AGE, HeaderValue::from(age));
        cx.remarks.note("age", age);
        conclude(cx, Cached { tier: Some(tier), ..cached });
        Some(given(answer, result, tier))
    }

    fn sending(&self, request: &Request) -> Sending {
        if request.stream { Sending::Stream { pace: self.settings.pace } } else { Sending::Whole }
    }

    /// Has the request asked, and its answer kept.
    fn ask(&self, cx: &mut Cx, request: &Request, result: &'static str, wanted: Wanted, asking: Asking) -> Flow {
        conclude(cx, Cached::of(result));
        let (question, factor) = (cx.question.as_ref(), cx.tokens.factor(&cx.model));
        let has_logprobs = request.params.logprobs == Some(true) || request.params.top_logprobs.is_some();
        let shelf = Shelf {
            answers: Arc::clone(&self.answers),
            place: wanted.place,
            watch: wanted.watch,
            wording: wanted.wording,
            room: self.settings.room,
            largest: self.settings.largest,
            tool_calls: self.settings.tool_calls,
            estimate: question.map(|question| Estimate::of(question, factor)).unwrap_or_default(),
            choices: request.params.n.as_ref().map_or(1.0, Number::as_f64),
            clock: self.clock,
            // Pieces of a stream say more of these than a whole answer made of them would.
            closed: (has_logprobs && request.stream).then_some("logprobs"),
            counts: cx.remarks.count_answer(),
            renewal: cx.renews.clone(),
            lesson: asking.lesson,
        };
        Flow::Tap(Box::new(Keeping {
            shelf,
            lead: asking.lead,
            result,
            is_detoured: cx.detour.is_some(),
            targets: cx.detour.as_ref().map_or_else(|| self.targets.clone(), |target| vec![Arc::clone(target)]),
        }))
    }
}

/// A kept answer that may be given, and how long ago it was made.
struct Good {
    kept: Arc<Kept>,
    age: Duration,
}

/// Whether an answer may still be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    /// It is renewed, and given meanwhile.
    Stale,
}

impl Step for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn deeds(&self) -> Vec<Deed> {
        let mut deeds = vec![Deed::Answers, Deed::Keeps(Side::Request)];
        deeds.extend(self.similar.is_some().then_some(Deed::Shows(Side::Request)));
        deeds.extend(self.settings.charges().then_some(Deed::Charges));
        deeds
    }

    fn shelf(&self) -> Option<(&PolicyName, Room)> {
        Some((&self.home, self.settings.room))
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        Box::pin(async move { Ok(self.look(cx, request).await) })
    }
}

const TURNS: usize = 2;
const SIMILARITY: HeaderName = HeaderName::from_static("x-tidegate-cache-similarity");
