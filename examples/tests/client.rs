//! The SDK against a real coordinator: what one says, the other understands.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use seata_client::{
    Branch, BranchStatus, Client, End, Error, ErrorCode, EventKind, FeedQuery, Gid, ListQuery,
    Operation, OperationStatus, Options, Saga, Status, Tcc, TccBranch, Tried, Waited,
};
use seata_examples::bank::Guard;
use seata_examples::coordinator::Coordinator;
use seata_examples::transfer::Banks;
use serde_json::json;
use tempfile::TempDir;

/// Longer than anything here takes.
const PATIENT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum Wire {
    Http,
    Grpc,
}

/// Runs each test over this wire.
macro_rules! over {
    ($wire:ident, $module:ident: $($name:ident),* $(,)?) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&super::world(super::Wire::$wire).await).await;
                }
            )*
        }
    };
}

/// What says the same over both wires.
macro_rules! over_both {
    ($($name:ident),* $(,)?) => {
        over!(Http, http: $($name),*);
        over!(Grpc, grpc: $($name),*);
    };
}

over_both!(
    a_saga_goes_step_by_step_and_its_history_tells_of_it,
    waiting_and_submitting_again_show_the_same_end,
    a_watch_tells_the_history_once_whenever_it_begins,
    what_hangs_is_pending_and_an_operator_can_end_it,
    lists_are_read_page_by_page,
    all_options_are_understood,
    an_initiator_tries_by_itself_and_tells_how_that_went,
    a_branch_that_is_confirmed_decides_for_all,
    what_a_participant_says_to_a_try_is_an_answer,
);
over!(Http, over_http_alone: a_watch_of_all_tells_what_changes_from_now_on);

struct World {
    client: Client,
    banks: Banks,
    _folder: TempDir,
    _coordinator: Coordinator,
}

async fn world(wire: Wire) -> World {
    let folder = TempDir::new().unwrap();
    let coordinator = Coordinator::start(&folder.path().join("coordinator"))
        .await
        .unwrap();
    World {
        client: match wire {
            Wire::Http => Client::http(&coordinator.url),
            Wire::Grpc => Client::grpc(coordinator.grpc_url.as_ref().unwrap()),
        }
        .unwrap(),
        banks: Banks::open(folder.path(), Guard::Barrier).await.unwrap(),
        _folder: folder,
        _coordinator: coordinator,
    }
}

/// A TCC in which a busy machine may keep a participant waiting: by default it would be silent.
fn patient_tcc() -> Tcc {
    Tcc::new(Gid::new()).options(Options {
        request_timeout: Some(PATIENT),
        ..Options::default()
    })
}

/// A saga that can't go on: nobody listens at the endpoint of its only branch.
fn hanging() -> Saga {
    Saga::new(Gid::new()).branch(
        Branch::new("b")
            .action("http://127.0.0.1:9/")
            .compensation("http://127.0.0.1:9/"),
    )
}

fn code(error: &seata_client::Error) -> &ErrorCode {
    error.code().unwrap()
}

async fn a_saga_goes_step_by_step_and_its_history_tells_of_it(world: &World) {
    let World { client, banks, .. } = world;
    let whole = banks.saga("bob", 30);
    let gid = whole.gid();
    Saga::new(gid.clone()).start(client).await.unwrap();
    assert_eq!(client.get(gid).await.unwrap().status, Status::Prepared);
    let branch = Branch::new("mail").action("http://127.0.0.1:9/");
    client.add_branch(gid, &branch).await.unwrap();
    client.add_branch(gid, &branch).await.unwrap();
    let other = Branch::new("mail").action("http://127.0.0.1:10/");
    let error = client.add_branch(gid, &other).await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::BranchConflict);
    let error = whole.submit(client).await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::GidConflict);
    let waited = client.abort_and_wait(gid, "no", PATIENT).await.unwrap();
    assert!(matches!(waited, Waited::Aborted(_)));
    let error = client.submit(gid).await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::InvalidStatusTransition);
    let kinds: Vec<_> = client.events(gid).await.unwrap();
    let kinds: Vec<_> = kinds.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds.first(), Some(&EventKind::Created));
    assert_eq!(kinds.last(), Some(&EventKind::Aborted));
    assert!(
        kinds
            .iter()
            .all(|kind| !matches!(kind, EventKind::Other(_)))
    );
}

