//! The store's server dies, or is stopped in good order, and comes back with the data that it acknowledged.

use std::sync::Arc;

use seata_tests::{Fleet, Load, Participants, SharedStore, all_are_caused};

const INITIATORS: usize = 5;
const BETWEEN: usize = 40;

pub(crate) async fn under_load(store: &SharedStore, fleet: &Fleet) {
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let client = fleet.client();
    let load = Load::start("restarted", INITIATORS, &client, &participants);
    type Blow = fn(&seata_test_servers::Server);
    let blows: [Blow; 4] = [
        |server| server.kill().unwrap(),
        |server| server.stop().unwrap(),
        |server| server.kill().unwrap(),
        |server| server.stop().unwrap(),
    ];
    for blow in blows {
        load.more(BETWEEN).await;
        let strike = fleet.strikes().begin("outage of the store", Vec::new());
        let server = store.clone();
        let down = tokio::task::spawn_blocking(move || {
            blow(server.one());
            server.one().start_again().unwrap();
        });
        down.await.unwrap();
        // It is back; leases that ran out meanwhile are taken anew for a while.
        load.more(BETWEEN).await;
        fleet.strikes().end(strike);
    }
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}
