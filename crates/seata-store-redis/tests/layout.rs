//! How records lie in Redis, who may open them, and how much is looked at.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use seata_store::{
    AppendOutcome, Chunk, ClaimLimit, LeaseChange, ListQuery, Owner, Shard, Status, StoreErrorKind,
    TxnStore, UnixMillis,
};
use seata_store_conformance::address;
use seata_store_redis::{RedisOptions, RedisStore};
use seata_test_servers::AppendFsync;
use support::{Plain, Reply, append, applied, creation, following, gid, options, prefix, start};

struct Shared {
    address: String,
    prefix: String,
}

impl Shared {
    fn new() -> Option<Self> {
        Some(Self {
            address: address("SEATA_TEST_REDIS_URL")?,
            prefix: prefix(),
        })
    }
    fn options(&self) -> RedisOptions {
        options(&self.address, &self.prefix)
    }
    async fn store(&self) -> RedisStore {
        RedisStore::open(self.options()).await.unwrap()
    }
    fn plain(&self) -> Plain {
        Plain::connect(&self.address)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.plain().clear(&self.prefix);
    }
}

fn fields(reply: &Reply) -> Vec<(String, String)> {
    let texts = reply.texts();
    let mut pairs: Vec<_> = texts
        .chunks(2)
        .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
        .collect();
    pairs.sort();
    pairs
}