async fn waiting_and_submitting_again_show_the_same_end(world: &World) {
    let World { client, banks, .. } = world;
    let saga = banks.saga("bob", 30);
    saga.submit(client).await.unwrap();
    let waited = client.wait(saga.gid(), PATIENT).await.unwrap();
    let Waited::Committed(transaction) = &waited else {
        panic!("{waited:?}");
    };
    assert_eq!(transaction.branch("credit").unwrap().after, ["debit"]);
    let again = saga.submit_and_wait(client, PATIENT).await.unwrap();
    assert_eq!(again, waited);
    assert_eq!(saga.submit(client).await.unwrap(), Status::Committed);
    banks.check(70, 80).await.unwrap();
}

async fn a_watch_tells_the_history_once_whenever_it_begins(world: &World) {
    let World { client, banks, .. } = world;
    let saga = banks.saga("bob", 30);
    saga.start(client).await.unwrap();
    let mut watch = client.watch(saga.gid());
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first.kind, EventKind::Created);
    client.submit(saga.gid()).await.unwrap();
    let mut told = vec![first];
    while let Some(event) = watch.next().await {
        told.push(event.unwrap());
    }
    assert_eq!(told.last().unwrap().kind, EventKind::Committed);
    assert_eq!(told, client.events(saga.gid()).await.unwrap());
    let mut late = client.watch_after(saga.gid(), told[1].number);
    let mut rest = Vec::new();
    while let Some(event) = late.next().await {
        rest.push(event.unwrap());
    }
    assert_eq!(rest, told[2..]);
    let mut over = client.watch_after(saga.gid(), told.last().unwrap().number);
    assert!(over.next().await.is_none());
}

async fn a_watch_of_all_tells_what_changes_from_now_on(world: &World) {
    let World { client, banks, .. } = world;
    let mut feed = client.watch_all(FeedQuery {
        statuses: vec![Status::Committed],
        ..FeedQuery::default()
    });
    let submitting = async {
        // Sagas, one after the other, until a change was told: nobody knows when the watch begins.
        loop {
            let saga = banks.saga("bob", 1);
            saga.submit_and_wait(client, PATIENT).await.unwrap();
        }
    };
    let change = tokio::select! {
        change = feed.next() => change.unwrap().unwrap(),
        () = submitting => unreachable!("it goes on"),
    };
    assert_eq!(change.status, Status::Committed);
    assert!(client.get(&change.gid).await.unwrap().status.is_final());
}

async fn what_hangs_is_pending_and_an_operator_can_end_it(world: &World) {
    let World { client, .. } = world;
    let saga = hanging();
    let waited = saga.submit_and_wait(client, Duration::ZERO).await.unwrap();
    let Waited::Pending(transaction) = waited else {
        panic!("{waited:?}");
    };
    let branch = transaction.branch("b").unwrap();
    assert!(matches!(
        branch.status,
        BranchStatus::Acting | BranchStatus::Prepared
    ));
    let error = client
        .force(saga.gid(), End::Aborted, "")
        .await
        .unwrap_err();
    assert_eq!(code(&error), &ErrorCode::InvalidRequest);
    let skipped = client
        .skip(saga.gid(), "b", Some(Operation::Action), "by hand")
        .await
        .unwrap();
    assert_eq!(skipped.forced.as_deref(), Some("by hand"));
    let waited = client.wait(saga.gid(), PATIENT).await.unwrap();
    assert!(matches!(waited, Waited::Committed(_)));
    let operation = &waited.transaction().branch("b").unwrap().operations[0];
    assert_eq!(operation.status, OperationStatus::Skipped);
}

async fn lists_are_read_page_by_page(world: &World) {
    let World { client, .. } = world;
    for number in 0..3 {
        let gid = Gid::parse(&format!("list-{number}")).unwrap();
        Saga::new(gid).start(client).await.unwrap();
    }
    let mut query = ListQuery {
        limit: Some(2),
        statuses: vec![Status::Prepared],
        gid_prefix: Some("list-".to_owned()),
        ..ListQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = client.list(&query).await.unwrap();
        seen.extend(
            page.transactions
                .into_iter()
                .map(|header| header.gid.to_string()),
        );
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["list-0", "list-1", "list-2"]);
}

