//! Each statement finds what it needs by its index, whatever else the table holds: some 50,000 rows, most of them ended,
//! many leased, few due.

use std::fmt::Write as _;
use std::time::Duration;

use seata_store::{Cursor, FencingToken, ListQuery, UnixMillis};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Row};

use super::support::{Database, creation, gid, revision};
use crate::{MysqlOptions, MysqlStore, batch, lease, purge, read, renew};

const ENDED: usize = 45_000;
const LEASED: usize = 4_900;
const DUE: usize = 100;

async fn filled() -> Option<(Database, MySqlConnection)> {
    let database = Database::create().await?;
    let options = MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    };
    MysqlStore::open(options).await.unwrap();
    let mut connection = database.connect().await;
    let all: Vec<usize> = (0..ENDED + LEASED + DUE).collect();
    for some in all.chunks(2_000) {
        let mut rows = String::new();
        for n in some {
            let (status, lease_until, wake_at) = match n {
                n if *n < ENDED => (4, "NULL", "NULL"),
                n if *n < ENDED + LEASED => (2, "9000000000000", "1000"),
                n if n % 2 == 0 => (2, "NULL", "1000"),
                _ => (2, "1000", "1000"),
            };
            let separator = if rows.is_empty() { "" } else { ", " };
            // Names in another order than times.
            let name = n * 7_919 % 50_000;
            write!(
                rows,
                "{separator}('g{name:05}', 1, {status}, 3, 1, X'{:032X}', {lease_until}, {wake_at}, {n}, {n}, X'{}')",
                7,
                "AB".repeat(300)
            )
            .unwrap();
        }
        let columns = crate::text::HEADER;
        let text = format!("INSERT INTO global_transaction ({columns}, events) VALUES {rows}");
        run(&mut connection, text).await;
    }
    for text in [
        "ANALYZE TABLE global_transaction".to_owned(),
        format!("SET @seata_now = {}", crate::text::NOW),
    ] {
        run(&mut connection, text).await;
    }
    Some((database, connection))
}

/// One line of a plan: the table, how it is read, by which key, and how many rows the server expects.
#[derive(Debug)]
struct Step {
    table: String,
    access: String,
    key: Option<String>,
    rows: u64,
    extra: String,
}

async fn plan(connection: &mut MySqlConnection, statement: &str) -> Vec<Step> {
    let text = format!("EXPLAIN {statement}");
    let rows = run(connection, text).await;
    rows.iter()
        .map(|row| Step {
            table: row.get::<Option<String>, _>("table").unwrap_or_default(),
            access: row.get::<Option<String>, _>("type").unwrap_or_default(),
            key: row.get("key"),
            // A number here, a text there.
            rows: row
                .try_get_unchecked::<Option<String>, _>("rows")
                .unwrap()
                .map_or(0, |rows| rows.parse().unwrap()),
            extra: row.get::<Option<String>, _>("Extra").unwrap_or_default(),
        })
        .collect()
}

/// The step that reads the table of transactions by this key.
fn by<'plan>(plan: &'plan [Step], key: &str) -> &'plan Step {
    let is_ours = |step: &&Step| step.table == "g" || step.table == "global_transaction";
    let ours: Vec<&Step> = plan.iter().filter(is_ours).collect();
    assert!(!ours.is_empty(), "{plan:?}");
    for step in &ours {
        assert_ne!(step.access, "ALL", "a full scan: {plan:?}");
    }
    ours.into_iter()
        .find(|step| step.key.as_deref() == Some(key))
        .unwrap_or_else(|| panic!("{key} is not used: {plan:?}"))
}

/// How many rows a statement looked at, by the server's own count.
async fn looked_at(connection: &mut MySqlConnection, statement: &str) -> u64 {
    let text = format!("FLUSH STATUS; {statement}");
    run(connection, text).await;
    let counts = "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%' AND Variable_name NOT LIKE '%rnd%'";
    let counts = run(connection, counts.to_owned()).await;
    let counts = counts.iter().map(|row| row.get::<String, _>(1));
    counts.map(|count| count.parse::<u64>().unwrap()).sum()
}

