//! Real store files, damaged: what a crash may leave behind opens with nothing missing; anything else is refused, at
//! open or at the read, and never answered as if it were whole.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use seata_store::{
    Gid, Header, ListQuery, PAGE_MAX, Page, Status, StoreErrorKind, TxnStore, UnixMillis,
};
use seata_store_fjall::OpenError;
use support::{applied, copy, creation, files, following, journal, open, record};

type Records = BTreeMap<Gid, (Header, Bytes)>;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// Appends some transactions, open and ended, one batch each. Answers what was acknowledged.
fn fill(folder: &Path, prefix: &str, count: usize) -> Records {
    let store = open(folder).unwrap();
    runtime().block_on(async {
        let mut records = Records::new();
        for n in 0..count {
            let text = |part| Bytes::from(format!("{part} of {prefix}{n} "));
            let created = creation(&format!("{prefix}{n}"), text("the beginning"));
            let first = applied(&store, created).await.header;
            let status = [Status::Submitted, Status::Committed][n % 2];
            let name = first.gid.clone();
            applied(&store, following(&first, text("the rest"), status)).await;
            let whole = record(&store, &name).await.unwrap().unwrap();
            records.insert(name, whole);
        }
        records
    })
}

/// Moves what the log holds to the other keyspaces, and what the journal holds into tables, as happens when there is much
/// of it.
fn flush(folder: &Path, keyspaces: &[&str]) {
    let store = open(folder).unwrap();
    let purged = runtime().block_on(store.purge(UnixMillis(i64::MAX), 0));
    assert_eq!(purged.unwrap(), 0, "it only looks");
    drop(store);
    let database = fjall::Database::builder(folder.join("fjall"))
        .open()
        .unwrap();
    for name in keyspaces {
        let keyspace = database
            .keyspace(name, fjall::KeyspaceCreateOptions::default)
            .unwrap();
        keyspace.rotate_memtable_and_wait().unwrap();
    }
}

/// A folder whose newest journal ends behind its last batch, without the room that is allocated ahead.
fn filled() -> (tempfile::TempDir, Records) {
    let folder = tempfile::tempdir().unwrap();
    let records = fill(folder.path(), "g", 6);
    drop(open(folder.path()).unwrap());
    (folder, records)
}

fn assert_holds(folder: &Path, records: &Records) {
    let store = open(folder).unwrap();
    runtime().block_on(async {
        for (name, whole) in records {
            assert_eq!(record(&store, name).await.unwrap().as_ref(), Some(whole));
        }
    });
}

fn append_bytes(file: &Path, bytes: &[u8]) {
    let whole = [fs::read(file).unwrap().as_slice(), bytes].concat();
    fs::write(file, whole).unwrap();
}

fn flip(file: &Path, at: usize, bit: u8) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(file, bytes).unwrap();
}

#[test]
fn half_a_record_and_garbage_behind_the_last_batch_lose_nothing() {
    let (folder, records) = filled();
    let file = journal(folder.path());
    let batch = fs::read(&file).unwrap();
    for tail in [
        batch[..30].to_vec(),
        vec![0xa5; 7],
        [&batch[..30], &[0; 5_000], &[1, 2, 3, 4, 0xff][..]].concat(),
        vec![1; 3_000],
    ] {
        append_bytes(&file, &tail);
        assert_holds(folder.path(), &records);
    }
    let more = fill(folder.path(), "later", 3);
    assert_holds(folder.path(), &records);
    assert_holds(folder.path(), &more);
}

#[test]
fn a_batch_that_was_cut_anywhere_is_left_out_whole_and_the_others_stay() {
    let (folder, mut records) = filled();
    let before = fs::read(journal(folder.path())).unwrap().len();
    fill(folder.path(), "last", 1);
    drop(open(folder.path()).unwrap());
    let file = journal(folder.path());
    let bytes = fs::read(&file).unwrap();
    records.retain(|name, _| !name.as_str().starts_with("last"));
    for length in (before..bytes.len()).step_by(7) {
        fs::write(&file, &bytes[..length]).unwrap();
        assert_holds(folder.path(), &records);
        fs::write(&file, &bytes).unwrap();
    }
}

