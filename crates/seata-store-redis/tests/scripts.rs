//! What a script finds when another server was faster, or the clock was set back. Between two calls of one store nothing
//! can be put, so the scripts are run as they are.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{LeaseChange, Owner, Status, TxnStore, UnixMillis, code};
use seata_store_conformance::address;
use seata_store_redis::{RedisOptions, RedisStore};
use support::{Plain, Reply, applied, creation, gid, options, prefix};

const CLAIM: &str = concat!(
    include_str!("../src/scripts/common.lua"),
    include_str!("../src/scripts/claim.lua")
);

const REMOVE: &str = concat!(
    include_str!("../src/scripts/common.lua"),
    include_str!("../src/scripts/remove.lua")
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_leases_only_what_is_still_due() {
    let Some(address) = address("SEATA_TEST_REDIS_URL") else {
        return;
    };
    let prefix = prefix();
    let one_partition = RedisOptions {
        partitions: Some(1),
        ..options(&address, &prefix)
    };
    let store = RedisStore::open(one_partition).await.unwrap();
    let mut plain = Plain::connect(&address);
    let key = |what: &str| format!("{prefix}:{{p000}}:{what}");
    let far = UnixMillis(4_000_000_000_000);

    let mut later = creation("later", 1_000);
    later.wake_at = Some(far);
    applied(&store, later).await;
    let mut leased = creation("leased", 1_000);
    leased.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_secs(600),
    };
    applied(&store, leased).await;
    applied(&store, creation("clock", 1_000)).await;
    plain.ask(&["HSET", &key("t:clock"), "l", &far.0.to_string()]);
    plain.ask(&["ZADD", &key("free"), "1000", "purged"]);
    applied(&store, creation("due", 1_000)).await;

    let names = ["later", "leased", "clock", "purged", "due"];
    let before = store.load(&gid("leased")).await.unwrap();
    let (free, leased) = (key("free"), key("leased"));
    let records = names.map(|name| key(&format!("t:{name}")));
    let mut words = vec!["EVAL", CLAIM, "7", &free, &leased];
    words.extend(records.iter().map(String::as_str));
    words.extend(["00000000000000000000000000000002", "60000"]);
    words.extend(names);
    let Reply::List(answers) = plain.ask(&words) else {
        panic!("the script answers a list");
    };
    let claimed: Vec<bool> = answers.iter().map(|one| *one != Reply::Nothing).collect();
    assert_eq!(claimed, [false, false, false, false, true]);
    assert_eq!(store.load(&gid("leased")).await.unwrap(), before);
    let rest = plain.ask(&["ZRANGE", &free, "0", "-1"]);
    assert_eq!(
        rest.texts(),
        ["clock", "later"],
        "what is gone is forgotten"
    );
    plain.clear(&prefix);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_removes_only_what_has_still_ended_before_and_leaves_no_trace_of_it() {
    let Some(address) = address("SEATA_TEST_REDIS_URL") else {
        return;
    };
    let prefix = prefix();
    let one_partition = RedisOptions {
        partitions: Some(1),
        ..options(&address, &prefix)
    };
    let store = RedisStore::open(one_partition).await.unwrap();
    let mut plain = Plain::connect(&address);
    let key = |what: &str| format!("{prefix}:{{p000}}:{what}");
    let ended = |name: &str, at_ms| {
        let mut one = creation(name, at_ms);
        one.status = Status::Committed;
        one.wake_at = None;
        one
    };
    applied(&store, creation("open", 1_000)).await;
    applied(&store, ended("later", 2_000)).await;
    applied(&store, ended("old", 1_999)).await;
    plain.ask(&["ZADD", &key("listed"), "-1000", "gone"]);
    let names = ["open", "later", "old", "gone"];
    let listed = key("listed");
    let records = names.map(|name| key(&format!("t:{name}")));
    let mut words = vec!["EVAL", REMOVE, "5", &listed];
    words.extend(records.iter().map(String::as_str));
    let finals = finals();
    words.extend(["2000", &finals]);
    words.extend(names);
    assert_eq!(plain.ask(&words).text(), "1");
    let rest = plain.ask(&["ZRANGE", &listed, "0", "-1"]);
    assert_eq!(rest.texts(), ["later", "open"]);
    assert!(store.load(&gid("later")).await.unwrap().is_some());
    assert_eq!(store.load(&gid("old")).await.unwrap(), None);
    plain.clear(&prefix);
}

fn finals() -> String {
    let finals = Status::ALL.into_iter().filter(|status| status.is_final());
    finals
        .map(|status| code::status_code(status).to_string())
        .collect()
}
