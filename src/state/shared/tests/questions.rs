//! What gateways hear from each other of similar questions, held against a real server.

use std::sync::Arc;
use std::time::Duration;

use super::losses::Cutter;
use super::redis::Redis;
use super::{open, settings};
use crate::base::secret::Secret;
use crate::state::answers::tests::questions::{EMBEDDER, OTHER, bearing, ground, known, knows, policy, standing};
use crate::state::answers::tests::{ROOM, kept, place, scope};
use crate::state::answers::{Answers, Bearing, Found, Ground, Heard, News, Question, Record, Room, Standing, Whose};
use crate::state::shared::link::Again;
use crate::state::shared::script::{Call, Script};
use crate::state::shared::{Settings, Shared};

/// A gateway.
struct Gateway {
    shared: Shared,
    answers: Arc<dyn Answers>,
    news: Box<dyn News>,
}

impl Gateway {
    async fn join(settings: &Settings) -> Self {
        let shared = open(settings).await;
        let answers = shared.answers();
        let news = answers.follow(&policy(), EMBEDDER).unwrap();
        Self { shared, answers, news }
    }

    async fn hear(&mut self) -> Heard {
        self.news.exchange(&[]).await.unwrap()
    }

    /// Tells of trials of one team.
    async fn tell(&mut self, team: &str, tried: u64, wrong: u64) -> Heard {
        self.news.exchange(&[(ground(team), standing(tried, wrong))]).await.unwrap()
    }

