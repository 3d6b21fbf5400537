use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Duration;

use super::*;
use crate::auth::Caller;
use crate::base::ids::{DialectId, ProviderName, TargetName};
use crate::base::money::Nanos;
use crate::base::secret::Secret;
use crate::dialect;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::health::{HealthBook, Outcome};
use crate::pipeline::tariff::Tariff;
use crate::pricing::Rates;
use crate::provider::{Pick, Pools, Provider, Spec};

/// Makes targets that share a book of health.
#[derive(Default)]
struct Town {
    book: HealthBook,
}

impl Town {
    fn target(&self, name: &str) -> Arc<Target> {
        self.priced(name, None)
    }

    fn priced(&self, name: &str, price: Option<(i64, i64)>) -> Arc<Target> {
        let spec = Spec {
            name: ProviderName::new(name),
            kind: "simulator".into(),
            url: None,
            keys: Vec::<Secret>::new(),
            pick: Pick::RoundRobin,
            headers: Vec::new(),
            ca: None,
            http2: false,
            propagate: false,
            simulate: None,
        };
        let name = TargetName::new(name);
        Arc::new(Target {
            health: self.book.of(&name),
            name,
            provider: Arc::new(Provider::open(spec, &Pools::new()).unwrap()),
            dialect: dialect::by_id(DialectId::OPENAI_CHAT).unwrap(),
            model: None,
            max_concurrent: None,
            breaker: Default::default(),
            tariff: Tariff::fixed(price.map(|(input, output)| Rates::simple(Nanos(input), Nanos(output)))),
        })
    }

    fn to(&self, name: &str) -> Route {
        plain(Choice::Target(self.target(name)))
    }

    fn all(&self, names: &[&str]) -> Vec<Route> {
        names.iter().map(|name| self.to(name)).collect()
    }

    fn weighted(&self, weights: &[(u32, &str)]) -> Route {
        plain(Choice::Weighted(weights.iter().map(|(weight, name)| (*weight, self.to(name))).collect()))
    }

    fn canary(&self, stable: Route, candidate: &str, share: u32) -> Canary {
        Canary {
            stable: Box::new(stable),
            candidate: Box::new(self.to(candidate)),
            share,
            sticky: None,
            abort_if: None,
            aborted: Arc::default(),
        }
    }
}

fn plain(choice: Choice) -> Route {
    Route { site: 0, choice, sticky: None, shadow: None }
}

fn sticky(route: Route) -> Route {
    Route { sticky: Some(Sticky::Session), ..route }
}

/// A request of a session, with so many tokens in and at most so many out.
#[derive(Default)]
struct Asking {
    caller: Caller,
    input: u64,
    output: Option<u64>,
}

impl Asking {
    fn in_session(number: usize) -> Self {
        let caller = Caller { session: Some(number.to_string().into()), ..Caller::default() };
        Self { caller, ..Self::default() }
    }
}

impl Facts for Asking {
    fn caller(&self) -> &Caller {
        &self.caller
    }
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn endpoint(&self) -> Endpoint {
        Endpoint::Chat
    }
    fn dialect(&self) -> Option<DialectId> {
        None
    }
    fn model(&self) -> &str {
        "m"
    }
    fn is_stream(&self) -> bool {
        false
    }
    fn input_tokens(&self) -> u64 {
        self.input
    }
    fn max_tokens(&self) -> Option<u64> {
        self.output
    }
    fn has_tools(&self) -> bool {
        false
    }
    fn has_images(&self) -> bool {
        false
    }
    fn header(&self, _: &str) -> Option<&str> {
        None
    }
}

struct Holds(bool);

impl Predicate for Holds {
    fn holds(&self, _: &dyn Facts) -> bool {
        self.0
    }

    fn explain(&self, _: &dyn Facts) -> Clause {
        Clause { text: String::new(), holds: Ok(self.0), asked: Vec::new(), parts: Vec::new() }
    }
}

/// The plan in words: names of targets, `!` for a refusal.
fn planned(route: &Route, facts: &dyn Facts) -> String {
    let names = route.plan(facts, Detail::Brief).candidates;
    let names: Vec<_> = names
        .iter()
        .map(|candidate| match candidate {
            Candidate::Target(target) => target.name.as_str().to_owned(),
            Candidate::Deny(_) => "!".to_owned(),
        })
        .collect();
    names.join(" ")
}

fn plan_of(route: &Route) -> String {
    planned(route, &Asking::default())
}

