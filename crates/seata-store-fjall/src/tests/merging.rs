//! Writes behind a worker that is busy: fjall has one for all that it writes out and merges.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use fjall::AbstractTree;

use super::beside::Done;
use super::*;
use crate::open::Files;
use crate::write::synced;

/// Holds the worker up until it is called off.
fn hold_up(files: &Files) -> impl FnOnce() + use<> {
    let (hold, held) = mpsc::channel::<()>();
    let (off, called_off) = mpsc::channel::<()>();
    let table = files.open.clone();
    let holder = thread::spawn(move || {
        let _written_out = table.tree.get_flush_lock();
        table.insert("held", "up").unwrap();
        table.rotate_memtable().unwrap();
        hold.send(()).unwrap();
        // Also when the test fails.
        let _called_off = called_off.recv();
    });
    held.recv().unwrap();
    move || {
        drop(off);
        holder.join().unwrap();
    }
}

/// More questions than the queue of the worker has places.
const MANY: u32 = 2_000;

#[tokio::test]
async fn writes_behind_a_merge_that_lasts_do_not_stop_the_worker_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    let files = &store.inner.files;
    let call_off = hold_up(files);
    let large = vec![b'x'; 9 << 20];
    files.log.insert("large", large).unwrap();
    for n in 0..MANY {
        files.log.insert(n.to_le_bytes(), []).unwrap();
    }
    let done = Done::default();
    let writer = {
        let (inner, done) = (Arc::clone(&store.inner), Arc::clone(&done.0));
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let mut batch = synced(&inner.files);
                batch.insert(&inner.files.log, "next", []);
                batch.commit().unwrap();
            }
        })
    };
    call_off();
    store.inner.settle().unwrap();
    let begun = Instant::now();
    while files.log.tree.sealed_memtable_count() > 0
        || files.log.tree.active_memtable().size() > 9 << 20
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is written out"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(done);
    writer.join().unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 0);
}