    /// What there is to hear once there is any.
    async fn hear_of_questions(&mut self) -> Vec<u8> {
        loop {
            let heard = self.hear().await;
            if !heard.new.questions.is_empty() {
                return heard.new.questions.iter().map(|(place, _)| place.question().0[0]).collect();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn standings(&self) -> Vec<(Ground, Standing)> {
        known(&*self.answers, EMBEDDER).await.1
    }
}

async fn two(settings: &Settings) -> (Gateway, Gateway) {
    (Gateway::join(settings).await, Gateway::join(settings).await)
}

fn of(team: Option<&str>) -> Whose {
    Whose { policy: policy(), scope: team.map(scope) }
}

/// How many keys there are of a kind.
fn count(redis: &Redis, kind: &str) -> usize {
    redis.ask(&["EVAL", "return #redis.call('KEYS', ARGV[1])", "0", &format!("*:{kind}*")]).parse().unwrap()
}

#[tokio::test]
async fn what_one_gateway_keeps_another_hears_of_once_and_without_asking_for_all_of_it() {
    let redis = Redis::start();
    let shared = settings(&redis.url());
    let (first, mut second) = two(&shared).await;
    assert!(second.hear().await.new.questions.is_empty());
    first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(1));
    assert_eq!(second.hear_of_questions().await, [1]);
    assert!(matches!(second.answers.find(&place("a", 1)).await, Found::Answer(_)));
    first.answers.keep_with(place("a", 2), kept("x"), ROOM, bearing(2));
    assert_eq!(second.hear_of_questions().await, [2]);
    let silence = second.hear().await;
    assert!(silence.new.questions.is_empty() && !silence.has_more && silence.forgotten.is_empty());
    // Kept anew, it is news.
    first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(9));
    assert_eq!(second.hear_of_questions().await, [1]);
    // One that comes later hears of all of them, also if it speaks to the server in the other protocol.
    let all = [(place("a", 2), bearing(2)), (place("a", 1), bearing(9))];
    knows(&*second.answers, &all).await;
    let third = open(&Settings { url: Secret::new(format!("{}?protocol=resp3", redis.url())), ..shared }).await;
    knows(&*third.answers(), &all).await;
    // Others with the same server, whose keys begin with something else, have nothing to do with it.
    let stranger = Gateway::join(&settings(&redis.url())).await;
    knows(&*stranger.answers, &[]).await;
}

#[tokio::test]
async fn many_questions_are_read_in_pages() {
    let redis = Redis::start();
    let (first, mut second) = two(&settings(&redis.url())).await;
    for number in 0..600_u32 {
        let question = Question(std::array::from_fn(|at| number.to_be_bytes()[at % 4]));
        let place = scope("a").place(question);
        first.answers.keep_with(place.clone(), kept("x"), ROOM, bearing(1));
        // No more are under way at a time than it takes.
        while number % 50 == 0 && !matches!(open_find(&first, &place).await, Found::Answer(_)) {}
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while count(&redis, "cv") < 600 {
        tokio::task::yield_now().await;
    }
    let mut pages = Vec::new();
    loop {
        let heard = second.hear().await;
        pages.push(heard.new.questions.len());
        if !heard.has_more {
            break;
        }
    }
    assert_eq!(pages, [256, 256, 88]);
    assert_eq!(first.answers.stock(&[policy()]).await.unwrap()[0].by_likeness, Some(600));
}

async fn open_find(gateway: &Gateway, place: &crate::state::answers::Place) -> Found {
    gateway.shared.answers().find(place).await
}

#[tokio::test]
async fn a_question_ends_with_its_answer() {
    let redis = Redis::start();
    let (first, mut second) = two(&settings(&redis.url())).await;
    let brief = Room { lasts: Duration::from_millis(400), ..ROOM };
    first.answers.keep_with(place("a", 1), kept("x"), brief, bearing(1));
    assert_eq!(second.hear_of_questions().await, [1]);
    // Renewed, both last longer.
    first.answers.keep(place("a", 1), kept("y"), Room { lasts: Duration::from_secs(2), ..ROOM });
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!((count(&redis, "ca"), count(&redis, "cv")), (1, 1));
    knows(&*second.answers, &[(place("a", 1), bearing(1))]).await;
    knows(&*second.answers, &[]).await;
    assert_eq!((count(&redis, "ca"), count(&redis, "cv")), (0, 0));
    // An answer that is damaged takes its question along.
    first.answers.keep_with(place("a", 2), kept("x"), ROOM, bearing(2));
    assert_eq!(second.hear_of_questions().await, [2]);
    spoil(&redis, "ca", 80).await;
    assert!(matches!(second.answers.find(&place("a", 2)).await, Found::Damaged));
    assert_eq!((count(&redis, "ca"), count(&redis, "cv")), (0, 0));
}

/// Flips a bit in the values of all keys of a kind, at that byte.
async fn spoil(redis: &Redis, kind: &str, at: usize) {
    let client = ::redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<Vec<u8>> = ::redis::cmd("KEYS").arg(format!("*:{kind}*")).query_async(&mut connection).await.unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        let mut value: Vec<u8> = ::redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
        value[at] ^= 1;
        let _: () = ::redis::cmd("SET").arg(&key).arg(value).query_async(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_damaged_or_by_another_embedder_is_passed_over() {
    let redis = Redis::start();
    let settings = settings(&redis.url());
    let (mut first, _) = two(&settings).await;
    for at in [0, 3, 20, 60, 75] {
        first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(1));
        knows(&*first.answers, &[(place("a", 1), bearing(1))]).await;
        spoil(&redis, "cv", at).await;
        assert!(known(&*first.answers, EMBEDDER).await.0.is_empty(), "byte {at}");
    }
    first.answers.keep_with(place("a", 2), kept("x"), ROOM, Bearing { embedder: OTHER, ..bearing(2) });
    first.answers.keep_with(place("a", 3), kept("x"), ROOM, bearing(3));
    knows(&*first.answers, &[(place("a", 3), bearing(3))]).await;
    // Nor is a record that nobody has written like that, and it is begun anew.
    first.tell("a", 5, 1).await;
    let key = redis.ask(&["--scan", "--pattern", "*:cr:*"]);
    for damaged in ["1 5 6 0.01 up/small", "2 5 1 0.01 up/small", "1 5 1 nan up/small", "1 -5 1 0.01 x", "hello", ""] {
        let set =
            r"for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('HSET', KEYS[1], field, ARGV[1]) end";
        redis.ask(&["EVAL", set, "1", &key, damaged]);
        assert_eq!(first.standings().await, [], "{damaged}");
    }
    first.tell("a", 2, 0).await;
    assert_eq!(first.standings().await, [(ground("a"), standing(2, 0))]);
}

#[tokio::test]
async fn a_server_that_was_flushed_is_begun_anew_with() {
    let redis = Redis::start();
    let (mut first, mut second) = two(&settings(&redis.url())).await;
    first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(1));
    assert_eq!(second.hear_of_questions().await, [1]);
    second.tell("a", 5, 0).await;
    for _ in 0..2 {
        redis.ask(&["FLUSHALL"]);
        let heard = second.hear().await;
        assert_eq!((heard.forgotten, heard.are_all), (vec![of(None)], true));
        assert!(heard.new.questions.is_empty() && heard.new.standings.is_empty());
        assert!(second.hear().await.forgotten.is_empty(), "said once");
        first.hear().await;
        first.answers.keep_with(place("a", 2), kept("x"), ROOM, bearing(2));
        assert_eq!(second.hear_of_questions().await, [2]);
        first.tell("a", 1, 0).await;
        assert_eq!(second.hear().await.new.standings, [(ground("a"), standing(1, 0))]);
    }
    // Between two looks it was flushed, and has books again.
    redis.ask(&["FLUSHALL"]);
    first.hear().await;
    first.answers.keep_with(place("a", 3), kept("x"), ROOM, bearing(3));
    knows(&*first.answers, &[(place("a", 3), bearing(3))]).await;
    // What was tried before that is of no account.
    let heard = second.tell("a", 9, 0).await;
    assert_eq!((heard.forgotten, heard.new.questions.len()), (vec![of(None)], 1));
    assert_eq!(first.standings().await, []);
}

#[tokio::test]
async fn a_server_that_has_an_older_memory_back_is_read_anew() {
    let redis = Redis::start();
    let (mut first, mut second) = two(&settings(&redis.url())).await;
    first.tell("a", 1, 0).await;
    first.tell("b", 1, 0).await;
    second.hear().await;
    let key = redis.ask(&["--scan", "--pattern", "*:cg:*"]);
    let number: u64 = redis.ask(&["HGET", &key, "e"]).parse().unwrap();
    redis.ask(&["HSET", &key, "n", &number.to_string()]);
    let heard = second.hear().await;
    assert_eq!((heard.forgotten, heard.are_all, heard.new.standings.len()), (vec![of(None)], true, 2));
}

#[tokio::test]
async fn a_server_that_has_dropped_the_numbers_alone_is_read_anew() {
    let redis = Redis::start();
    let (first, mut second) = two(&settings(&redis.url())).await;
    first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(1));
    assert_eq!(second.hear_of_questions().await, [1]);
    second.tell("a", 5, 0).await;
    let key = redis.ask(&["--scan", "--pattern", "*:cg:*"]);
    redis.ask(&["DEL", &key]);
    let heard = second.hear().await;
    assert_eq!((heard.forgotten, heard.new.questions.len()), (vec![of(None)], 1));
    assert_eq!(heard.new.standings, [(ground("a"), standing(5, 0))]);
    second.tell("a", 1, 1).await;
    assert_eq!(first.standings().await, [(ground("a"), standing(6, 1))]);
    first.answers.keep_with(place("a", 2), kept("x"), ROOM, bearing(2));
    assert_eq!(second.hear_of_questions().await.last(), Some(&2));
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_heard_and_afterwards_all_is() {
    let mut redis = Redis::start();
    let hasty = Settings { timeout: Duration::from_millis(500), ..settings(&redis.url()) };
    let (first, mut second) = two(&hasty).await;
    first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(1));
    assert_eq!(second.hear_of_questions().await, [1]);
    redis.stop();
    let mut begun = std::time::Instant::now();
    assert!(second.news.exchange(&[(ground("a"), standing(3, 1))]).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(3));
    // Nor is it known whether there is an answer.
    assert!(matches!(second.answers.find(&place("a", 1)).await, Found::Unknown));
    // Once that is noticed, nothing is taken.
    while second.answers.keep(place("a", 9), kept("x"), ROOM) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    redis.start_again();
    begun = std::time::Instant::now();
    let heard = loop {
        match second.news.exchange(&[(ground("a"), standing(3, 1))]).await {
            Ok(heard) => break heard,
            Err(why) => assert!(begun.elapsed() < Duration::from_secs(20), "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((heard.new.standings, heard.are_all), (vec![(ground("a"), standing(3, 1))], true));
    assert!(heard.forgotten.is_empty());
    // The other may not have noticed yet that it was away, and what it sends until then is lost.
    let two = (place("a", 2), bearing(2));
    loop {
        first.answers.keep_with(two.0.clone(), kept("x"), ROOM, bearing(2));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let heard = second.hear().await;
        if heard.new.questions.contains(&two) {
            break;
        }
    }
}

#[tokio::test]
async fn trials_of_two_gateways_add_up_exactly() {
    let redis = Redis::start();
    let (mut first, mut second) = two(&settings(&redis.url())).await;
    let tell = async |gateway: &mut Gateway| {
        for round in 0..100 {
            let told = [(ground("a"), standing(3, u64::from(round % 2 == 0))), (ground("b"), standing(1, 0))];
            gateway.news.exchange(&told).await.unwrap();
        }
    };
    tokio::join!(tell(&mut first), tell(&mut second));
    assert_eq!(first.standings().await, [(ground("a"), standing(600, 100)), (ground("b"), standing(200, 0))]);
    // Each hears of what the other has told.
    second.hear().await;
    first.tell("b", 1, 1).await;
    assert_eq!(second.hear().await.new.standings, [(ground("b"), standing(201, 1))]);
    assert!(second.hear().await.new.standings.is_empty());
}

#[tokio::test]
async fn a_batch_whose_receipt_is_lost_counts_once() {
    let redis = Redis::start();
    let cutter = Cutter::before(redis.socket());
    let mut gateway = Gateway::join(&settings(&cutter.url())).await;
    gateway.hear().await;
    for round in 1..=10 {
        cutter.cut(1);
        assert!(gateway.news.exchange(&[(ground("a"), standing(5, 1))]).await.is_err());
        while gateway.news.exchange(&[(ground("a"), standing(5, 1))]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(gateway.standings().await, [(ground("a"), standing(5 * round, round))]);
    }
}

#[tokio::test]
async fn a_long_record_counts_as_if_its_trials_had_been_added_one_by_one() {
    let redis = Redis::start();
    let mut gateway = Gateway::join(&settings(&redis.url())).await;
    let mut record = Record::default();
    for (tried, wrong) in [(19_990, 300), (30, 2), (1, 1), (9_990, 0), (45_000, 7)] {
        gateway.tell("a", tried, wrong).await;
        (0..tried - wrong).for_each(|_| record.add(true));
        (0..wrong).for_each(|_| record.add(false));
        assert_eq!(gateway.standings().await[0].1.record, record);
    }
}

#[tokio::test]
async fn what_was_tried_before_it_was_forgotten_does_not_come_back() {
    let redis = Redis::start();
    let (mut first, mut second) = two(&settings(&redis.url())).await;
    for team in ["a", "b"] {
        first.tell(team, 100, 0).await;
    }
    second.hear().await;
    assert_eq!(first.answers.forget(&of(Some("a"))).await, Ok(0));
    // It has not heard of that yet.
    let trials = [(ground("a"), standing(7, 0)), (ground("b"), standing(7, 0))];
    let heard = second.news.exchange(&trials).await.unwrap();
    assert_eq!(heard.forgotten, [of(Some("a"))]);
    assert_eq!(first.standings().await, [(ground("b"), standing(107, 0))]);
    // Now it has.
    second.tell("a", 3, 1).await;
    assert_eq!(first.standings().await, [(ground("a"), standing(3, 1)), (ground("b"), standing(107, 0))]);
    first.answers.forget(&of(None)).await.unwrap();
    let heard = second.news.exchange(&trials).await.unwrap();
    assert_eq!((heard.forgotten, heard.new.standings), (vec![of(None)], vec![]));
    assert_eq!(first.standings().await, []);
    second.tell("b", 1, 0).await;
    assert_eq!(first.standings().await, [(ground("b"), standing(1, 0))]);
    // One that comes after it may tell of what it has tried before it had heard of anything.
    let mut third = first.answers.follow(&policy(), EMBEDDER).unwrap();
    third.exchange(&[(ground("b"), standing(4, 0))]).await.unwrap();
    assert_eq!(first.standings().await, [(ground("b"), standing(5, 0))]);
}

#[tokio::test]
async fn what_comes_while_others_are_being_forgotten_is_known_afterwards() {
    let redis = Redis::start();
    let (first, mut second) = two(&settings(&redis.url())).await;
    first.answers.keep_with(place("a", 1), kept("x"), ROOM, bearing(1));
    assert_eq!(second.hear_of_questions().await, [1]);
    assert_eq!(first.answers.forget(&of(Some("a"))).await, Ok(1));
    assert_eq!(second.hear().await.forgotten, [of(Some("a"))]);
    first.answers.keep_with(place("a", 2), kept("x"), ROOM, bearing(2));
    assert_eq!(second.hear_of_questions().await, [2]);
    // As if the answers were gone only now.
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let words = [hex(&crate::state::answers::policy_hash(&policy())), hex(&place("a", 0).scope())];
    first.shared.hub.link.run(&Call::new(Script::Forget, words), Again::No).await.unwrap();
    let heard = second.hear().await;
    assert_eq!((heard.forgotten, heard.new.questions.len()), (vec![of(Some("a"))], 1));
    // If it cannot be told any more who was forgotten, everything is, and read anew.
    first.answers.forget(&of(Some("b"))).await.unwrap();
    let key = redis.ask(&["--scan", "--pattern", "*:cf:*"]);
    redis.ask(&["DEL", &key]);
    let heard = second.hear().await;
    assert_eq!((heard.forgotten, heard.are_all, heard.new.questions.len()), (vec![of(None)], true, 1));
}

#[tokio::test]
async fn an_answer_that_is_gone_before_it_was_counted_leaves_no_question() {
    let redis = Redis::start();
    let gateway = Gateway::join(&settings(&redis.url())).await;
    let here = place("a", 1);
    let call = crate::state::shared::answers::shelve(&here, 100, 60_000, ROOM, Some(&bearing(1)));
    gateway.shared.hub.link.run(&call, Again::No).await.unwrap();
    assert_eq!((count(&redis, "cv"), count(&redis, "co"), count(&redis, "cq")), (0, 0, 0));
}

#[tokio::test]
async fn the_books_are_bounded_and_end_by_themselves() {
    let redis = Redis::start();
    let (mut first, _) = two(&settings(&redis.url())).await;
    for number in 0..20 {
        first.answers.keep_with(place("a", number), kept("x"), Room { entries: 5, ..ROOM }, bearing(number));
        while known(&*first.answers, EMBEDDER).await.0.last() != Some(&(place("a", number), bearing(number))) {}
    }
    first.tell("a", 1, 0).await;
    first.answers.forget(&of(Some("nobody"))).await.unwrap();
    let questions = redis.ask(&["--scan", "--pattern", "*:cq:*"]);
    assert_eq!((count(&redis, "ca"), count(&redis, "cv")), (5, 5));
    assert_eq!(redis.ask(&["ZCARD", &questions]), "5");
    // A server may drop what counts the answers. Then it is not known which questions are left, and they are let go.
    let order = redis.ask(&["--scan", "--pattern", "*:co:*"]);
    redis.ask(&["DEL", &order]);
    first.answers.keep_with(place("a", 99), kept("x"), ROOM, bearing(99));
    knows(&*first.answers, &[(place("a", 99), bearing(99))]).await;
    assert_eq!((redis.ask(&["ZCARD", &questions]).as_str(), count(&redis, "cv")), ("1", 1));
    for kind in ["cg", "cq", "cf", "cr", "cw", "cs", "cl"] {
        let key = redis.ask(&["--scan", "--pattern", &format!("*:{kind}:*")]);
        let left: i64 = redis.ask(&["PTTL", &key]).parse().unwrap();
        assert!(left > 0, "{kind}: {left}");
    }
}

#[tokio::test]
async fn records_that_nobody_adds_to_for_ninety_days_are_over() {
    let redis = Redis::start();
    let mut gateway = Gateway::join(&settings(&redis.url())).await;
    gateway.tell("a", 1, 0).await;
    gateway.tell("b", 1, 0).await;
    let age = |days: i64| {
        let key = redis.ask(&["--scan", "--pattern", "*:cw:*"]);
        let script = "local old = redis.call('ZRANGE', KEYS[1], 0, 0)[1] redis.call('ZINCRBY', KEYS[1], ARGV[1], old)";
        redis.ask(&["EVAL", script, "1", &key, &(-days * 24 * 3_600 * 1_000_000).to_string()]);
    };
    age(89);
    assert_eq!(gateway.standings().await.len(), 2);
    age(2);
    assert_eq!(gateway.standings().await, [(ground("b"), standing(1, 0))]);
    gateway.tell("a", 1, 0).await;
    assert_eq!(gateway.standings().await[0], (ground("a"), standing(1, 0)));
}

#[tokio::test]
async fn what_is_on_its_way_to_be_kept_does_not_come_back_once_it_is_forgotten() {
    let redis = Redis::start();
    let gateway = Gateway::join(&settings(&redis.url())).await;
    for round in 0..50 {
        for number in 0..20 {
            gateway.answers.keep_with(place("a", number), kept("x"), ROOM, bearing(number));
        }
        assert_eq!(gateway.answers.forget(&of(Some("a"))).await, Ok(20), "round {round}");
        assert_eq!((count(&redis, "ca"), count(&redis, "cv")), (0, 0), "round {round}");
    }
}
