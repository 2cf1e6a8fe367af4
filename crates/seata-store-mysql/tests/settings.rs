//! Whatever the server is set to for everybody, the store keeps what it was given: zones, strictness, letters, sizes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use seata_store::{
    Chunk, ClaimLimit, Expected, FencingToken, ListQuery, Owner, StoreErrorKind, TxnStore,
    UnixMillis,
};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use sqlx::{Connection, Row};
use support::{
    Database, append, applied, creation, following, gid, history, loaded, revision, taking,
};

fn options(database: &Database) -> MysqlOptions {
    MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    }
}

/// Sets what the server gives to new sessions, and sets it back. One test of this file does so, and waits for nobody.
struct Defaults<'a> {
    database: &'a Database,
    before: Vec<(&'static str, String)>,
}

impl<'a> Defaults<'a> {
    async fn set(database: &'a Database, values: &[(&'static str, &str)]) -> Self {
        let mut connection = database.connect().await;
        let mut defaults = Self {
            database,
            before: Vec::new(),
        };
        for (name, value) in values {
            let text = format!("SELECT CAST(@@GLOBAL.{name} AS CHAR)");
            let row = sqlx::query(sqlx::AssertSqlSafe(text))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            defaults.before.push((*name, row.get(0)));
            database
                .run(&format!("SET GLOBAL {name} = '{value}'"))
                .await;
        }
        connection.close().await.unwrap();
        defaults
    }

    async fn restore(&self) {
        for (name, value) in &self.before {
            self.database
                .run(&format!("SET GLOBAL {name} = '{value}'"))
                .await;
        }
    }
}

/// Also where the test fails: all tests share the server.
impl Drop for Defaults<'_> {
    fn drop(&mut self) {
        let restore = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(self.restore());
        };
        let restored = std::thread::scope(|scope| scope.spawn(restore).join());
        drop(restored);
    }
}

#[tokio::test]
async fn zones_and_laxness_of_the_server_change_nothing() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    let before = Defaults::set(&database, &[("time_zone", "+05:30"), ("sql_mode", "")]).await;
    // With parameters in the address that would change the session's zone too.
    let elsewhere = MysqlOptions {
        address: format!("{}?timezone=-08:00", database.address()),
        ..options(&database)
    };
    let elsewhere = MysqlStore::open(elsewhere).await.unwrap();
    let after = MysqlStore::open(options(&database)).await.unwrap();
    drop(before);
    for store in [&store, &elsewhere, &after] {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = store.ping().await.unwrap();
        let apart = now.0.abs_diff(i64::try_from(clock.as_millis()).unwrap());
        assert!(apart < 600_000, "{apart} ms off: a zone has a say");
    }
    let mut one = creation("g", 1_000);
    one.lease = taking(1, Duration::from_secs(600));
    let stored = applied(&elsewhere, one).await;
    let apart = stored.header.lease_until.unwrap().0 - after.ping().await.unwrap().0;
    assert!((1..=600_000).contains(&apart), "{apart}");
    let all = ClaimLimit {
        count: 10,
        bytes: 1 << 20,
    };
    let claimed = after.claim_due(Owner(2), Duration::from_secs(1), all).await;
    assert!(
        claimed.unwrap().is_empty(),
        "the lease holds wherever it is read"
    );
    // A lax server would cut this to what fits.
    let mut far = following(&stored.header, "");
    far.at = UnixMillis(i64::MAX);
    far.wake_at = Some(UnixMillis(i64::MIN));
    let far = applied(&after, far).await.header;
    assert_eq!(
        (far.updated_at, far.wake_at),
        (UnixMillis(i64::MAX), Some(UnixMillis(i64::MIN)))
    );
}

