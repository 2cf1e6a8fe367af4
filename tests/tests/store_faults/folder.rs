//! A store in a folder: kill -9 tears what was being written, and nothing that was acknowledged (PEERS 19). Torn files
//! themselves are tested beside each adapter, and in `restart.rs`.

use std::sync::Arc;

use seata_tests::{Fleet, Load, Participants, Setup, all_are_caused};

const INITIATORS: usize = 8;
const KILLS: usize = 5;
const BETWEEN: usize = 60;

pub(crate) async fn killed_under_load(store: &str) {
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let setup = |_| Setup::new().with("SEATA_STORE", store);
    let mut fleet = Fleet::start_with(1, setup).await;
    let client = fleet.client();
    let load = Load::start("load", INITIATORS, &client, &participants);
    for _ in 0..KILLS {
        load.more(BETWEEN).await;
        fleet.kill_nine(0);
        fleet.start_again(0).await;
    }
    load.more(BETWEEN).await;
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}
