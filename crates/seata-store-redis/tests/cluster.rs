//! What befalls nodes of a cluster, what that costs, and that the store goes on by itself.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use seata_store::{
    AppendOutcome, ClaimLimit, FencingToken, Gid, Held, LeaseChange, Owner, Status, StoreError,
    StoreErrorKind, TxnStore, UnixMillis,
};
use seata_store_conformance::address;
use seata_store_redis::{RedisOptions, RedisStore};
use seata_test_servers::{AppendFsync, RedisCluster};
use support::{Plain, Reply, append, applied, creation, gid, options, start};

/// Its layout lies with the third master: a store can be opened while the first is away.
const PREFIX: &str = "spread";

/// Far more than a promotion takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster of its own may only be started where there is Redis at all.
fn cluster() -> Option<RedisCluster> {
    address("SEATA_TEST_REDIS_CLUSTER_URL").map(|_| RedisCluster::start().unwrap())
}

/// Opens a store that waits for a frozen node longer than a busy machine keeps a well one waiting. A dead one refuses at
/// once.
async fn open(cluster: &RedisCluster) -> RedisStore {
    let options = RedisOptions {
        timeout: Duration::from_secs(5),
        ..options(cluster.address(), PREFIX)
    };
    RedisStore::open(options).await.unwrap()
}

/// Sixteen names, one in each partition, each with the node that keeps it.
fn names(cluster: &RedisCluster) -> Vec<(String, usize)> {
    let keepers: Vec<usize> = (0..16)
        .map(|partition| {
            let key = format!("{PREFIX}:{{p{partition:03}}}:free");
            cluster.master_of(&key).unwrap().unwrap()
        })
        .collect();
    let mut names = vec![None; 16];
    for number in 0.. {
        let name = format!("g{number}");
        let partition = support::partition(&name, 16);
        names[partition].get_or_insert((name, keepers[partition]));
        if names.iter().all(Option::is_some) {
            break;
        }
    }
    names.into_iter().flatten().collect()
}

