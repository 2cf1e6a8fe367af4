//! What a batch is made of.

use metrics::Gauge;
use seata_core::{Gid, Mode, UnixMillis};
use seata_store::{Chunk, Expected, LeaseChange, Status};
use seata_store_mem::{AppendFault, Faults, FaultyStore, MemStore, OtherFault, StoreCall};

use super::*;
use crate::host::SystemClock;

/// Notes what each batch was made of; the first one is never answered if that is wanted.
struct Noted {
    batches: Mutex<Vec<Vec<String>>>,
    first: AppendFault,
}

impl Faults for Noted {
    fn on_append(&self, batch: &[Append]) -> AppendFault {
        let gids = batch.iter().map(|append| append.gid.to_string()).collect();
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.push(gids);
        if batches.len() == 1 {
            self.first
        } else {
            AppendFault::None
        }
    }
    fn on_other(&self, _: StoreCall) -> OtherFault {
        OtherFault::None
    }
}

fn creation(gid: &str) -> Append {
    Append {
        gid: Gid::parse(gid).unwrap_or_else(|_| panic!("a gid")),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Prepared,
        wake_at: None,
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(bytes::Bytes::from_static(b"history")),
        at: UnixMillis(0),
    }
}

/// Appends these, those of each row once the row before it has left, and answers the batches that they left in.
async fn batches(first: AppendFault, rows: &[&[&str]]) -> Vec<Vec<String>> {
    let noted = Arc::new(Noted {
        batches: Mutex::default(),
        first,
    });
    let store = MemStore::new(Arc::new(|| UnixMillis(0)));
    let way = Way {
        store: Arc::new(FaultyStore::new(store, noted.clone())),
        clock: Arc::new(SystemClock),
        meters: Arc::new(Meters::new()),
        timeout: Duration::from_secs(2),
    };
    let limits = StoreLimits {
        batches_in_flight_max: 8,
        ..StoreLimits::default()
    };
    let journal = Arc::new(Journal::new(
        limits,
        Scale::new(Gauge::noop()),
        Arc::default(),
    ));
    let appends = async {
        let mut answers = FuturesUnordered::new();
        for row in rows {
            answers.extend(
                row.iter()
                    .map(|gid| journal.append(creation(gid), Duration::ZERO)),
            );
            let until = Instant::now() + Duration::from_millis(100);
            while tokio::time::timeout_at(until, answers.next())
                .await
                .is_ok_and(|next| next.is_some())
            {}
        }
        while answers.next().await.is_some() {}
        journal.close();
    };
    tokio::join!(appends, journal.run(way));
    let batches = noted.batches.lock().unwrap_or_else(PoisonError::into_inner);
    batches.clone()
}

#[tokio::test(start_paused = true)]
async fn no_gid_is_twice_in_a_batch_and_the_others_keep_their_order() {
    let batches = batches(AppendFault::None, &[&["a", "b", "a", "c", "b", "a", "d"]]).await;
    let expected: [&[&str]; 3] = [&["a", "b", "c", "d"], &["a", "b"], &["a"]];
    assert_eq!(batches, expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_holds_up_its_own_gid_alone() {
    let batches = batches(AppendFault::Hang, &[&["a"], &["a", "b"], &["c"]]).await;
    let expected: [&[&str]; 4] = [&["a"], &["b"], &["c"], &["a"]];
    assert_eq!(batches, expected);
}