async fn all_options_are_understood(world: &World) {
    let World { client, .. } = world;
    let secs = |secs| Some(Duration::from_secs_f64(secs));
    let options = Options {
        request_timeout: secs(1.5),
        retry_interval: secs(0.2),
        retry_interval_max: secs(5.0),
        max_attempts: Some(3),
        timeout_to_fail: secs(60.0),
        prepared_timeout: secs(600.0),
        branch_parallelism: Some(4),
        order: Some(seata_client::Order::Sequential),
        headers: [("x-tenant".to_owned(), "a".to_owned())].into(),
    };
    let branch_options = seata_client::BranchOptions {
        request_timeout: secs(1.0),
        retry_interval: secs(0.1),
        retry_interval_max: secs(1.0),
        max_attempts: Some(2),
        headers: [("x-tenant".to_owned(), "b".to_owned())].into(),
    };
    let saga = Saga::new(Gid::new())
        .payload(json!({ "a": [1, 2.5, "x", null] }))
        .options(options)
        .branch(
            Branch::new("b")
                .action("http://127.0.0.1:9/")
                .options(branch_options),
        );
    saga.start(client).await.unwrap();
    let shown = client.get(saga.gid()).await.unwrap();
    assert_eq!(shown.payload, json!({ "a": [1, 2.5, "x", null] }));
    let error = client.get(&Gid::new()).await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::TransactionNotFound);
}

#[test]
fn the_sdk_knows_each_word_of_the_coordinator() {
    for known in seata_service::ErrorCode::ALL {
        let word = ErrorCode::from(known.as_str());
        assert!(!matches!(word, ErrorCode::Other(_)), "{word}");
    }
}

async fn an_initiator_tries_by_itself_and_tells_how_that_went(world: &World) {
    let World { client, banks, .. } = world;
    let [debit, credit] = banks.tcc_branches("bob", 30);
    let tcc = Tcc::new(Gid::new());
    let open = tcc.begin(client).await.unwrap();
    open.register(&debit).await.unwrap();
    open.register(&debit).await.unwrap();
    let other = banks.tcc_branches("bob", 31).into_iter().next().unwrap();
    let error = open.register(&other).await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::BranchConflict);
    open.try_failed("debit", "no").await.unwrap();
    let error = open.submit().await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::BranchRefused);
    let waited = open.abort_and_wait("no", PATIENT).await.unwrap();
    let Waited::Aborted(transaction) = &waited else {
        panic!("{waited:?}");
    };
    let branch = transaction.branch("debit").unwrap();
    assert_eq!(branch.status, BranchStatus::Cancelled);
    let error = open.try_branch(&credit).await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::InvalidStatusTransition);
    let error = open.confirm("debit").await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::InvalidStatusTransition);
    // The cancel came without any try: nothing was taken.
    banks.check(100, 50).await.unwrap();
}

async fn a_branch_that_is_confirmed_decides_for_all(world: &World) {
    let World { client, banks, .. } = world;
    let open = patient_tcc().begin(client).await.unwrap();
    for branch in banks.tcc_branches("bob", 30) {
        assert_eq!(open.try_branch(&branch).await.unwrap(), Tried::Succeeded);
        // Again: what is known is answered, without a call.
        assert_eq!(open.try_branch(&branch).await.unwrap(), Tried::Succeeded);
    }
    open.confirm("debit").await.unwrap();
    let waited = client.wait(open.gid(), PATIENT).await.unwrap();
    assert!(matches!(waited, Waited::Committed(_)), "{waited:?}");
    let error = open.cancel("debit").await.unwrap_err();
    assert_eq!(code(&error), &ErrorCode::InvalidStatusTransition);
    assert_eq!(open.submit().await.unwrap(), Status::Committed);
    banks.check(70, 80).await.unwrap();
    let events = client.events(open.gid()).await.unwrap();
    let odd = events
        .iter()
        .find(|event| matches!(event.kind, EventKind::Other(_)));
    assert_eq!(odd, None);
}

async fn what_a_participant_says_to_a_try_is_an_answer(world: &World) {
    let World { client, banks, .. } = world;
    let open = patient_tcc().begin(client).await.unwrap();
    let [debit, _] = banks.tcc_branches("bob", 500);
    let tried = open.try_branch(&debit).await.unwrap();
    let Tried::Refused { reason } = tried else {
        panic!("{tried:?}");
    };
    assert!(reason.contains("not enough money"), "{reason}");
    let nobody = TccBranch::new("nobody").try_("http://127.0.0.1:9/");
    let tried = open.try_branch(&nobody).await.unwrap();
    let Tried::NotKnown { reason } = tried else {
        panic!("{tried:?}");
    };
    assert!(reason.unwrap().contains("connection refused"));
}

#[tokio::test]
async fn a_coordinator_that_nobody_listens_for_is_unreachable_over_both_wires() {
    for client in [
        Client::http("http://127.0.0.1:9").unwrap(),
        Client::grpc("http://127.0.0.1:9").unwrap(),
    ] {
        let error = client.get(&Gid::new()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error}");
    }
}
