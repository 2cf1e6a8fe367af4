//! Measures appends on the server that SEATA_TEST_MYSQL_DSN names, in a database of its own: records a second by the size
//! of a batch and by how many are in flight, and statements per batch by the server's own count.
//!
//! `cargo run -p seata-store-mysql --example measure`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it prints a table, and fails by panicking"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use bytes::Bytes;
use seata_store::{Append, Chunk, TxnStore};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use sqlx::Row;
use sqlx::mysql::MySqlConnection;
use support::{Database, creation, ending, loaded};

const RECORDS: usize = 4_096;

#[tokio::main]
async fn main() {
    let Some(database) = Database::create().await else {
        return;
    };
    let options = MysqlOptions::new(database.address());
    let store = MysqlStore::open(options).await.unwrap();
    let mut connection = database.connect().await;
    println!("batch  flying  creations/s  ends/s   statements per batch: creations, ends");
    for count in [1, 8, 64, 256] {
        for flying in [1, 2, 4, 8] {
            let batches = (RECORDS / count).min(1_024);
            let creations: Vec<Vec<Append>> = (0..batches)
                .map(|batch| (0..count).map(|n| one(count, flying, batch, n)).collect())
                .collect();
            let mut ends = Vec::new();
            for batch in &creations {
                ends.push(batch.iter().map(end_of).collect());
            }
            let (created, first) = run(&store, &mut connection, creations, flying).await;
            let (ended, last) = run(&store, &mut connection, ends, flying).await;
            println!("{count:5}  {flying:6}  {created:11}  {ended:6}   {first}, {last}");
        }
    }
    let name = one(1, 1, 0, 0).gid;
    let header = loaded(&store, &name).await.header;
    assert!(header.status.is_final());
}

fn one(count: usize, flying: usize, batch: usize, n: usize) -> Append {
    let mut append = creation(&format!("{count}-{flying}-{batch}-{n}"), 1_000);
    append.chunk = Chunk::Add(Bytes::from(vec![7; 600]));
    append
}

/// The end of what was created, without asking.
fn end_of(creation: &Append) -> Append {
    let header = creation.judge(None, seata_store::UnixMillis(0)).unwrap();
    let mut end = ending(&header);
    end.chunk = Chunk::Add(Bytes::from(vec![8; 300]));
    end
}

/// Answers records a second, and what the server counted per batch.
async fn run(
    store: &MysqlStore,
    connection: &mut MySqlConnection,
    batches: Vec<Vec<Append>>,
    flying: usize,
) -> (u64, String) {
    let count = batches.len();
    let records: usize = batches.iter().map(Vec::len).sum();
    let mut queues: Vec<Vec<Vec<Append>>> = (0..flying).map(|_| Vec::new()).collect();
    for (at, batch) in batches.into_iter().enumerate() {
        queues[at % flying].push(batch);
    }
    // So many connections are made beforehand.
    let mut warm = Vec::new();
    for _ in 0..flying {
        let store = store.clone();
        warm.push(tokio::spawn(async move { store.ping().await.unwrap() }));
    }
    for one in warm {
        one.await.unwrap();
    }
    let before = questions(connection).await;
    let started = Instant::now();
    let mut tasks = Vec::new();
    for queue in queues {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for batch in queue {
                for answer in store.append(batch).await {
                    answer.unwrap();
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let took = started.elapsed();
    let asked = questions(connection).await - before;
    let per_second = records as f64 / took.as_secs_f64();
    let statements = asked as f64 / count as f64;
    (per_second as u64, format!("{statements:.2}"))
}

/// How many statements the server has seen from all.
async fn questions(connection: &mut MySqlConnection) -> u64 {
    let row = sqlx::query("SHOW GLOBAL STATUS LIKE 'Queries'")
        .fetch_one(connection)
        .await
        .unwrap();
    row.get::<String, _>(1).parse().unwrap()
}