/// Every released version reads what is written here: a change of this test is a change of the layout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_lies_as_every_version_reads_it() {
    let Some(shared) = Shared::new() else { return };
    let store = shared.store().await;
    let mut one = creation("order:4711", 1_700_000_000_000);
    one.wake_at = Some(UnixMillis(1_700_000_000_500));
    let mut next = following(&applied(&store, one).await, "<second>");
    next.lease = LeaseChange::Take {
        owner: Owner(0xab),
        lasts: Duration::from_secs(600),
    };
    let held = applied(&store, next).await;
    let mut plain = shared.plain();
    let key = |what: &str| format!("{}:{{p003}}:{what}", shared.prefix);
    let until = held.lease_until.unwrap().0.to_string();
    let record = fields(&plain.ask(&["HGETALL", &key("t:order:4711")]));
    let expected = [
        ("c", "1700000000000"),
        ("e1", "[order:4711]"),
        ("e2", "<second>"),
        ("k", "1"),
        ("l", &until),
        ("m", "1"),
        ("n", "20"),
        ("o", "000000000000000000000000000000ab"),
        ("q", "l"),
        ("r", "2"),
        ("s", "2"),
        ("u", "1700000000000"),
        ("w", "1700000000500"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(record, expected);
    let mut scores = |what: &str| {
        let found = plain.ask(&["ZRANGE", &key(what), "0", "-1", "WITHSCORES"]);
        found.texts().join(" ")
    };
    assert_eq!(scores("leased"), format!("order:4711 {until}"));
    assert_eq!(scores("listed"), "order:4711 -1700000000000");
    assert_eq!(scores("free"), "");
    let layout = fields(&plain.ask(&["HGETALL", &format!("{}:layout", shared.prefix)]));
    let expected = [("partitions", "16"), ("shard", "0/1"), ("version", "1")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(layout, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_the_written_layout_is_refused() {
    let Some(shared) = Shared::new() else { return };
    let first = RedisOptions {
        partitions: Some(7),
        shard: Shard::new(1, 3).unwrap(),
        ..shared.options()
    };
    let store = RedisStore::open(first.clone()).await.unwrap();
    applied(&store, creation("g", 1_000)).await;
    let taken = RedisOptions {
        partitions: None,
        ..first.clone()
    };
    let again = RedisStore::open(taken).await.unwrap();
    assert!(again.load(&gid("g")).await.unwrap().is_some());
    let refused = [
        RedisOptions {
            partitions: Some(16),
            ..first.clone()
        },
        RedisOptions {
            shard: Shard::new(0, 3).unwrap(),
            ..first.clone()
        },
        RedisOptions {
            shard: Shard::WHOLE,
            ..first.clone()
        },
        RedisOptions {
            partitions: Some(0),
            ..first.clone()
        },
        RedisOptions {
            prefix: "with{braces}".to_owned(),
            ..first.clone()
        },
        RedisOptions {
            address: "http://user:secret@host".to_owned(),
            ..first.clone()
        },
    ];
    for options in refused {
        let error = RedisStore::open(options.clone()).await.err().unwrap();
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{options:?}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let key = format!("{}:layout", shared.prefix);
    shared.plain().ask(&["HSET", &key, "version", "2"]);
    let error = RedisStore::open(first).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_the_other_kind_is_told() {
    let Some(shared) = Shared::new() else { return };
    let cluster = shared.address.replace("redis://", "redis-cluster://");
    let error = RedisStore::open(options(&cluster, &shared.prefix)).await;
    let error = error.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    assert!(error.why.contains("redis://"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_there_is_not_is_named() {
    let Some(shared) = Shared::new() else { return };
    let address = format!("{}/200", shared.address);
    let error = RedisStore::open(options(&address, &shared.prefix)).await;
    let error = error.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    assert!(error.why.contains("no database 200"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_listens_there_and_that_is_told() {
    if address("SEATA_TEST_REDIS_URL").is_none() {
        return;
    }
    let error = RedisStore::open(RedisOptions::new("redis://user:secret@127.0.0.1:1")).await;
    let error = error.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    assert!(
        error.why.contains("host and port in SEATA_REDIS_URL"),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_under_different_prefixes_do_not_see_each_other() {
    let (Some(one), Some(other)) = (Shared::new(), Shared::new()) else {
        return;
    };
    let (mine, theirs) = (one.store().await, other.store().await);
    applied(&mine, creation("g", 1_000)).await;
    assert_eq!(theirs.load(&gid("g")).await.unwrap(), None);
    let limit = ClaimLimit {
        count: 10,
        bytes: 1_000,
    };
    let claimed = theirs
        .claim_due(Owner(1), Duration::from_secs(1), limit)
        .await;
    assert!(claimed.unwrap().is_empty());
    let page = theirs.list(&ListQuery::newest(10)).await.unwrap();
    assert!(page.items.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_legal_character_of_a_gid_is_kept() {
    let Some(shared) = Shared::new() else { return };
    let store = shared.store().await;
    let legal: Vec<char> = ('!'..='~')
        .filter(|sign| sign.is_ascii_alphanumeric() || "._:-".contains(*sign))
        .collect();
    let names: Vec<String> = legal.iter().map(|sign| format!("{sign}x{sign}")).collect();
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    for answer in store.append(batch).await {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
    }
    let page = store.list(&ListQuery::newest(1_000)).await.unwrap();
    let listed: Vec<_> = page.items.iter().map(|one| one.gid.to_string()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
}

/// Scores are rounded beyond 2^53; records are not, and what a score can't tell apart is still found, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_is_rounded() {
    let Some(shared) = Shared::new() else { return };
    let store = shared.store().await;
    let far = UnixMillis(i64::MAX / 4);
    let later = UnixMillis(far.0 + 2);
    for name in ["a", "b", "c"] {
        assert_eq!(applied(&store, creation(name, far.0)).await.created_at, far);
    }
    let mut late = applied(&store, creation("late", later.0)).await;
    late.updated_at = far;
    late = applied(&store, following(&late, "x")).await;
    assert_eq!(
        late.updated_at, later,
        "the time of the last append never falls"
    );
    let mut found = Vec::new();
    let mut query = ListQuery {
        created_from: Some(far),
        created_before: Some(later),
        ..ListQuery::newest(1)
    };
    loop {
        let page = store.list(&query).await.unwrap();
        found.extend(page.items.into_iter().map(|one| one.gid.to_string()));
        query.behind = page.next;
        if query.behind.is_none() {
            break;
        }
    }
    assert_eq!(found, ["a", "b", "c"]);
    late.status = Status::Committed;
    late.wake_at = None;
    applied(&store, following(&late, "end")).await;
    assert_eq!(store.purge(later, 10).await.unwrap(), 0);
    assert_eq!(store.purge(UnixMillis(later.0 + 1), 10).await.unwrap(), 1);
    let mut one = creation("g", 1_000);
    one.wake_at = Some(UnixMillis(i64::MAX - 1));
    one.lease = LeaseChange::Take {
        owner: Owner(u128::MAX),
        lasts: Duration::MAX,
    };
    let header = applied(&store, one).await;
    assert_eq!(header.wake_at, Some(UnixMillis(i64::MAX - 1)));
    assert_eq!(header.owner, Some(Owner(u128::MAX)));
    let mut wrong = following(&header, "x");
    wrong.expected = seata_store::Expected::At {
        revision: header.revision,
        token: seata_store::FencingToken(u64::MAX),
    };
    let answer = append(&store, wrong).await.unwrap();
    assert_eq!(answer, AppendOutcome::Fenced);
}

/// Damage stays where it is: neighbours in the batch are written, and purges go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_fails_alone() {
    let Some(shared) = Shared::new() else { return };
    let one_partition = RedisOptions {
        partitions: Some(1),
        ..shared.options()
    };
    let store = RedisStore::open(one_partition).await.unwrap();
    let mut plain = shared.plain();
    let key = |name: &str| format!("{}:{{p000}}:t:{name}", shared.prefix);
    let mut batch = Vec::new();
    for name in ["a", "b", "c", "d"] {
        batch.push(following(
            &applied(&store, creation(name, 1_000)).await,
            "+",
        ));
    }
    plain.ask(&["HSET", &key("b"), "n", "many"]);
    plain.ask(&["DEL", &key("c")]);
    plain.ask(&["SET", &key("c"), "foreign"]);
    let answers = store.append(batch).await;
    let kinds = answers.iter().map(|answer| match answer {
        Ok(AppendOutcome::Applied(_)) => None,
        Ok(other) => panic!("{other:?}"),
        Err(error) => Some(error.kind),
    });
    let damaged = Some(StoreErrorKind::Corrupt);
    assert_eq!(kinds.collect::<Vec<_>>(), [None, damaged, damaged, None]);
    let history = store.load(&gid("d")).await.unwrap().unwrap().chunks;
    assert_eq!(history.concat(), b"[d]+");

    plain.ask(&["DEL", &key("c")]);
    plain.ask(&["HSET", &key("b"), "u", "never"]);
    let mut end = following(&store.load(&gid("d")).await.unwrap().unwrap().header, "");
    end.status = Status::Committed;
    end.wake_at = None;
    applied(&store, end).await;
    assert_eq!(store.purge(UnixMillis(i64::MAX / 4), 10).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_drops_the_old_chunks() {
    let Some(shared) = Shared::new() else { return };
    let store = shared.store().await;
    let mut header = applied(&store, creation("g", 1_000)).await;
    for _ in 0..300 {
        header = applied(&store, following(&header, "more")).await;
    }
    let mut swap = following(&header, "");
    swap.chunk = Chunk::Replace("all".into());
    applied(&store, swap).await;
    let key = format!("{}:{{p000}}:t:g", shared.prefix);
    let mut plain = shared.plain();
    let keys = (0..16).map(|number| key.replace("p000", &format!("p{number:03}")));
    let counts: Vec<String> = keys
        .map(|key| plain.ask(&["HLEN", &key]).text().to_owned())
        .collect();
    let total: usize = counts
        .iter()
        .map(|count| count.parse::<usize>().unwrap())
        .sum();
    assert_eq!(
        total, 10,
        "the header's nine fields and one chunk: {counts:?}"
    );
}

/// 50,000 records, most of which ended and many of which are leased: what a call touches does not grow with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_touch_a_bounded_number_of_many_records() {
    if address("SEATA_TEST_REDIS_URL").is_none() {
        return;
    }
    let server = start(AppendFsync::No, &[]);
    let store = RedisStore::open(options(server.address(), "many"))
        .await
        .unwrap();
    for chunk in (0..50_000).collect::<Vec<i64>>().chunks(500) {
        let batch = chunk.iter().map(|number| numbered(*number)).collect();
        for answer in store.append(batch).await {
            assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
        }
    }
    let mut plain = Plain::connect(server.address());
    let limit = ClaimLimit {
        count: 50,
        bytes: 1 << 20,
    };
    // The scripts are known from here on.
    for count in [1, 1] {
        let one = ClaimLimit { count, ..limit };
        let claimed = store
            .claim_due(Owner(2), Duration::from_secs(600), one)
            .await;
        assert_eq!(claimed.unwrap().len(), 1);
    }
    plain.ask(&["CONFIG", "RESETSTAT"]);
    let claimed = store
        .claim_due(Owner(2), Duration::from_secs(60), limit)
        .await;
    assert_eq!(claimed.unwrap().len(), 50);
    assert!(
        plain.calls("evalsha") <= 32,
        "one script per partition and round"
    );
    assert_eq!(plain.calls("hgetall"), 50);
    assert!(plain.calls("hget") <= 50 * 2 + 16 * 16);

    plain.ask(&["CONFIG", "RESETSTAT"]);
    let page = store.list(&ListQuery::newest(20)).await.unwrap();
    assert_eq!(page.items.len(), 20);
    assert!(plain.calls("hmget") <= 16 * 8);
    let rare = ListQuery {
        gid_prefix: Some("none".to_owned()),
        ..ListQuery::newest(20)
    };
    plain.ask(&["CONFIG", "RESETSTAT"]);
    assert!(store.list(&rare).await.unwrap().next.is_some());
    assert!(plain.calls("hmget") <= 1_000 + 16 * 250);

    plain.ask(&["CONFIG", "RESETSTAT"]);
    assert_eq!(store.purge(UnixMillis(i64::MAX / 4), 30).await.unwrap(), 30);
    assert!(plain.calls("hmget") <= 16 * 16 + 30);
    assert_eq!(plain.calls("unlink"), 30);

    plain.ask(&["CONFIG", "RESETSTAT"]);
    while !store
        .claim_due(Owner(2), Duration::from_secs(600), limit)
        .await
        .unwrap()
        .is_empty()
    {}
    plain.ask(&["CONFIG", "RESETSTAT"]);
    let nothing = store
        .claim_due(Owner(2), Duration::from_secs(600), limit)
        .await;
    assert!(nothing.unwrap().is_empty());
    assert_eq!(
        plain.calls("evalsha"),
        16,
        "a claim of nothing asks each partition once"
    );
    assert_eq!(plain.calls("hget") + plain.calls("hmget"), 0);
}

/// Of fifty, one is due, nine are leased for long, one is due in the far future, and the others have ended.
fn numbered(number: i64) -> seata_store::Append {
    let mut one = creation(&format!("g{number}"), 1_000 + number);
    match number % 50 {
        0 => {}
        1..=9 => {
            one.lease = LeaseChange::Take {
                owner: Owner(1),
                lasts: Duration::from_secs(600),
            };
        }
        10 => one.wake_at = Some(UnixMillis(4_000_000_000_000)),
        _ => {
            one.status = Status::Committed;
            one.wake_at = None;
        }
    }
    one
}

/// Which partition a name belongs to is part of the layout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_spread_over_all_partitions() {
    let Some(shared) = Shared::new() else { return };
    let store = shared.store().await;
    let batch = (0..200).map(|number| creation(&format!("g{number}"), 1_000));
    store.append(batch.collect()).await;
    let pattern = format!("{}:*", shared.prefix);
    let found = shared.plain().ask(&["KEYS", &pattern]);
    let partitions: BTreeSet<String> = found
        .texts()
        .iter()
        .filter_map(|key| Some(key.split_once('{')?.1.split_once('}')?.0.to_owned()))
        .collect();
    assert_eq!(partitions.len(), 16);
}
