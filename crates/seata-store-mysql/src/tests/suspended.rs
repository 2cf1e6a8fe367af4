//! A coordinator that is suspended in the middle of a claim holds rows. The server ends its session, and others go on.

use std::time::Duration;

use seata_store::{AppendOutcome, StoreErrorKind, Stored, TxnStore};

use super::support::{Database, append, applied, creation, following, gid, loaded};
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
    let mut stored = applied(&others, creation("g", 1_000)).await;
    // Again where this machine was busy for so long that the server had ended the claim before anybody met it.
    for _ in 0..20 {
        let mut lent = suspended.inner().pool.lend("claiming").await.unwrap();
        let answers = lent
            .send(lease::candidates(10), Span::Begins)
            .await
            .unwrap();
        let found = answers.iter().map(|answer| answer.rows.len());
        assert_eq!(found.sum::<usize>(), 1);
        let refused = refusals_until_moved(&others, &stored).await;
        // The suspended one finds its session gone, and the next call has a new one.
        assert!(
            lent.send("COMMIT".to_owned(), Span::Transaction)
                .await
                .is_err()
        );
        drop(lent);
        suspended.ping().await.unwrap();
        if refused > 0 {
            return;
        }
        stored = loaded(&others, &gid("g")).await;
    }
    panic!("the claim held nothing");
}

async fn refusals_until_moved(store: &MysqlStore, stored: &Stored) -> usize {
    for refused in 0..30 {
        match append(store, following(&stored.header, "more")).await {
            Ok(outcome) => {
                assert!(matches!(outcome, AppendOutcome::Applied(_)), "{outcome:?}");
                return refused;
            }
            Err(error) => assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("the rows are never set free");
}