#[test]
fn damage_in_the_middle_of_the_journal_is_refused_and_nothing_is_changed() {
    let (folder, records) = filled();
    let file = journal(folder.path());
    let bytes = fs::read(&file).unwrap();
    for at in (0..bytes.len() * 3 / 4).step_by(11) {
        flip(&file, at, 4);
        let damaged = fs::read(&file).unwrap();
        let error = open(folder.path()).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{at}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("damaged") && text.contains(file.to_str().unwrap()),
            "{text}"
        );
        assert_eq!(fs::read(&file).unwrap(), damaged, "nothing was changed");
        flip(&file, at, 4);
    }
    assert_holds(folder.path(), &records);
}

/// Appends large records until a second journal begins.
fn fill_a_journal(folder: &Path) -> Records {
    let first = journal(folder);
    let store = open(folder).unwrap();
    let mut records = Records::new();
    for n in 0..400 {
        let large = creation(&format!("large{n}"), Bytes::from(vec![b'x'; 1 << 20]));
        let name = large.gid.clone();
        runtime().block_on(async {
            applied(&store, large).await;
            let whole = record(&store, &name).await.unwrap().unwrap();
            records.insert(name, whole);
        });
        if journal(folder) != first {
            return records;
        }
    }
    panic!("the journal is never succeeded");
}

#[test]
fn damage_anywhere_in_a_journal_that_was_succeeded_is_refused() {
    let (folder, mut records) = filled();
    let file = journal(folder.path());
    records.append(&mut fill_a_journal(folder.path()));
    assert!(file.exists(), "the older journal is needed still");
    let bytes = fs::read(&file).unwrap();
    let length = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in [0, length / 2, length - 5] {
        flip(&file, at, 0);
        let error = open(folder.path()).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{at}: {error}");
        flip(&file, at, 0);
    }
    fs::write(&file, &bytes[..length - 5]).unwrap();
    let error = open(folder.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    fs::write(&file, &bytes).unwrap();
    assert_holds(folder.path(), &records);
}

/// What a damaged folder did.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// It was not opened, with a reason.
    Refused,
    /// It was opened, and a read said what is wrong.
    Told,
    /// All that was asked for came back whole.
    Whole,
    /// What was acknowledged is missing or altered, and nobody was told.
    Silent(String),
}

/// Opens the folder and reads everything.
fn look(folder: &Path, records: &Records) -> Seen {
    let store = match catch_unwind(|| open(folder)) {
        Ok(Ok(store)) => store,
        Ok(Err(_)) => return Seen::Refused,
        Err(_) => return Seen::Silent("opening panics".into()),
    };
    let mut seen = Seen::Whole;
    for (name, whole) in records {
        match runtime().block_on(record(&store, name)) {
            Ok(found) if found.as_ref() == Some(whole) => {}
            Ok(found) => return Seen::Silent(format!("{found:?}")),
            Err(error) => {
                assert_eq!(error.kind, StoreErrorKind::Corrupt, "{error}");
                seen = Seen::Told;
            }
        }
    }
    match runtime().block_on(store.list(&ListQuery::newest(PAGE_MAX))) {
        Ok(page) if records.keys().all(|name| is_listed(&page, name)) => seen,
        Ok(_) => Seen::Silent("the list is not complete".into()),
        Err(error) => {
            assert_eq!(error.kind, StoreErrorKind::Corrupt, "{error}");
            Seen::Told
        }
    }
}

fn is_listed(page: &Page<Header>, name: &Gid) -> bool {
    page.items.iter().any(|header| header.gid == *name)
}

/// Damages a copy of the folder and looks at it.
fn look_at_copy(
    original: &Path,
    records: &Records,
    file: &Path,
    damage: impl FnOnce(&Path),
) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    copy(original, folder.path());
    damage(&folder.path().join(file));
    look(folder.path(), records)
}

/// The files of the store, relative to its folder.
fn relative(folder: &Path) -> Vec<PathBuf> {
    files(&folder.join("fjall"))
        .into_iter()
        .map(|file| file.strip_prefix(folder).unwrap().to_owned())
        .collect()
}

