//! A connection breaks just when the store has written and before it says so, again and again.

use std::sync::Arc;

use seata_tests::{Fleet, Load, Participants, Setup, SharedStore, Strikes, all_are_caused, until};

const INITIATORS: usize = 5;
const LOST: usize = 30;

pub(crate) async fn under_load(store: &SharedStore) {
    let participants = Arc::new(Participants::start_knowing_callers().await);
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
    // Whoever does not know whether an append was applied keeps what he knows: a lost reply is no cause to call again.
    eprintln!("{} replies lost", proxy.replies_lost());
    all_are_caused(&participants, &Strikes::default());
}
