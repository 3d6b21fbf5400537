//! What every store of values promises.

use std::time::Duration;

use super::*;
use crate::base::clock::Clock;

fn scope(name: &str) -> Scope {
    Scope::new("policy", name, 3)
}

/// Goes through all promises with one store.
pub(in crate::state) async fn keeps_its_promises(kv: &dyn Kv) {
    what_was_set_is_there_until_it_is_deleted(kv).await;
    no_scope_comes_upon_anothers(kv).await;
    a_number_is_counted_on_and_is_no_value(kv).await;
    a_full_scope_takes_no_more_keys(kv).await;
}

async fn what_was_set_is_there_until_it_is_deleted(kv: &dyn Kv) {
    let scope = scope("set");
    assert_eq!(kv.get(&scope, "k").await, Ok(None));
    kv.set(&scope, "k", vec![0, 255, b'"'], None).await.unwrap();
    kv.set(&scope, "k", vec![0, 255, b'\n'], Some(Duration::from_secs(3600))).await.unwrap();
    assert_eq!(kv.get(&scope, "k").await, Ok(Some(vec![0, 255, b'\n'])));
    kv.delete(&scope, "k").await.unwrap();
    assert_eq!(kv.get(&scope, "k").await, Ok(None));
}

async fn no_scope_comes_upon_anothers(kv: &dyn Kv) {
    kv.set(&Scope::new("a", "bc", 3), "k", vec![1], None).await.unwrap();
    for other in
        [Scope::new("ab", "c", 3), Scope::new("a", "b", 3), Scope::new("", "abc", 3), Scope::new("a", "bcv", 3)]
    {
        for key in ["k", "ck", "vk", ":bck"] {
            assert_eq!(kv.get(&other, key).await, Ok(None), "{other:?} {key}");
        }
    }
}

async fn a_number_is_counted_on_and_is_no_value(kv: &dyn Kv) {
    let scope = scope("add");
    assert_eq!(kv.add(&scope, "n", 2, None).await, Ok(2));
    assert_eq!(kv.add(&scope, "n", -5, None).await, Ok(-3));
    assert_eq!(kv.get(&scope, "n").await, Ok(None));
    assert_eq!(kv.add(&scope, "n", i64::MIN, None).await, Ok(i64::MIN));
    kv.delete(&scope, "n").await.unwrap();
    assert_eq!(kv.add(&scope, "n", 0, None).await, Ok(0));
}

async fn a_full_scope_takes_no_more_keys(kv: &dyn Kv) {
    let scope = scope("full");
    for key in ["1", "2", "3"] {
        kv.set(&scope, key, vec![], None).await.unwrap();
    }
    assert_eq!(kv.set(&scope, "4", vec![], None).await, Err(NotKept::Full));
    assert_eq!(kv.add(&scope, "4", 1, None).await, Err(NotKept::Full));
    kv.set(&scope, "3", vec![3], None).await.unwrap();
    kv.delete(&scope, "2").await.unwrap();
    kv.set(&scope, "4", vec![], None).await.unwrap();
}

#[tokio::test]
async fn memory_keeps_its_promises() {
    keeps_its_promises(&LocalKv::default()).await;
}

#[tokio::test]
async fn a_folder_keeps_its_promises_and_what_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv");
    let kv = EmbeddedKv::open(&path, Clock::system()).unwrap();
    keeps_its_promises(&kv).await;
    kv.set(&scope("again"), "k", vec![7], None).await.unwrap();
    drop(kv);
    let kv = EmbeddedKv::open(&path, Clock::system()).unwrap();
    assert_eq!(kv.get(&scope("again"), "k").await, Ok(Some(vec![7])));
    assert_eq!(kv.set(&scope("full"), "5", vec![], None).await, Err(NotKept::Full), "keys are counted again");
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_time_is_gone_and_makes_room() {
    let kv = LocalKv::default();
    let scope = scope("time");
    for key in ["1", "2", "3"] {
        kv.set(&scope, key, vec![1], Some(Duration::from_secs(5))).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(kv.get(&scope, "1").await, Ok(None));
    assert_eq!(kv.add(&scope, "n", 1, None).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn in_a_folder_what_is_past_its_time_is_gone_too() {
    let folder = tempfile::tempdir().unwrap();
    let kv = EmbeddedKv::open(&folder.path().join("kv"), Clock::system()).unwrap();
    let scope = scope("time");
    for key in ["1", "2", "3"] {
        kv.add(&scope, key, 1, Some(Duration::from_secs(5))).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(kv.add(&scope, "1", 1, None).await, Ok(1));
    kv.set(&scope, "4", vec![], None).await.unwrap();
}

#[test]
fn a_folder_is_for_its_owner_alone_also_if_it_was_open_to_others() {
    use std::fs::{Permissions, create_dir, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv");
    create_dir(&path).unwrap();
    set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    drop(EmbeddedKv::open(&path, Clock::system()).unwrap());
    assert_eq!(metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}