/// How often each target came first in so many plans.
fn firsts(route: &Route, plans: impl Iterator<Item = Asking>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for facts in plans {
        let plan = planned(route, &facts);
        *counts.entry(plan.split(' ').next().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

const MANY: usize = 4000;

fn sessions() -> impl Iterator<Item = Asking> {
    (0..MANY).map(Asking::in_session)
}

fn strangers() -> impl Iterator<Item = Asking> {
    (0..MANY).map(|_| Asking::default())
}

/// Within five standard deviations of what chance would give.
#[track_caller]
fn assert_share(count: Option<&usize>, of: usize, percent: f64) {
    let (count, of) = (*count.unwrap_or(&0) as f64, of as f64);
    let expected = of * percent / 100.0;
    let deviation = (expected * (1.0 - percent / 100.0)).sqrt();
    assert!((count - expected).abs() <= 5.0 * deviation + 1.0, "{count} of {of} is not {percent}%");
}

#[tokio::test]
async fn a_fallback_keeps_the_order_of_the_file() {
    let town = Town::default();
    assert_eq!(plan_of(&plain(Choice::Fallback(town.all(&["a", "b", "c"])))), "a b c");
}

#[tokio::test]
async fn the_same_target_is_planned_once_however_often_it_is_named() {
    let town = Town::default();
    let (a, b) = (town.target("a"), town.target("b"));
    let to = |target: &Arc<Target>| plain(Choice::Target(Arc::clone(target)));
    let inner = plain(Choice::Fallback(vec![to(&b), to(&a)]));
    assert_eq!(plan_of(&plain(Choice::Fallback(vec![to(&a), inner, to(&b)]))), "a b");
}

#[tokio::test]
async fn a_weighted_route_shares_by_weight_and_keeps_the_others_behind() {
    let town = Town::default();
    let route = town.weighted(&[(90, "a"), (10, "b")]);
    let counts = firsts(&route, strangers());
    assert_share(counts.get("a"), MANY, 90.0);
    assert!(["a b", "b a"].contains(&plan_of(&route).as_str()));
}

#[tokio::test]
async fn a_target_of_weight_zero_is_never_planned() {
    let route = Town::default().weighted(&[(0, "a"), (1, "b")]);
    assert!(strangers().all(|facts| planned(&route, &facts) == "b"));
    assert!(sessions().all(|facts| planned(&sticky(Town::default().weighted(&[(0, "a"), (1, "b")])), &facts) == "b"));
}

#[tokio::test]
async fn a_session_has_the_same_plan_each_time_and_sessions_are_shared_by_weight() {
    let route = sticky(Town::default().weighted(&[(75, "a"), (25, "b")]));
    for number in 0..50 {
        let first = planned(&route, &Asking::in_session(number));
        assert!((0..10).all(|_| planned(&route, &Asking::in_session(number)) == first));
    }
    assert_share(firsts(&route, sessions()).get("b"), MANY, 25.0);
}

#[tokio::test]
async fn sessions_stick_to_members_of_adaptive_nodes_too() {
    let town = Town::default();
    for choice in [Choice::Fastest(town.all(&["a", "b"])), Choice::LeastBusy(town.all(&["a", "b"]))] {
        let route = sticky(plain(choice));
        let first = planned(&route, &Asking::in_session(7));
        let _busy = town.target(&first[..1]).health.enter(None);
        assert_eq!(planned(&route, &Asking::in_session(7)), first);
        assert_share(firsts(&route, sessions()).get("a"), MANY, 50.0);
    }
}

#[tokio::test]
async fn the_sessions_of_a_target_that_fails_are_spread_over_the_next_ones() {
    let town = Town::default();
    let inner = vec![town.weighted(&[(1, "a"), (1, "b")]), town.weighted(&[(1, "c"), (1, "d")])];
    let route = sticky(plain(Choice::Fallback(inner)));
    let plans: Vec<_> = sessions().map(|facts| planned(&route, &facts)).collect();
    let of_a: Vec<_> = plans.iter().filter(|plan| plan.starts_with('a')).collect();
    let then_c = of_a.iter().filter(|plan| plan.split(' ').nth(2) == Some("c")).count();
    assert_share(Some(&then_c), of_a.len(), 50.0);
}

#[tokio::test]
async fn a_request_without_a_session_is_shared_by_chance() {
    let route = sticky(Town::default().weighted(&[(1, "a"), (1, "b")]));
    assert_share(firsts(&route, strangers()).get("a"), MANY, 50.0);
}

#[tokio::test]
async fn two_teams_with_a_session_of_the_same_name_are_strangers() {
    let route = sticky(Town::default().weighted(&[(1, "a"), (1, "b")]));
    let of_team = |team: &str, number: usize| {
        let mut facts = Asking::in_session(number);
        facts.caller.team = Some(team.into());
        planned(&route, &facts)
    };
    let same = (0..MANY).filter(|number| of_team("x", *number) == of_team("y", *number)).count();
    assert_share(Some(&same), MANY, 50.0);
}

#[tokio::test]
async fn a_canary_gets_its_share_with_the_stable_route_behind_it() {
    let town = Town::default();
    let route = plain(Choice::Canary(town.canary(town.to("stable"), "new", 500)));
    assert_share(firsts(&route, strangers()).get("new"), MANY, 5.0);
    let always = plain(Choice::Canary(town.canary(town.to("stable"), "new", 10_000)));
    assert_eq!(plan_of(&always), "new stable");
    let never = plain(Choice::Canary(town.canary(town.to("stable"), "new", 0)));
    assert_eq!(plan_of(&never), "stable");
}

#[tokio::test]
async fn a_canary_within_a_canary_gets_its_share_of_the_rest() {
    let town = Town::default();
    let inner = plain(Choice::Canary(town.canary(town.to("stable"), "second", 2000)));
    let route = sticky(plain(Choice::Canary(town.canary(inner, "first", 2000))));
    let counts = firsts(&route, sessions());
    assert_share(counts.get("first"), MANY, 20.0);
    assert_share(counts.get("second"), MANY, 16.0);
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_was_given_up_stays_so_when_its_failures_are_forgotten() {
    let town = Town::default();
    let abort_if = Some(AbortIf { error_rate: 1000, min_requests: 10 });
    let canary = Canary { abort_if, ..town.canary(town.to("stable"), "new", 10_000) };
    let route = plain(Choice::Canary(canary));
    let note = |bad: usize, good: usize| {
        (0..bad).for_each(|_| town.target("new").health.note_outcome(Outcome::Bad));
        (0..good).for_each(|_| town.target("new").health.note_outcome(Outcome::Good));
    };
    note(1, 8);
    assert_eq!(plan_of(&route), "new stable", "nine outcomes are too few");
    note(0, 1);
    assert_eq!(plan_of(&route), "new stable", "one in ten is not above the rate");
    note(1, 0);
    assert_eq!(plan_of(&route), "stable");
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(plan_of(&route), "stable");
}

#[tokio::test]
async fn the_cheapest_target_depends_on_what_is_asked() {
    let town = Town::default();
    let targets = [town.priced("short", Some((10, 100))), town.priced("long", Some((50, 50))), town.target("unknown")];
    let route = plain(Choice::Cheapest(targets.map(|target| plain(Choice::Target(target))).into()));
    let asking = |input, output| Asking { input, output: Some(output), ..Asking::default() };
    assert_eq!(planned(&route, &asking(1_000_000, 1_000)), "short long unknown");
    assert_eq!(planned(&route, &asking(1_000, 1_000_000)), "long short unknown");
    planned(&route, &asking(u64::MAX, u64::MAX));
}

#[tokio::test]
async fn the_least_busy_target_comes_first() {
    let town = Town::default();
    let route = plain(Choice::LeastBusy(town.all(&["a", "b", "c"])));
    let _places: Vec<_> = ["a", "a", "c"].map(|name| town.target(name).health.enter(None)).into();
    assert_eq!(plan_of(&route), "b c a");
}

#[tokio::test(start_paused = true)]
async fn the_fastest_target_is_the_one_with_the_shortest_first_token() {
    let town = Town::default();
    let route = plain(Choice::Fastest(town.all(&["a", "b", "c"])));
    for (name, ms) in [("a", 300), ("b", 100), ("c", 200)] {
        town.target(name).health.note_first_token(Duration::from_millis(ms));
    }
    assert_eq!(plan_of(&route), "b c a");
    (0..20).for_each(|_| town.target("b").health.note_first_token(Duration::from_millis(900)));
    assert_eq!(plan_of(&route), "c a b");
}

#[tokio::test]
async fn the_first_case_that_holds_is_taken_and_no_other() {
    let town = Town::default();
    let case = |holds: Option<bool>, name: &str| Case {
        when: holds.map(|holds| Box::new(Holds(holds)) as Box<dyn Predicate>),
        to: town.to(name),
    };
    let route = plain(Choice::First(vec![case(Some(false), "a"), case(Some(true), "b"), case(None, "c")]));
    assert_eq!(plan_of(&route), "b");
    assert_eq!(plan_of(&plain(Choice::First(vec![case(Some(false), "a")]))), "");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_asked_for_rest_comes_last_but_before_a_refusal() {
    let town = Town::default();
    let mut routes = town.all(&["a", "b", "c"]);
    routes.push(plain(Choice::Deny(Refusal::new(403, "closed", "closed"))));
    let route = plain(Choice::Fallback(routes));
    town.target("a").health.rest(Duration::from_secs(5));
    assert_eq!(plan_of(&route), "b c a !");
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(plan_of(&route), "a b c !");
}

#[tokio::test]
async fn a_shadow_gets_its_share_and_is_no_candidate() {
    let town = Town::default();
    let shadow = |share| Some(Shadow { to: town.target("s"), share, budget: None });
    let route = |share| Route { shadow: shadow(share), ..town.to("a") };
    assert_eq!(plan_of(&route(10_000)), "a");
    let sent = (0..MANY).filter(|_| !route(2500).plan(&Asking::default(), Detail::Brief).shadows.is_empty()).count();
    assert_share(Some(&sent), MANY, 25.0);
}