#[tokio::test]
async fn all_legal_letters_are_told_apart_and_ordered_by_their_bytes() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    let mut letters: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
    letters.extend(['.', '_', ':', '-']);
    let mut names: Vec<String> = letters.iter().map(char::to_string).collect();
    names.extend(letters.iter().map(|letter| format!("x{letter}")));
    names.push("z".repeat(128));
    names.push(letters.iter().cycle().take(128).collect());
    names.sort_unstable();
    names.dedup();
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    for answer in store.append(batch).await {
        answer.unwrap();
    }
    let page = store.list(&ListQuery::newest(1_000)).await.unwrap();
    let listed: Vec<String> = page
        .items
        .iter()
        .map(|header| header.gid.to_string())
        .collect();
    assert_eq!(listed, names);
    let all = page
        .items
        .iter()
        .map(|header| following(header, "more"))
        .collect();
    for answer in store.append(all).await {
        answer.unwrap();
    }
    for name in &names {
        assert_eq!(
            history(&loaded(&store, &gid(name)).await),
            format!("[{name}]more")
        );
    }
}

#[tokio::test]
async fn bytes_of_every_value_come_back() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    let every: Bytes = (0..=u8::MAX).cycle().take(1_024).collect::<Vec<_>>().into();
    let mut one = creation("g", 1_000);
    one.chunk = Chunk::Add(every.clone());
    let first = applied(&store, one).await;
    let mut more = following(&first.header, "");
    more.chunk = Chunk::Add(every.clone());
    let alone = applied(&store, more).await;
    let mut batch = vec![following(&alone.header, ""), creation("other", 1_000)];
    batch[0].chunk = Chunk::Add(every.clone());
    for answer in store.append(batch).await {
        answer.unwrap();
    }
    let whole = loaded(&store, &gid("g")).await;
    assert_eq!(whole.chunks.concat(), every.repeat(3));
}

#[tokio::test]
async fn histories_near_the_packet_are_kept_whole_or_refused() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    let max = store.limits().record_bytes_max;
    let mut one = creation("g", 1_000);
    one.chunk = Chunk::Add(Bytes::from(vec![1; max - 10]));
    let first = applied(&store, one).await;
    let append_of = |count: usize| {
        let mut next = following(&first.header, "");
        next.chunk = Chunk::Add(Bytes::from(vec![2; count]));
        next
    };
    // Alone, and among neighbours that have nothing to do with it.
    assert_eq!(
        append(&store, append_of(11)).await.unwrap_err().kind,
        StoreErrorKind::Invalid
    );
    let batch = vec![creation("a", 1), append_of(11), creation("z", 1)];
    let answers = store.append(batch).await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert_eq!(
        answers[1].as_ref().unwrap_err().kind,
        StoreErrorKind::Invalid
    );
    let full = applied(&store, append_of(10)).await;
    assert_eq!(full.chunks.concat().len(), max);
    let mut whole = following(&full.header, "");
    whole.chunk = Chunk::Replace(Bytes::from(vec![3; max]));
    assert_eq!(applied(&store, whole).await.chunks.concat(), vec![3; max]);
}

#[tokio::test]
async fn a_batch_beyond_a_packet_goes_out_in_pieces() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    let large = Bytes::from(vec![5; store.limits().batch_bytes_max / 3]);
    let batch = (0..8)
        .map(|n| {
            let mut one = creation(&format!("g{n}"), 1_000);
            one.chunk = Chunk::Add(large.clone());
            one
        })
        .collect();
    for answer in store.append(batch).await {
        answer.unwrap();
    }
    for n in 0..8 {
        assert_eq!(
            loaded(&store, &gid(&format!("g{n}"))).await.chunks.concat(),
            large
        );
    }
}

#[tokio::test]
async fn numbers_are_kept_to_their_last_bit() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    for name in ["g", "h"] {
        applied(&store, creation(name, 1_000)).await;
    }
    database
        .run("UPDATE global_transaction SET revision = 18446744073709551000, token = 18446744073709550000")
        .await;
    let mut all = Vec::new();
    for name in ["g", "h"] {
        let header = loaded(&store, &gid(name)).await.header;
        assert_eq!(header.token, FencingToken(18_446_744_073_709_550_000));
        all.push(following(&header, "x"));
    }
    for answer in store.append(all.clone()).await {
        answer.unwrap();
    }
    let mut next = all.remove(0);
    next.expected = Expected::At {
        revision: revision(18_446_744_073_709_551_001),
        token: FencingToken(18_446_744_073_709_550_000),
    };
    let last = applied(&store, next).await;
    assert_eq!(last.header.revision, revision(18_446_744_073_709_551_002));
}
