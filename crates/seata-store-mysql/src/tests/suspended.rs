//! A coordinator that is suspended in the middle of a claim holds rows. The server ends its session, and others go on.

use std::time::Duration;

use seata_store::{AppendOutcome, StoreErrorKind, TxnStore};

use super::support::{Database, append, applied, creation, following};
use crate::connection::Span;
use crate::{MysqlOptions, MysqlStore, lease};

#[tokio::test]
async fn rows_of_a_suspended_claim_are_set_free() {
    let Some(database) = Database::create().await else {
        return;
    };
    let options = MysqlOptions {
        // The suspended one measures no time.
        timeout: Duration::from_secs(60),
        ..MysqlOptions::new(database.address())
    };
    let suspended = MysqlStore::open(options.clone()).await.unwrap();
    let others = MysqlStore::open(options).await.unwrap();
    let stored = applied(&others, creation("g", 1_000)).await;
    let mut lent = suspended.inner().pool.lend("claiming").await.unwrap();
    let answers = lent
        .send(lease::candidates(10), Span::Begins)
        .await
        .unwrap();
    assert_eq!(
        answers
            .iter()
            .map(|answer| answer.rows.len())
            .sum::<usize>(),
        1
    );
    let mut refused = 0;
    let outcome = loop {
        match append(&others, following(&stored.header, "more")).await {
            Ok(outcome) => break outcome,
            Err(error) => {
                assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
                refused += 1;
                assert!(refused < 30, "the rows are never set free");
            }
        }
    };
    assert!(matches!(outcome, AppendOutcome::Applied(_)), "{outcome:?}");
    assert!(refused > 0, "the claim held nothing");
    // The suspended one finds its session gone, and the next call has a new one.
    assert!(
        lent.send("COMMIT".to_owned(), Span::Transaction)
            .await
            .is_err()
    );
    drop(lent);
    suspended.ping().await.unwrap();
}