async fn run(connection: &mut MySqlConnection, text: String) -> Vec<MySqlRow> {
    sqlx::raw_sql(AssertSqlSafe(text))
        .fetch_all(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn claims_read_what_is_due_and_neither_what_ended_nor_what_is_held() {
    let Some((_database, mut connection)) = filled().await else {
        return;
    };
    let free = plan(&mut connection, &lease::free(40)).await;
    let step = by(&free, "global_transaction_free");
    assert_eq!(step.access, "range");
    assert!(!step.extra.contains("filesort"), "{free:?}");
    assert!(step.rows <= DUE as u64, "{free:?}");
    let passed = plan(&mut connection, &lease::passed(40)).await;
    let step = by(&passed, "global_transaction_leased");
    assert_eq!(step.access, "range");
    assert!(step.rows <= DUE as u64, "{passed:?}");
    assert_eq!(by(&passed, "PRIMARY").access, "eq_ref");
    for (statement, rows_max) in [(lease::free(10), 12), (lease::passed(10), 150)] {
        let looked_at = looked_at(&mut connection, &statement).await;
        assert!(looked_at <= rows_max, "{looked_at} rows for {statement}");
    }
}

#[tokio::test]
async fn appends_loads_and_renewals_find_each_row_by_its_key() {
    let Some((_database, mut connection)) = filled().await else {
        return;
    };
    let names: Vec<_> = (0..64).map(|n| gid(&format!("g{:05}", n * 701))).collect();
    let load = plan(&mut connection, &read::load_text(&names[..1])).await;
    by(&load, "PRIMARY");
    let load = plan(&mut connection, &read::load_text(&names)).await;
    assert_eq!(by(&load, "PRIMARY").access, "range");
    let updates: Vec<_> = names
        .iter()
        .map(|name| {
            let mut one = creation(name.as_str(), 1);
            one.expected = seata_store::Expected::At {
                revision: revision(3),
                token: FencingToken(1),
            };
            one
        })
        .collect();
    let one = plan(&mut connection, &batch::follow(&updates[0], 1 << 20)).await;
    assert!(by(&one, "PRIMARY").rows <= 1, "{one:?}");
    for count in [2, 8, 64] {
        let updates: Vec<_> = updates.iter().take(count).collect();
        let packet = batch::lock(&updates);
        let read = packet.split("; ").nth(1);
        let locked = plan(&mut connection, read.unwrap()).await;
        let step = by(&locked, "PRIMARY");
        assert!(step.rows <= 2 * count as u64, "{locked:?}");
        assert!(
            !step.extra.contains("filesort"),
            "locks in gid order: {locked:?}"
        );
    }
    let held: Vec<_> = names
        .into_iter()
        .map(|name| (name, FencingToken(1)))
        .collect();
    let packet = renew::prolong(&held, Duration::from_secs(1));
    for statement in packet.split("; ").skip(1).take(2) {
        let step = plan(&mut connection, statement).await;
        assert!(by(&step, "PRIMARY").rows <= 130, "{step:?}");
    }
}

#[tokio::test]
async fn lists_and_purges_walk_their_index_from_where_they_stand() {
    let Some((_database, mut connection)) = filled().await else {
        return;
    };
    let newest = ListQuery::newest(10);
    let behind = ListQuery {
        behind: Some(Cursor {
            created_at: UnixMillis(25_000),
            gid: gid("g12345"),
        }),
        ..newest.clone()
    };
    let between = ListQuery {
        created_from: Some(UnixMillis(20_000)),
        created_before: Some(UnixMillis(30_000)),
        ..behind.clone()
    };
    let place = (read::newest_first(UnixMillis(20_000)), gid("g12345"));
    let before = UnixMillis(40_000);
    for (statement, rows_max) in [
        (read::list_text(&newest, 11), 12),
        (read::list_text(&behind, 11), 14),
        (read::list_text(&between, 11), 14),
        (purge::walk(None, before), 1_002),
        (purge::walk(Some(&place), before), 1_004),
    ] {
        let steps = plan(&mut connection, &statement).await;
        let step = by(&steps, "global_transaction_newest");
        assert!(!step.extra.contains("filesort"), "{statement}: {steps:?}");
        let looked_at = looked_at(&mut connection, &statement).await;
        assert!(looked_at <= rows_max, "{looked_at} rows for {statement}");
    }
    let old: Vec<_> = (0..100).map(|n| gid(&format!("g{n:05}"))).collect();
    let steps = plan(&mut connection, &purge::remove(&old, before)).await;
    assert_eq!(by(&steps, "PRIMARY").access, "range");
}