/// Creates one of this name with an ending of its own, until that is acknowledged.
async fn created_at_last(store: &RedisStore, name: &str) -> Gid {
    let end = Instant::now() + PATIENCE;
    for number in 100_000.. {
        let name = support::beside(name, 16, number);
        match append(store, creation(&name, 1_000)).await {
            Ok(AppendOutcome::Applied(_)) => return gid(&name),
            Ok(other) => panic!("{name}: {other:?}"),
            Err(error) => assert!(Instant::now() < end, "{name}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("numbers have no end")
}

async fn is_kept(store: &RedisStore, name: &str) -> bool {
    store.load(&gid(name)).await.unwrap().is_some()
}

/// Waits until the replica of this first master has all that the master wrote.
fn await_copied(cluster: &RedisCluster, master: usize) {
    let end = Instant::now() + PATIENCE;
    loop {
        let written = Plain::connect(cluster.node(master).address()).offset("master_repl_offset:");
        let copied =
            Plain::connect(cluster.node(master + 3).address()).offset("slave_repl_offset:");
        // The offset grows by pings, too: what was written before is in it.
        if copied >= written {
            return;
        }
        assert!(Instant::now() < end, "{copied} of {written}");
    }
}

/// Lets the replica of this first master take its place, or not.
fn may_take_over(cluster: &RedisCluster, master: usize, may: bool) {
    let never = if may { "no" } else { "yes" };
    let mut replica = Plain::connect(cluster.node(master + 3).address());
    done(&replica.ask(&["CONFIG", "SET", "cluster-replica-no-failover", never]));
}

fn leased(name: &str) -> seata_store::Append {
    let mut one = creation(name, 1_000);
    one.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_secs(600),
    };
    one
}

fn kind(answer: &Result<AppendOutcome, StoreError>) -> Option<StoreErrorKind> {
    answer.as_ref().err().map(|error| error.kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_fails_its_own_partitions_until_its_replica_takes_over() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster).await;
    let names = names(&cluster);
    let mut held = Vec::new();
    for (name, _) in &names {
        held.push((gid(name), applied(&store, leased(name)).await.token));
    }
    let ended = create_ended(&store, &names).await;
    await_copied(&cluster, 0);
    cluster.promote_soon().unwrap();
    // Not before it was seen what its absence costs.
    may_take_over(&cluster, 0, false);
    assert_eq!(cluster.kill_master(0).unwrap(), 0);

    let batch = names
        .iter()
        .map(|(name, _)| creation(&support::beside(name, 16, 7), 1_000));
    let answers = store.append(batch.collect()).await;
    for ((name, keeper), answer) in names.iter().zip(&answers) {
        assert_eq!(answer.is_err(), *keeper == 0, "{name}: {answer:?}");
    }
    let renewed = store.renew(&held, Duration::from_secs(600)).await.unwrap();
    for ((name, keeper), answer) in names.iter().zip(&renewed) {
        assert_eq!(*answer == Held::Unknown, *keeper == 0, "{name}: {answer:?}");
    }
    let limit = ClaimLimit {
        count: 100,
        bytes: 1 << 20,
    };
    let lasts = Duration::from_secs(600);
    let well = names.iter().filter(|(_, keeper)| *keeper != 0).count();
    let claimed = store.claim_due(Owner(2), lasts, limit).await.unwrap();
    assert_eq!(
        claimed.len(),
        well,
        "what was created of those that are well"
    );
    let purged = store.purge(UnixMillis(i64::MAX / 4), 100).await.unwrap();
    assert_eq!(purged, well, "a purge goes on with the rest");
    assert!(store.ping().await.is_ok());
    let second = open(&cluster).await;
    for (name, keeper) in &names {
        let loaded = second.load(&gid(name)).await;
        assert_eq!(loaded.is_ok(), *keeper != 0, "{name}");
    }

    may_take_over(&cluster, 0, true);
    let begun = Instant::now();
    for (name, keeper) in &names {
        if *keeper == 0 {
            created_at_last(&store, name).await;
        }
    }
    eprintln!("all partitions served again after {:?}", begun.elapsed());
    for (name, _) in &names {
        assert!(
            is_kept(&store, name).await,
            "{name}: acknowledged and copied"
        );
    }
    let renewed = store.renew(&held, lasts).await.unwrap();
    assert!(!renewed.contains(&Held::Unknown) && !renewed.contains(&Held::Lost));
    let rest = store.purge(UnixMillis(i64::MAX / 4), 100).await.unwrap();
    let again = store.purge(UnixMillis(i64::MAX / 4), 100).await.unwrap();
    assert_eq!(
        purged + rest + again,
        ended,
        "and what was passed over is purged later"
    );
}

/// One in each partition that has ended.
async fn create_ended(store: &RedisStore, names: &[(String, usize)]) -> usize {
    for (name, _) in names {
        let mut one = creation(&support::beside(name, 16, 99), 1_000);
        one.status = Status::Committed;
        one.wake_at = None;
        applied(store, one).await;
    }
    names.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_slept_through_its_replacement_is_written_no_more() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster).await;
    let names = names(&cluster);
    for (name, _) in &names {
        applied(&store, creation(name, 1_000)).await;
    }
    await_copied(&cluster, 0);
    cluster.promote_soon().unwrap();
    cluster.node(0).freeze().unwrap();
    let mut kept = Vec::new();
    for (name, keeper) in &names {
        let begun = Instant::now();
        let answer = append(&store, creation(&support::beside(name, 16, 1_000), 1_000)).await;
        match answer {
            Ok(_) => assert!(begun.elapsed() < PATIENCE),
            Err(_) => assert_eq!(
                *keeper, 0,
                "{name}: a frozen master costs its neighbours nothing"
            ),
        }
    }
    for (name, _) in &names {
        kept.push(created_at_last(&store, name).await);
    }
    cluster.node(0).thaw().unwrap();
    let mut old = Plain::connect(cluster.node(0).address());
    old.ask(&["CONFIG", "RESETSTAT"]);
    for (name, _) in &names {
        kept.push(created_at_last(&store, &support::beside(name, 16, 2_000)).await);
    }
    cluster.await_whole().unwrap();
    cluster.await_replicas().unwrap();
    assert_eq!(
        old.calls("evalsha"),
        0,
        "nothing was asked of the old master"
    );
    for name in &kept {
        assert!(is_kept(&store, name.as_str()).await, "{name}");
    }
    for (name, _) in &names {
        assert!(is_kept(&store, name).await, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_while_batches_run_refuses_and_loses_nothing() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster).await;
    let names = names(&cluster);
    let (name, from) = names
        .iter()
        .find(|(_, keeper)| *keeper != 1)
        .unwrap()
        .clone();
    let key = format!("{PREFIX}:{{p{:03}}}:free", support::partition(&name, 16));
    for number in 0..40 {
        // Leases that pass while the slot is moved: the index must not lose what is at the other node already.
        let mut one = creation(&support::beside(&name, 16, number), 1_000);
        one.lease = LeaseChange::Take {
            owner: Owner(1),
            lasts: Duration::from_millis(1),
        };
        applied(&store, one).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let refusals = Arc::new(AtomicUsize::new(0));
    let writer = tokio::spawn(write_until(
        store.clone(),
        name.clone(),
        Arc::clone(&is_over),
        Arc::clone(&refusals),
    ));
    let mut mover = Mover::new(&cluster, &key, from, 1);
    mover.begin();
    // Some records are here, some there.
    assert!(mover.move_some(20));
    let limit = ClaimLimit {
        count: 10,
        bytes: 1 << 20,
    };
    let early = store
        .claim_due(Owner(3), Duration::from_millis(1), limit)
        .await;
    drop(early);
    let due = append(&store, creation(&support::beside(&name, 16, 5_000), 1_000)).await;
    assert_eq!(kind(&due), Some(StoreErrorKind::Unavailable), "{due:?}");
    let begun = Instant::now();
    while refusals.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < PATIENCE, "no batch met the slot");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while mover.move_some(20) {}
    mover.end(&cluster);
    let last = created_at_last(&store, &support::beside(&name, 16, 6_000)).await;
    is_over.store(true, Ordering::Release);
    let mut acknowledged = writer.await.unwrap();
    acknowledged.push(last);
    for name in &acknowledged {
        assert!(is_kept(&store, name.as_str()).await, "{name}");
    }
    // All that is open is still found, each once.
    let mut claimed = Vec::new();
    loop {
        let all = ClaimLimit {
            count: 200,
            bytes: 1 << 24,
        };
        let some = store
            .claim_due(Owner(2), Duration::from_secs(600), all)
            .await
            .unwrap();
        if some.is_empty() {
            break;
        }
        claimed.extend(some.into_iter().map(|one| one.header.gid));
    }
    assert_eq!(claimed.len(), acknowledged.len() + 40);
}

/// Creates batches in one partition, counts what is refused, and answers what was acknowledged.
async fn write_until(
    store: RedisStore,
    name: String,
    is_over: Arc<AtomicBool>,
    refusals: Arc<AtomicUsize>,
) -> Vec<Gid> {
    let mut acknowledged = Vec::new();
    for round in 0.. {
        if is_over.load(Ordering::Acquire) {
            break;
        }
        let fresh = (0..5).map(|one| support::beside(&name, 16, 10_000 + round * 5 + one));
        let batch: Vec<_> = fresh.map(|name| creation(&name, 1_000)).collect();
        let gids: Vec<Gid> = batch.iter().map(|one| one.gid.clone()).collect();
        for (gid, answer) in gids.into_iter().zip(store.append(batch).await) {
            match answer {
                Ok(AppendOutcome::Applied(_)) => acknowledged.push(gid),
                Ok(other) => panic!("{gid}: {other:?}"),
                Err(error) => {
                    // A move refuses before anything is written.
                    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
                    refusals.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}

/// Moves a slot as `redis-cli --cluster reshard` does.
struct Mover {
    slot: String,
    from: Plain,
    to: Plain,
    ids: (String, String),
    to_port: String,
}

impl Mover {
    fn new(cluster: &RedisCluster, key: &str, from: usize, to: usize) -> Self {
        let (from, to) = (cluster.node(from), cluster.node(to));
        let to_port = to.port().to_string();
        let (mut from, mut to) = (Plain::connect(from.address()), Plain::connect(to.address()));
        let slot = from.ask(&["CLUSTER", "KEYSLOT", key]).text().to_owned();
        let id = |of: &mut Plain| of.ask(&["CLUSTER", "MYID"]).text().to_owned();
        let ids = (id(&mut from), id(&mut to));
        Self {
            slot,
            from,
            to,
            ids,
            to_port,
        }
    }
    fn begin(&mut self) {
        let (from, to) = self.ids.clone();
        done(
            &self
                .to
                .ask(&["CLUSTER", "SETSLOT", &self.slot, "IMPORTING", &from]),
        );
        done(
            &self
                .from
                .ask(&["CLUSTER", "SETSLOT", &self.slot, "MIGRATING", &to]),
        );
    }
    fn move_some(&mut self, count: usize) -> bool {
        let count = count.to_string();
        let found = self
            .from
            .ask(&["CLUSTER", "GETKEYSINSLOT", &self.slot, &count]);
        let keys = found.texts();
        if keys.is_empty() {
            return false;
        }
        let mut words = vec![
            "MIGRATE",
            "127.0.0.1",
            &self.to_port,
            "",
            "0",
            "5000",
            "KEYS",
        ];
        words.extend(keys);
        done(&self.from.ask(&words));
        true
    }
    fn end(&mut self, cluster: &RedisCluster) {
        let to = self.ids.1.clone();
        for plain in [&mut self.to, &mut self.from] {
            done(&plain.ask(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &to]));
        }
        for master in cluster.masters().unwrap() {
            let mut plain = Plain::connect(cluster.node(master).address());
            plain.ask(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &to]);
        }
    }
}

fn done(reply: &Reply) {
    assert_eq!(reply.text(), "OK", "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_went_away_altogether_is_found_again() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster).await;
    let names = names(&cluster);
    for (name, _) in &names {
        applied(&store, creation(name, 1_000)).await;
    }
    for node in cluster.nodes() {
        node.kill().unwrap();
    }
    let batch = |number| {
        let all = names.iter();
        all.map(move |(name, _)| creation(&support::beside(name, 16, number), 1_000))
    };
    for number in 100..103 {
        for answer in store.append(batch(number).collect()).await {
            assert!(answer.is_err());
        }
    }
    for answer in store.append(batch(103).collect()).await {
        assert_eq!(kind(&answer), Some(StoreErrorKind::Unavailable));
    }
    assert!(store.ping().await.is_err());
    let nobody = [(gid("g0"), FencingToken(1))];
    assert!(store.renew(&nobody, Duration::from_secs(1)).await.is_err());
    assert!(store.purge(UnixMillis(1), 10).await.is_err());
    for node in cluster.nodes() {
        node.start_again().unwrap();
    }
    for (name, _) in &names {
        created_at_last(&store, &support::beside(name, 16, 500)).await;
        assert!(is_kept(&store, name).await, "{name}");
    }
}

/// Managed clusters of one shard look like this. Each alone would find nothing wrong.
#[tokio::test]
async fn a_node_that_has_all_slots_takes_large_batches_as_one_server() {
    if address("SEATA_TEST_REDIS_CLUSTER_URL").is_none() {
        return;
    }
    // It keeps its port while it is down.
    let place = start(AppendFsync::No, &[]);
    place.kill().unwrap();
    let bus = place.port().to_string();
    let settings = [("cluster-enabled", "yes"), ("cluster-port", &bus)];
    let server = start(AppendFsync::Always, &settings);
    let mut plain = Plain::connect(server.address());
    plain.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let begun = Instant::now();
    while !plain
        .ask(&["CLUSTER", "INFO"])
        .text()
        .contains("cluster_state:ok")
    {
        assert!(begun.elapsed() < PATIENCE, "the cluster does not form");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let store = RedisStore::open(options(server.address(), PREFIX))
        .await
        .unwrap();
    for round in 0..2 {
        let batch = (0..40).map(|number| creation(&format!("g{round}-{number}"), 1));
        for answer in store.append(batch.collect()).await {
            assert!(
                matches!(answer, Ok(AppendOutcome::Applied(_))),
                "{answer:?}"
            );
        }
    }
}
