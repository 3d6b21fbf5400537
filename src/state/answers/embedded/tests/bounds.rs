//! How much there is, how long it is waited for, and what goes.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_long_for_a_disk_that_does_not_answer() {
    let (_folder, answers) = in_folder();
    // To remove what is damaged takes the books, which somebody holds.
    answers.db.insert(answer_key(&place("a", 1)), b"hello".as_slice()).unwrap();
    let (here, held) = (answers.clone(), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let (here, held) = (&here, &held);
        let is_over = Arc::new(Semaphore::new(0));
        let until = Arc::clone(&is_over);
        scope.spawn(move || {
            let _books = here.lock();
            held.wait();
            while until.available_permits() == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        held.wait();
        tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                // More than may be read at a time.
                let begun = std::time::Instant::now();
                let reading = (0..3 * READ_AT_ONCE).map(|_| {
                    let answers = answers.clone();
                    tokio::spawn(async move { answers.find(&place("a", 1)).await })
                });
                for found in reading.collect::<Vec<_>>() {
                    let found = timeout(Duration::from_secs(20), found).await;
                    is_unknown(found.expect("it still waits").unwrap());
                }
                assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
                assert_eq!(answers.reading.available_permits(), 0, "so many are at work, and no more");
            });
        });
        is_over.add_permits(1);
    });
    for _ in 0..1_000 {
        if matches!(answers.find(&place("a", 1)).await, Found::Nothing) {
            return;
        }
    }
    panic!("it is not gone");
}

fn is_unknown(found: Found) {
    assert!(matches!(found, Found::Unknown), "{found:?}");
}

#[tokio::test]
async fn no_more_waits_to_be_written_than_there_is_room_for() {
    let (_folder, answers) = in_folder();
    let (large, room) = (kept(&"x".repeat(1 << 20)), Room { bytes: 1 << 30, ..ROOM });
    let books = answers.lock();
    let taken = (0..100).filter(|number| answers.keep(place("a", *number), Arc::clone(&large), room));
    let taken: Vec<u8> = taken.collect();
    let most = usize::try_from(MOST_WAITING >> 20).unwrap();
    assert_eq!(taken, (0..u8::try_from(most - 1).unwrap()).collect::<Vec<_>>());
    drop(books);
    answers.flush().await;
    assert_eq!(answers.count().unwrap()[0].answers, taken.len() as u64);
    assert!(matches!(answers.find(&place("a", 0)).await, Found::Answer(_)));
    assert!(matches!(answers.find(&place("a", 99)).await, Found::Nothing), "what is not kept is nowhere");
    assert!(answers.keep(place("a", 99), kept("x"), room), "there is room again");
}

#[test]
fn what_is_of_no_use_any_more_goes_in_portions_and_is_not_counted_any_more() {
    let (_folder, answers) = in_folder();
    let room = Room { lasts: Duration::from_secs(60), ..ROOM };
    let now = Timestamp::now().as_second();
    for number in 0..200 {
        for (team, made) in [("old", at(now - 61)), ("new", at(now)), ("other", at(now - 61))] {
            answers.write(&mut answers.lock(), &place(team, number), &made, room, None).unwrap();
        }
    }
    answers.sweep_now_and_then().unwrap();
    assert_eq!(answers.count().unwrap()[0].answers, 600, "it is not time yet");
    let next = answers.sweep_from(&[ORDER], Timestamp::now()).unwrap();
    assert!(next.is_some() && answers.count().unwrap()[0].answers > 200, "one portion is not all");
    answers.lock().swept = Timestamp::UNIX_EPOCH;
    answers.sweep_now_and_then().unwrap();
    let counted = answers.count().unwrap();
    assert_eq!((counted[0].answers, answers.entries(&[ORDER]).count()), (200, 200));
    assert!(is_there(&answers, &place("new", 1)) && !is_there(&answers, &place("old", 1)));
    answers.sweep(&mut answers.lock()).unwrap();
    assert_eq!(answers.count().unwrap(), counted);
}

#[tokio::test]
async fn what_was_used_stays_for_longer_than_what_was_not_however_old_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers");
    let answers = open(&path);
    let room = Room { entries: 3, ..ROOM };
    let now = Timestamp::now().as_second();
    let write = |answers: &EmbeddedAnswers, number: u8, second: i64| {
        answers.write(&mut answers.lock(), &place("room", number), &at(now + second), room, None).unwrap();
    };
    let left = |answers: &EmbeddedAnswers| -> Vec<u8> {
        (0..20).filter(|number| is_there(answers, &place("room", *number))).collect()
    };
    for number in 0..10 {
        write(&answers, number, i64::from(number));
        assert!(matches!(answers.find(&place("room", 0)).await, Found::Answer(_)));
    }
    assert_eq!(left(&answers), [0, 8, 9]);
    // From now on nobody asks for it. It has had its turn once more, and then it goes.
    (10..14).for_each(|number| write(&answers, number, i64::from(number)));
    assert_eq!(left(&answers), [11, 12, 13]);
    // One that has moved is counted once, when it is made anew and after a start as well.
    assert!(matches!(answers.find(&place("room", 11)).await, Found::Answer(_)));
    write(&answers, 14, 14);
    assert_eq!(left(&answers), [11, 13, 14]);
    drop(answers);
    let answers = open(&path);
    write(&answers, 11, 15);
    assert_eq!((left(&answers), answers.entries(&[ORDER]).count()), (vec![11, 13, 14], 3));
    assert_eq!(answers.count().unwrap()[0].answers, 3);
    // Where all were used, one of them goes all the same.
    for number in [11, 13, 14] {
        assert!(matches!(answers.find(&place("room", number)).await, Found::Answer(_)));
    }
    write(&answers, 15, 16);
    assert_eq!((left(&answers).len(), answers.entries(&[ORDER]).count()), (3, 3));
    assert!(is_there(&answers, &place("room", 15)));
    assert_eq!(answers.forget(&Whose { policy: PolicyName::new("p"), scope: None }).await, Ok(3));
    assert_eq!(answers.db.scan_prefix(b"m").count(), 0);
}
