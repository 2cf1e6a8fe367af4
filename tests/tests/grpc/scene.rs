//! A client of the server's gRPC interface, and how its messages are written and read here.

use std::time::Duration;

use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use seata_tests::{Participants, Server, Setup, scene_with, until};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

pub(crate) type Rpc = TransactionServiceClient<Channel>;

/// Starts a server with both ports open, participants, and a client of either interface.
pub(crate) async fn scene() -> (Server, seata_tests::Client, Rpc, Participants) {
    let setup = Setup::new().with("SEATA_GRPC_PORT", 0);
    let (server, client, participants) = scene_with(setup).await;
    let rpc = connect(&server).await;
    (server, client, rpc, participants)
}

/// Connects to the port that the server printed last.
pub(crate) async fn channel(server: &Server) -> Channel {
    let output = server.output();
    let (_, printed) = output.rsplit_once("gRPC on").unwrap();
    let address = printed.split_whitespace().next().unwrap();
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    channel.connect().await.unwrap()
}

pub(crate) async fn connect(server: &Server) -> Rpc {
    TransactionServiceClient::new(channel(server).await)
}

/// Writes a branch of a saga.
pub(crate) fn step(branch_id: &str, action: String, compensation: String) -> v1::BranchDefinition {
    v1::BranchDefinition {
        branch_id: branch_id.to_owned(),
        action,
        compensation,
        ..v1::BranchDefinition::default()
    }
}

/// Writes a branch of a TCC.
pub(crate) fn part(
    branch_id: &str,
    [action, confirm, cancel]: [String; 3],
) -> v1::BranchDefinition {
    v1::BranchDefinition {
        branch_id: branch_id.to_owned(),
        action,
        confirm,
        cancel,
        ..v1::BranchDefinition::default()
    }
}

/// Writes a branch of a TCC of which every endpoint is the same.
pub(crate) fn willing(branch_id: &str, endpoint: &str) -> v1::BranchDefinition {
    part(branch_id, [endpoint; 3].map(str::to_owned))
}

/// Writes options: calls may take ten minutes, pauses are short.
pub(crate) fn patient() -> v1::Options {
    v1::Options {
        request_timeout: Some(prost(Duration::from_secs(600))),
        retry_interval: Some(prost(Duration::from_millis(20))),
        retry_interval_max: Some(prost(Duration::from_millis(100))),
        ..v1::Options::default()
    }
}

pub(crate) fn prost(span: Duration) -> prost_types::Duration {
    span.try_into().unwrap()
}

/// Writes the submission of a whole saga that is waited for.
pub(crate) fn whole(gid: &str, branches: Vec<v1::BranchDefinition>) -> v1::SubmitRequest {
    v1::SubmitRequest {
        gid: gid.to_owned(),
        transaction: Some(v1::TransactionDefinition {
            mode: v1::Mode::Saga.into(),
            options: Some(patient()),
            branches,
            ..v1::TransactionDefinition::default()
        }),
        wait: Some(prost(Duration::from_secs(60))),
    }
}

/// Writes a submission by gid.
pub(crate) fn submit(gid: &str) -> v1::SubmitRequest {
    v1::SubmitRequest {
        gid: gid.to_owned(),
        ..v1::SubmitRequest::default()
    }
}

pub(crate) fn abort(gid: &str) -> v1::AbortRequest {
    v1::AbortRequest {
        gid: gid.to_owned(),
        reason: "no longer wanted".to_owned(),
        wait: None,
    }
}

/// Begins a TCC that has an hour to be decided in.
pub(crate) async fn begin_tcc(rpc: &mut Rpc, gid: &str) {
    let options = v1::Options {
        timeout_to_fail: Some(prost(Duration::from_secs(3_600))),
        ..patient()
    };
    let request = v1::StartGlobalRequest {
        gid: gid.to_owned(),
        transaction: Some(v1::TransactionDefinition {
            mode: v1::Mode::Tcc.into(),
            options: Some(options),
            ..v1::TransactionDefinition::default()
        }),
    };
    let begun = rpc.start_global(request).await.unwrap().into_inner();
    assert_eq!(begun.gid, gid);
}

pub(crate) async fn attempt(
    rpc: &mut Rpc,
    gid: &str,
    branch: v1::BranchDefinition,
) -> Result<v1::BranchTryResponse, Status> {
    let request = v1::BranchTryRequest {
        gid: gid.to_owned(),
        branch: Some(branch),
    };
    Ok(rpc.branch_try(request).await?.into_inner())
}

pub(crate) async fn register(
    rpc: &mut Rpc,
    gid: &str,
    branch: v1::BranchDefinition,
) -> Result<(), Status> {
    let request = v1::BranchRegisterRequest {
        gid: gid.to_owned(),
        branch: Some(branch),
    };
    rpc.branch_register(request).await.map(drop)
}

pub(crate) async fn get(rpc: &mut Rpc, gid: &str) -> v1::Transaction {
    let request = v1::GetRequest {
        gid: gid.to_owned(),
    };
    let answer = rpc.get(request).await.unwrap().into_inner();
    answer.transaction.unwrap()
}

/// Waits until a transaction has a status.
pub(crate) async fn reached(
    rpc: &mut Rpc,
    gid: &str,
    status: v1::TransactionStatus,
) -> v1::Transaction {
    until(&format!("{gid} is {status:?}"), async || {
        Some(get(rpc, gid).await).filter(|transaction| transaction.status() == status)
    })
    .await
}

/// Asserts a refusal: its code, its stable code, and the facts that it holds.
#[track_caller]
pub(crate) fn refused(status: &Status, code: Code, stable: &str, facts: &[(&str, &str)]) {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no stable code: {status:?}"));
    let told = (status.code(), info.domain.as_str(), info.reason.as_str());
    assert_eq!(told, (code, "seata", stable), "{status:?}");
    assert!(!status.message().is_empty(), "{status:?}");
    for (name, fact) in facts {
        let found = info.metadata.get(*name).map(String::as_str);
        assert_eq!(found, Some(*fact), "{name}: {status:?}");
    }
}
