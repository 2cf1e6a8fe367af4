//! A connection breaks just when the store has written and before it says so, again and again.

use std::sync::Arc;

use seata_tests::{Fleet, Load, Participants, Setup, SharedStore, Strikes, until, without_cause};

const INITIATORS: usize = 5;
const LOST: usize = 30;
/// How many calls a lost reply may cost: one, as long as who does not know whether he gave a lease back drops what he
/// knew of the calls. Nothing that P8 names is its cause, so it has to become none.
const CALLS_AGAIN_PER_LOST: usize = 1;

pub(crate) async fn under_load(store: &SharedStore) {
    let participants = Arc::new(Participants::start().await);
    let proxy = store.proxy();
    let setup = |_| store.used_through(Setup::new(), &proxy);
    let fleet = Fleet::start_with(2, setup).await;
    let client = fleet.client();
    let load = Load::start("load", INITIATORS, &client, &participants);
    for lost in 0..LOST {
        load.more(5).await;
        let before = proxy.replies_lost();
        match lost % 3 {
            // Appends name their transactions, whatever the store's language.
            0 => proxy.lose_reply_to(b"load-"),
            1 => proxy.lose_reply_of(1 + lost),
            _ => {
                proxy.cut();
                continue;
            }
        }
        until("a reply is lost", async || {
            (proxy.replies_lost() > before).then_some(())
        })
        .await;
    }
    load.more(20).await;
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    // Who does not know whether he gave a lease back must not call any more (docs/adr/0006): when it has run out, the
    // call is made again. Nothing else is a cause here.
    let again = without_cause(&participants, &Strikes::default());
    eprintln!(
        "{} replies lost, {} calls made again",
        proxy.replies_lost(),
        again.len()
    );
    let first = &again[..again.len().min(5)];
    assert!(
        again.len() <= LOST * CALLS_AGAIN_PER_LOST,
        "{} calls again, as {first:#?}",
        again.len()
    );
}
