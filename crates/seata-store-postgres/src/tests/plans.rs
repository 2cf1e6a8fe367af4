//! How the statements find their rows: by their index, touching about as many as they answer, however many have ended or
//! are held; also with a plan that was made while the table was empty.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::support::{Apart, Place, number, run};
use crate::{PostgresOptions, batch, explain, lease, open, purge, read};

/// A statement with arguments, the index that it must use, and how many rows of the table it may touch.
struct Case {
    name: &'static str,
    text: &'static str,
    arguments: String,
    index: &'static str,
    touched_max: usize,
}

/// 45,000 that ended, 4,000 that are held, 100 whose lease has passed, 900 that nobody holds, half of them due.
const FILL: &str = "INSERT INTO global_transaction \
    (gid, mode, status, revision, token, owner, lease_until, wake_at, created_at, updated_at, events) \
  SELECT 'g' || lpad(n::text, 5, '0'), 1, CASE WHEN n <= 45000 THEN 4 ELSE 2 END, 1, 0, NULL, \
    CASE WHEN n <= 45000 THEN NULL WHEN n <= 49000 THEN 99999999999999 WHEN n <= 49100 THEN n END, \
    CASE WHEN n <= 45000 THEN NULL WHEN n <= 49550 THEN n ELSE 99999999999999 END, n, n, repeat('x', 300)::bytea \
  FROM generate_series(1, 50000) AS n";

fn filled(value: &str, count: usize) -> String {
    format!("array_fill({value}, ARRAY[{count}])")
}

fn gids(first: usize, count: usize) -> String {
    let names: Vec<String> = (0..count)
        .map(|n| format!("'g{:05}'", first + n * 10))
        .collect();
    format!("ARRAY[{}]::text[]", names.join(","))
}

/// The arrays of `asked`: as many moves, or creations where `revision` is NULL.
fn asked(gids: &str, revision: &str, count: usize) -> String {
    let columns = [
        "1::smallint",
        "2::smallint",
        revision,
        "0::bigint",
        "5::bigint",
        "0::smallint",
        "NULL::bytea",
        "NULL::bigint",
        "false",
        "'more'::bytea",
        "6::bigint",
    ];
    let arrays: Vec<String> = columns.iter().map(|value| filled(value, count)).collect();
    format!("{gids}, {}", arrays.join(", "))
}

fn cases() -> Vec<Case> {
    let case = |name, text, arguments, index, touched_max| Case {
        name,
        text,
        arguments,
        index,
        touched_max,
    };
    let primary = "global_transaction_pkey";
    let created = "global_transaction_created";
    let open = gids(45_001, 64);
    let new = gids(60_001, 64);
    vec![
        case(
            "moving",
            batch::MOVE,
            format!("{}, {open}, 1000000", asked(&open, "1::bigint", 64)),
            primary,
            2 * 64,
        ),
        case(
            "moving past locks",
            batch::MOVE_PAST_LOCKS,
            format!("{}, {open}, 1000000", asked(&open, "1::bigint", 64)),
            primary,
            2 * 64,
        ),
        case(
            "creating",
            batch::CREATE,
            asked(&new, "NULL::bigint", 64),
            "asked",
            0,
        ),
        case(
            "moving and creating",
            batch::MOVE_AND_CREATE,
            format!("{}, {open}, 1000000", asked(&open, "1::bigint", 64)),
            primary,
            2 * 64,
        ),
        case(
            "explaining",
            explain::EXPLAIN,
            format!("{open}, {open}, 1000000"),
            primary,
            64,
        ),
        case("loading", read::LOAD, "'g00777'".to_owned(), primary, 1),
        // Of the hundred that passed it takes the earliest; each is looked at, locked and written.
        case(
            "claiming",
            lease::CLAIM,
            "'0123456789abcdef'::bytea, 60000, 50, 1000000".to_owned(),
            "global_transaction_free",
            50 + 100 + 50 + 50,
        ),
        case(
            "claiming passed ones",
            lease::CLAIM,
            "'0123456789abcdef'::bytea, 60000, 50, 1000000".to_owned(),
            "global_transaction_leased",
            250,
        ),
        case(
            "renewing",
            lease::RENEW,
            format!("{open}, {}, 60000", filled("0::bigint", 64)),
            primary,
            2 * 64,
        ),
        case(
            "renewing past locks",
            lease::RENEW_PAST_LOCKS,
            format!("{open}, {}, 60000", filled("0::bigint", 64)),
            primary,
            2 * 64,
        ),
        case(
            "listing",
            read::LIST,
            "40000, 'g40000', 0, 101".to_owned(),
            created,
            101,
        ),
        case(
            "looking for old ones",
            purge::OLDEST,
            "100, 'g00100', 1000, 40000".to_owned(),
            created,
            1_000,
        ),
        case(
            "removing",
            purge::REMOVE,
            format!("{}, 50000", gids(1, 100)),
            primary,
            200,
        ),
    ]
}

