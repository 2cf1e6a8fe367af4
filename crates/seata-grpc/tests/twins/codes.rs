//! The refusals that need a server in trouble, over both.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use seata_core::{Gid, Mode, Outcome, Status, UnixMillis};
use seata_engine::{Config, StoreRoom};
use seata_service::ErrorCode;
use seata_store::{Append, Chunk, Expected, LeaseChange, Owner, TxnStore};
use serde_json::{Value, json};

use crate::told::Told;
use crate::world::World;

fn saga(gid: &str) -> Value {
    json!({"gid": gid, "branches": [{"branch_id": "a", "action": "http://a/"}]})
}

/// Asks over both, on two worlds in the same trouble, and answers what both say.
async fn alike(http: &World, grpc: &World, path: &str, body: Option<Value>) -> Told {
    let over_http = http.http(path, body.as_ref()).await;
    let over_grpc = grpc.grpc(path, body.as_ref()).await;
    assert_eq!(over_http, over_grpc, "{path}");
    over_http
}

#[tokio::test(start_paused = true)]
async fn a_server_in_trouble_says_the_same_over_both() {
    let mut seen = BTreeSet::new();
    let mut note = |told: Told| {
        seen.insert(told.code().to_owned());
    };

    let (http, grpc) = (World::new().await, World::new().await);
    for world in [&http, &grpc] {
        world.service.engine().set_store_room(StoreRoom::Low);
    }
    note(alike(&http, &grpc, "/api/submit", Some(saga("g"))).await);
    for world in [&http, &grpc] {
        world.lose_the_store();
    }
    note(alike(&http, &grpc, "/api/tx/g", None).await);
    for world in [&http, &grpc] {
        world.break_the_clock();
    }
    note(alike(&http, &grpc, "/api/submit", Some(saga("h"))).await);

    let full = || async {
        let mut config = Config::new(Owner(1));
        config.active_max = 1;
        let world = World::with(config).await;
        world.say("http://a/", [(60_000, Outcome::Success)]);
        world
    };
    let (http, grpc) = (full().await, full().await);
    assert_eq!(
        alike(&http, &grpc, "/api/submit", Some(saga("g")))
            .await
            .code(),
        ""
    );
    note(alike(&http, &grpc, "/api/submit", Some(saga("h"))).await);
    for world in [&http, &grpc] {
        world.service.engine().stop(Duration::ZERO).await;
    }
    note(alike(&http, &grpc, "/api/submit", Some(saga("i"))).await);

    let (http, grpc) = (World::new().await, World::new().await);
    for world in [&http, &grpc] {
        damage(world).await;
    }
    note(alike(&http, &grpc, "/api/tx/broken", None).await);

    let expected = [
        ErrorCode::Internal,
        ErrorCode::Overloaded,
        ErrorCode::RecordUnreadable,
        ErrorCode::Stopping,
        ErrorCode::StoreFull,
        ErrorCode::StoreUnavailable,
    ];
    assert_eq!(seen, expected.map(|code| code.as_str().to_owned()).into());
}

async fn damage(world: &World) {
    let append = Append {
        gid: Gid::parse("broken").unwrap(),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Stuck,
        wake_at: None,
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from_static(b"\xff\xff\xff")),
        at: UnixMillis(0),
    };
    world.store.append(vec![append]).await.remove(0).unwrap();
}

#[test]
fn the_documents_list_the_codes_of_grpc() {
    let documented = include_str!("../../../../docs/errors.md");
    let rows: Vec<(String, String)> = documented
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<_> = row
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            (cells[0].to_owned(), cells[2].to_owned())
        })
        .filter(|(_, grpc)| grpc != "–")
        .collect();
    let only_http = [
        ErrorCode::EventsGone,
        ErrorCode::RouteNotFound,
        ErrorCode::MethodNotAllowed,
        ErrorCode::UnsupportedMediaType,
    ];
    let known: Vec<_> = ErrorCode::ALL
        .into_iter()
        .filter(|code| !only_http.contains(code))
        .map(|code| (code.as_str().to_owned(), name(seata_grpc::code_of(code))))
        .collect();
    assert_eq!(rows, known);
}

/// Writes `NotFound` as `NOT_FOUND`.
fn name(code: tonic::Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
