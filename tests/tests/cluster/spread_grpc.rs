//! The calls of one transaction over gRPC, each to another server.

use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use seata_tests::{Fleet, Participants, Strikes, all_are_caused, until};
use tonic::transport::Channel;

type Rpc = TransactionServiceClient<Channel>;

async fn connect(fleet: &Fleet) -> Vec<Rpc> {
    let mut all = Vec::new();
    for index in 0..fleet.len() {
        let address = fleet.server(index).grpc_address();
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        all.push(TransactionServiceClient::new(
            channel.connect().await.unwrap(),
        ));
    }
    all
}

pub(crate) async fn to_any_server_over_grpc(fleet: &Fleet) {
    let participants = Participants::start_knowing_callers().await;
    let mut servers = connect(fleet).await;
    for round in 0..fleet.len() {
        let at = |name: &str| format!("grpc-{name}-{round}");
        saga(&mut servers, &participants, &at("saga")).await;
        aborted(&mut servers, &participants, &at("aborted")).await;
        tcc(&mut servers, &participants, &at("tcc")).await;
        servers.rotate_left(1);
    }
    all_are_caused(&participants, &Strikes::default());
}

async fn saga(servers: &mut [Rpc], participants: &Participants, gid: &str) {
    let gid = gid.to_owned();
    let start = v1::StartGlobalRequest {
        gid: gid.clone(),
        ..v1::StartGlobalRequest::default()
    };
    servers[0].start_global(start).await.unwrap();
    let watch = v1::WatchRequest {
        gid: gid.clone(),
        ..v1::WatchRequest::default()
    };
    let mut watching = servers[2].watch(watch).await.unwrap().into_inner();
    for (number, name) in ["one", "two"].into_iter().enumerate() {
        let branch = v1::BranchDefinition {
            branch_id: name.to_owned(),
            action: participants.grpc("ok"),
            compensation: participants.grpc("ok"),
            ..v1::BranchDefinition::default()
        };
        let add = v1::AddBranchRequest {
            gid: gid.clone(),
            branch: Some(branch),
        };
        servers[1 + number].add_branch(add).await.unwrap();
    }
    let submit = v1::SubmitRequest {
        gid: gid.clone(),
        ..v1::SubmitRequest::default()
    };
    servers[1].submit(submit).await.unwrap();
    // It ends with the transaction.
    while watching.message().await.unwrap().is_some() {}
    let status = status(&mut servers[0], &gid).await;
    assert_eq!(status, v1::TransactionStatus::Committed);
    for name in ["one", "two"] {
        assert_eq!(participants.ledger().delivered(&gid, name, "action"), 1);
    }
}

async fn aborted(servers: &mut [Rpc], participants: &Participants, gid: &str) {
    // The name of a method has no room for more.
    let gate = gid.replace('-', "");
    let branch = |name: &str, action: &str, after: &[&str]| v1::BranchDefinition {
        branch_id: name.to_owned(),
        action: participants.grpc(action),
        compensation: participants.grpc("ok"),
        after: after.iter().map(ToString::to_string).collect(),
        ..v1::BranchDefinition::default()
    };
    let submit = v1::SubmitRequest {
        gid: gid.to_owned(),
        transaction: Some(v1::TransactionDefinition {
            branches: vec![
                branch("one", &format!("gate/{gate}"), &[]),
                branch("two", "ok", &["one"]),
            ],
            ..v1::TransactionDefinition::default()
        }),
        ..v1::SubmitRequest::default()
    };
    servers[0].submit(submit).await.unwrap();
    participants.arrived(&gate, 1).await;
    let abort = v1::AbortRequest {
        gid: gid.to_owned(),
        ..v1::AbortRequest::default()
    };
    servers[1].abort(abort).await.unwrap();
    participants.open(&gate);
    until_is(&mut servers[2], gid, v1::TransactionStatus::Aborted).await;
    let calls = participants.ledger().calls(gid);
    assert_eq!(calls, ["one action", "one compensation"]);
}

async fn tcc(servers: &mut [Rpc], participants: &Participants, gid: &str) {
    let start = v1::StartGlobalRequest {
        gid: gid.to_owned(),
        transaction: Some(v1::TransactionDefinition {
            mode: v1::Mode::Tcc.into(),
            ..v1::TransactionDefinition::default()
        }),
    };
    servers[0].start_global(start).await.unwrap();
    for (number, name) in ["one", "two"].into_iter().enumerate() {
        let branch = v1::BranchDefinition {
            branch_id: name.to_owned(),
            action: participants.grpc("ok"),
            confirm: participants.grpc("ok"),
            cancel: participants.grpc("ok"),
            ..v1::BranchDefinition::default()
        };
        let attempt = v1::BranchTryRequest {
            gid: gid.to_owned(),
            branch: Some(branch),
        };
        let tried = servers[1 + number].branch_try(attempt).await.unwrap();
        assert_eq!(tried.into_inner().result(), v1::TryResult::Succeeded);
    }
    let submit = v1::SubmitRequest {
        gid: gid.to_owned(),
        ..v1::SubmitRequest::default()
    };
    servers[1].submit(submit).await.unwrap();
    until_is(&mut servers[2], gid, v1::TransactionStatus::Committed).await;
    for name in ["one", "two"] {
        for operation in ["try", "confirm"] {
            assert_eq!(participants.ledger().delivered(gid, name, operation), 1);
        }
    }
}

async fn until_is(server: &mut Rpc, gid: &str, expected: v1::TransactionStatus) {
    until(&format!("{gid} is {expected:?}"), async || {
        (status(server, gid).await == expected).then_some(())
    })
    .await;
}

async fn status(server: &mut Rpc, gid: &str) -> v1::TransactionStatus {
    let get = v1::GetRequest {
        gid: gid.to_owned(),
    };
    let shown = server.get(get).await.unwrap().into_inner();
    shown.transaction.unwrap().status()
}