async fn explained(live: &mut PgConnection, case: &Case) -> String {
    run(live, "BEGIN").await;
    let text = format!(
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE \"{}\" ({})",
        case.name, case.arguments
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(text))
        .fetch_all(&mut *live)
        .await
        .unwrap();
    run(live, "ROLLBACK").await;
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

/// Adds up what the scans of the table gave and what they threw away.
fn touched(plan: &str) -> usize {
    let figure = |line: &str, name: &str| {
        let (_, rest) = line.split_once(name)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let mut touched = 0;
    let mut loops = 0;
    for line in plan.lines() {
        if line.contains("actual rows=") {
            // The bitmap of an index names what the scan of the table above it then reads.
            let scans = line.contains(" on global_transaction")
                && line.contains("Scan")
                && !line.contains("Bitmap Index");
            loops = figure(line, "loops=").filter(|_| scans).unwrap_or(0);
            touched += figure(line, "actual rows=").unwrap_or(0) * loops;
        }
        touched += figure(line, "Rows Removed by Filter: ").unwrap_or(0) * loops;
    }
    touched
}

async fn check(live: &mut PgConnection, when: &str) {
    for case in cases() {
        let plan = explained(live, &case).await;
        let name = case.name;
        assert!(
            !plan.contains("Seq Scan on global_transaction"),
            "{name}, {when}:\n{plan}"
        );
        assert!(plan.contains(case.index), "{name}, {when}:\n{plan}");
        let touched = touched(&plan);
        assert!(
            touched <= case.touched_max,
            "{name}, {when} touched {touched}:\n{plan}"
        );
    }
}

async fn prepare(live: &mut PgConnection) {
    for case in cases() {
        run(live, &format!("PREPARE \"{}\" AS {}", case.name, case.text)).await;
    }
}

#[tokio::test]
async fn each_statement_finds_its_rows_by_its_index() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    drop(place.open().await);
    let mut live = open::session(&place.options())
        .unwrap()
        .connect()
        .await
        .unwrap();
    // The server's own analysis of a new table holds up another one.
    run(
        &mut live,
        "SET statement_timeout = 0; SET lock_timeout = 0; SET plan_cache_mode = force_generic_plan",
    )
    .await;
    prepare(&mut live).await;
    for case in cases() {
        explained(&mut live, &case).await;
    }
    run(&mut live, FILL).await;
    check(&mut live, "planned on an empty table").await;
    run(&mut live, "ANALYZE global_transaction").await;
    check(&mut live, "analyzed").await;
    run(&mut live, "SET enable_seqscan = on").await;
    check(&mut live, "analyzed, left to the planner").await;
    run(&mut live, "SET plan_cache_mode = force_custom_plan").await;
    check(&mut live, "analyzed, planned for these arguments").await;
    assert_eq!(
        number(&mut live, "SELECT count(*) FROM global_transaction").await,
        50_000
    );
}

#[tokio::test]
async fn sessions_are_set_as_the_store_needs_them() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let options = PostgresOptions {
        timeout: Duration::from_millis(1_500),
        ..place.options()
    };
    let mut live = open::session(&options).unwrap().connect().await.unwrap();
    for (name, expected) in [
        ("synchronous_commit", "on"),
        ("lock_timeout", "600ms"),
        ("statement_timeout", "1350ms"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("default_transaction_isolation", "read committed"),
        ("application_name", "seata-server"),
        // What the user asked for in the address stays.
        ("search_path", place.name()),
    ] {
        let row = sqlx::query("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&mut live)
            .await;
        assert_eq!(row.unwrap().get::<&str, _>(0), expected, "{name}");
    }
}
