//! Wall clocks a minute apart: the only time that counts is the store's.

use std::sync::Arc;

use jiff::Timestamp;
use seata_tests::{
    Branch, Fleet, Load, Participants, Server, Setup, SharedStore, Tcc, all_are_caused, clock_apart,
};
use serde_json::json;

const INITIATORS: usize = 4;
const TCCS: usize = 12;
/// How far the clock of each server is off, in seconds.
const APART: [i32; 3] = [0, 60, -60];

pub(crate) async fn a_minute_apart(store: &SharedStore) {
    if clock_apart(Setup::new(), 0).is_none() {
        return;
    }
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let setup = |index: usize| clock_apart(store.used_by(Setup::new()), APART[index]).unwrap();
    let begun = Timestamp::now();
    let mut fleet = Fleet::start_with(APART.len(), setup).await;
    for (index, apart) in APART.into_iter().enumerate() {
        fleet.server(index).printed("started version").await;
        are_apart(fleet.server(index), apart, begun);
    }
    let client = fleet.client();
    let load = Load::start("clocks", INITIATORS, &client, &participants);
    // By one clock all of these would be late at once, by another never.
    for number in 0..TCCS {
        let options = json!({ "timeout_to_fail_secs": 40, "request_timeout_secs": 60 });
        let gid = format!("soon-{number}");
        let tcc = Tcc::begin_with(&client, &participants, &gid, options).await;
        tcc.tried(Branch::willing("one")).await;
        tcc.tried(Branch::willing("two")).await;
        assert_eq!(tcc.submit().await.status, 200);
        tcc.reached("COMMITTED").await;
        tcc.is_all("confirm", &["one", "two"]);
    }
    let options = json!({ "timeout_to_fail_secs": 10, "request_timeout_secs": 60 });
    let late = Tcc::begin_with(&client, &participants, "late", options).await;
    late.registered(Branch::willing("one")).await;
    late.reached("ABORTED").await;
    late.is_all("cancel", &["one"]);
    // The one that is ahead takes over from the others, and they from it.
    for victim in 0..APART.len() {
        load.more(20).await;
        fleet.kill_nine(victim);
        load.more(20).await;
        fleet.start_again(victim).await;
    }
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}

/// Asserts that the clock of a server that was started since `begun` is off as it should be, by the time in its log.
fn are_apart(server: &Server, seconds: i32, begun: Timestamp) {
    let output = server.output();
    let mut words = output.split_whitespace();
    let at: Timestamp = words.find_map(|word| word.parse().ok()).unwrap();
    let off = at.as_second() - i64::from(seconds);
    let since = begun.as_second() - 1..=Timestamp::now().as_second() + 1;
    assert!(
        since.contains(&off),
        "{at} less {seconds} s is not since {begun}"
    );
}