/// A folder with tables and, behind them, a journal. The last batch is no part of what was acknowledged: damage to it
/// can't be told from a torn write.
fn with_tables() -> (tempfile::TempDir, Records) {
    let folder = tempfile::tempdir().unwrap();
    let mut records = fill(folder.path(), "table", 40);
    flush(folder.path(), &["log", "open", "ended", "created"]);
    records.append(&mut fill(folder.path(), "journal", 4));
    fill(folder.path(), "last", 1);
    drop(open(folder.path()).unwrap());
    (folder, records)
}

#[test]
fn a_flipped_bit_in_any_file_is_told_or_does_no_harm() {
    let (folder, records) = with_tables();
    let (mut told, mut silent) = (0, Vec::new());
    for file in relative(folder.path()) {
        let length = fs::read(folder.path().join(&file)).unwrap().len();
        for at in (0..length).step_by((length / 24).max(1)) {
            let bit = u8::try_from(at % 8).unwrap();
            match look_at_copy(folder.path(), &records, &file, |file| flip(file, at, bit)) {
                Seen::Refused | Seen::Told => told += 1,
                Seen::Whole => {}
                Seen::Silent(what) => silent.push((file.clone(), at, what)),
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(told > 50, "{told}");
}

#[test]
fn a_missing_file_is_told_or_does_no_harm() {
    let (folder, records) = with_tables();
    let mut silent = Vec::new();
    for file in relative(folder.path()) {
        let remove = |file: &Path| fs::remove_file(file).unwrap();
        let seen = look_at_copy(folder.path(), &records, &file, remove);
        if let Seen::Silent(what) = seen {
            silent.push((file, what));
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

/// What is there of a folder after each step of its making, in which a crash may come. Nothing was acknowledged yet.
#[test]
fn a_folder_that_a_crash_left_half_made_is_made_anew() {
    let whole = tempfile::tempdir().unwrap();
    let made = fjall::Database::builder(whole.path().join("fjall")).open();
    drop(made.unwrap());
    let steps: [&[&str]; 5] = [
        &["lock"],
        &["lock", "keyspaces/"],
        &["lock", "keyspaces/", "0.jnl"],
        &["lock", "keyspaces/", "0.jnl", "version"],
        &["lock", "keyspaces/0/tables/", "0.jnl", "version"],
    ];
    for step in steps {
        let folder = tempfile::tempdir().unwrap();
        let fjall = folder.path().join("fjall");
        fs::create_dir(&fjall).unwrap();
        for name in step {
            match name.strip_suffix('/') {
                Some(name) => fs::create_dir_all(fjall.join(name)).unwrap(),
                None => {
                    fs::copy(whole.path().join("fjall").join(name), fjall.join(name)).unwrap();
                }
            }
        }
        let records = fill(folder.path(), "g", 2);
        assert_holds(folder.path(), &records);
    }
}

#[test]
fn a_folder_that_holds_more_than_a_half_made_one_is_not_made_anew() {
    let (folder, records) = filled();
    let version = folder.path().join("fjall/version");
    let bytes = fs::read(&version).unwrap();
    fs::remove_file(&version).unwrap();
    let error = open(folder.path()).map(drop).unwrap_err();
    assert!(error.to_string().contains("version is missing"), "{error}");
    fs::write(&version, bytes).unwrap();
    assert_holds(folder.path(), &records);
}

#[test]
fn a_folder_of_a_version_without_a_log_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fjall");
    let database = fjall::Database::builder(&path).open().unwrap();
    let mut batch = database
        .batch()
        .durability(Some(fjall::PersistMode::SyncData));
    for name in ["open", "ended", "created"] {
        let options = fjall::KeyspaceCreateOptions::default;
        let keyspace = database.keyspace(name, options).unwrap();
        batch.insert(&keyspace, "key", "value");
    }
    batch.commit().unwrap();
    drop(database);
    let before = relative(folder.path());
    let error = open(folder.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Earlier(_)), "{error}");
    let text = error.to_string();
    let named = text.contains(folder.path().to_str().unwrap()) && text.contains("SEATA_DATA_DIR");
    assert!(named, "{text}");
    assert_eq!(relative(folder.path()), before, "nothing was changed");
}
