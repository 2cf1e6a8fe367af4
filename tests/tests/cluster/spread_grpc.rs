//! The calls of one transaction over gRPC, each to another server.

use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use seata_tests::{Fleet, Participants, Strikes, all_are_caused};
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
    let participants = Participants::start().await;
    let mut servers = connect(fleet).await;
    for round in 0..fleet.len() {
        saga(&mut servers, &participants, &format!("grpc-{round}")).await;
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
    let get = v1::GetRequest { gid: gid.clone() };
    let shown = servers[0].get(get).await.unwrap().into_inner();
    let status = shown.transaction.unwrap().status;
    assert_eq!(status, i32::from(v1::TransactionStatus::Committed));
    for name in ["one", "two"] {
        assert_eq!(participants.ledger().delivered(&gid, name, "action"), 1);
    }
}
