//! Orders about one branch, completion from outside, and an operator's orders.

use seata_proto::v1;
use seata_proto::v1::{BranchStatus, Operation, TransactionStatus, TryResult};
use seata_tests::{Setup, scene_with};
use tonic::Code;

use crate::scene::{
    Rpc, attempt, begin_tcc, connect, get, part, reached, refused, register, scene, submit, willing,
};

async fn confirm(
    rpc: &mut Rpc,
    gid: &str,
    branch_id: &str,
) -> Result<TransactionStatus, tonic::Status> {
    let request = v1::BranchConfirmRequest {
        gid: gid.to_owned(),
        branch_id: branch_id.to_owned(),
    };
    Ok(rpc
        .branch_confirm(request)
        .await?
        .into_inner()
        .transaction_status())
}

async fn cancel(
    rpc: &mut Rpc,
    gid: &str,
    branch_id: &str,
) -> Result<TransactionStatus, tonic::Status> {
    let request = v1::BranchCancelRequest {
        gid: gid.to_owned(),
        branch_id: branch_id.to_owned(),
    };
    Ok(rpc
        .branch_cancel(request)
        .await?
        .into_inner()
        .transaction_status())
}

async fn succeed(
    rpc: &mut Rpc,
    gid: &str,
    operation: Operation,
) -> Result<TransactionStatus, tonic::Status> {
    let request = v1::BranchSucceedRequest {
        gid: gid.to_owned(),
        branch_id: "one".to_owned(),
        operation: operation.into(),
    };
    Ok(rpc
        .branch_succeed(request)
        .await?
        .into_inner()
        .transaction_status())
}

async fn fail(
    rpc: &mut Rpc,
    gid: &str,
    operation: Operation,
) -> Result<TransactionStatus, tonic::Status> {
    let request = v1::BranchFailRequest {
        gid: gid.to_owned(),
        branch_id: "one".to_owned(),
        operation: operation.into(),
        reason: "a person said no".to_owned(),
    };
    Ok(rpc
        .branch_fail(request)
        .await?
        .into_inner()
        .transaction_status())
}

#[tokio::test]
async fn a_confirm_or_cancel_of_one_branch_decides_and_the_opposite_is_told_the_state() {
    let (_server, _, mut rpc, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    for (gid, decided, end) in [
        (
            "confirm",
            TransactionStatus::Submitted,
            TransactionStatus::Committed,
        ),
        (
            "cancel",
            TransactionStatus::Aborting,
            TransactionStatus::Aborted,
        ),
    ] {
        begin_tcc(&mut rpc, gid).await;
        let gate = at(&format!("gate/{gid}"));
        let held = part("one", [at("ok"), gate.clone(), gate]);
        attempt(&mut rpc, gid, held).await.unwrap();
        register(&mut rpc, gid, willing("two", &at("ok")))
            .await
            .unwrap();
        // The second one only hurries.
        for _ in 0..2 {
            let status = match gid {
                "confirm" => confirm(&mut rpc, gid, "one").await,
                _ => cancel(&mut rpc, gid, "one").await,
            };
            assert_eq!(status.unwrap(), decided);
        }
        let contrary = match gid {
            "confirm" => cancel(&mut rpc, gid, "one").await,
            _ => confirm(&mut rpc, gid, "one").await,
        };
        let facts = [
            ("gid", gid),
            (
                "status",
                decided
                    .as_str_name()
                    .trim_start_matches("TRANSACTION_STATUS_"),
            ),
        ];
        let stable = "INVALID_STATUS_TRANSITION";
        refused(
            &contrary.unwrap_err(),
            Code::FailedPrecondition,
            stable,
            &facts,
        );
        let late = register(&mut rpc, gid, willing("late", &at("ok"))).await;
        refused(&late.unwrap_err(), Code::FailedPrecondition, stable, &facts);
        participants.open(gid);
        reached(&mut rpc, gid, end).await;
        let ledger = participants.ledger();
        for id in ["one", "two"] {
            assert!(ledger.done(gid, id, gid));
            let other = if gid == "confirm" {
                "cancel"
            } else {
                "confirm"
            };
            assert_eq!(ledger.delivered(gid, id, other), 0);
        }
    }
}

#[tokio::test]
async fn an_operation_that_is_ongoing_is_completed_from_outside() {
    let (_server, _, mut rpc, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let ongoing = "say/202/later";
    for (gid, end) in [
        ("done", TransactionStatus::Committed),
        ("failed", TransactionStatus::Stuck),
    ] {
        begin_tcc(&mut rpc, gid).await;
        let branch = part("one", [at(ongoing), at(ongoing), at("ok")]);
        attempt(&mut rpc, gid, branch).await.unwrap();
        succeed(&mut rpc, gid, Operation::Try).await.unwrap();
        let tried = get(&mut rpc, gid).await;
        assert_eq!(tried.branches[0].status(), BranchStatus::Tried);
        confirm(&mut rpc, gid, "one").await.unwrap();
        participants.delivered(gid, "one", "confirm", 1).await;
        match gid {
            "done" => succeed(&mut rpc, gid, Operation::Confirm).await.unwrap(),
            _ => fail(&mut rpc, gid, Operation::Confirm).await.unwrap(),
        };
        reached(&mut rpc, gid, end).await;
        let contrary = match gid {
            "done" => fail(&mut rpc, gid, Operation::Confirm).await,
            _ => succeed(&mut rpc, gid, Operation::Confirm).await,
        };
        let stable = "INVALID_STATUS_TRANSITION";
        let facts = [("branch_id", "one")];
        refused(
            &contrary.unwrap_err(),
            Code::FailedPrecondition,
            stable,
            &facts,
        );
        assert_eq!(participants.ledger().delivered(gid, "one", "cancel"), 0);
    }
}

/// Brings a TCC to where a confirm was refused: for ever, or once.
async fn stick(rpc: &mut Rpc, gid: &str, try_: &str, refusal: &str) {
    begin_tcc(rpc, gid).await;
    let branch = part("one", [try_, refusal, try_].map(str::to_owned));
    attempt(rpc, gid, branch).await.unwrap();
    register(rpc, gid, willing("two", try_)).await.unwrap();
    confirm(rpc, gid, "two").await.unwrap();
    let stuck = reached(rpc, gid, TransactionStatus::Stuck).await;
    assert!(stuck.attention.unwrap().contains("one"));
    assert!(stuck.waiting_for.unwrap().contains("operator"));
}

#[tokio::test]
async fn a_refused_confirm_is_stuck_until_an_operator_retries_skips_or_forces_it() {
    let (_server, _, mut rpc, participants) = scene().await;
    let ok = participants.url("ok");
    let committed = TransactionStatus::Committed;
    let reason = "settled by phone".to_owned();

    stick(
        &mut rpc,
        "retried",
        &ok,
        &participants.url("first/1/409/closed"),
    )
    .await;
    let order = v1::RetryRequest {
        gid: "retried".to_owned(),
        branch_id: String::new(),
        reason: reason.clone(),
    };
    assert!(
        rpc.retry(order)
            .await
            .unwrap()
            .into_inner()
            .transaction
            .is_some()
    );
    let ended = reached(&mut rpc, "retried", committed).await;
    assert_eq!(ended.forced, None);
    assert!(participants.ledger().done("retried", "one", "confirm"));

    let refusal = participants.url("refuse");
    stick(&mut rpc, "skipped", &ok, &refusal).await;
    let order = v1::SkipRequest {
        gid: "skipped".to_owned(),
        branch_id: "one".to_owned(),
        operation: Operation::Confirm.into(),
        reason: reason.clone(),
    };
    rpc.skip(order).await.unwrap();
    let ended = reached(&mut rpc, "skipped", committed).await;
    assert!(ended.forced.unwrap().contains(&reason));

    stick(&mut rpc, "forced", &ok, &refusal).await;
    let order = |to: v1::End| v1::ForceRequest {
        gid: "forced".to_owned(),
        to: to.into(),
        reason: reason.clone(),
    };
    let status = rpc.force(order(v1::End::Aborted)).await.unwrap_err();
    let facts = [("status", "STUCK")];
    refused(
        &status,
        Code::FailedPrecondition,
        "INVALID_STATUS_TRANSITION",
        &facts,
    );
    rpc.force(order(v1::End::Committed)).await.unwrap();
    let ended = reached(&mut rpc, "forced", committed).await;
    assert!(ended.forced.unwrap().contains(&reason));
    for gid in ["retried", "skipped", "forced"] {
        for id in ["one", "two"] {
            assert_eq!(participants.ledger().delivered(gid, id, "cancel"), 0);
        }
    }
}

#[tokio::test]
async fn sigterm_lets_a_try_on_its_way_end_tells_its_caller_and_keeps_the_result() {
    let setup = Setup::new()
        .with("SEATA_GRPC_PORT", 0)
        .with("SEATA_GRACE_SECS", 600)
        .with("SEATA_LEASE_SECS", 600)
        .with("SEATA_LOG", "info");
    let (mut server, _, participants) = scene_with(setup).await;
    let mut rpc = connect(&server).await;
    begin_tcc(&mut rpc, "stopped").await;
    let at = |steps: &str| participants.url(steps);
    let held = part("one", [at("gate/held"), at("ok"), at("ok")]);
    let (mut caller, branch) = (rpc.clone(), held.clone());
    let asked = tokio::spawn(async move { attempt(&mut caller, "stopped", branch).await });
    participants.arrived("held", 1).await;
    server.terminate();
    server.printed("stopping").await;
    participants.open("held");
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.result(), TryResult::Succeeded);
    assert_eq!(server.ended().await.code(), Some(0));
    server.start_again().await;
    let mut rpc = connect(&server).await;
    let tried = get(&mut rpc, "stopped").await;
    assert_eq!(tried.branches[0].status(), BranchStatus::Tried);
    attempt(&mut rpc, "stopped", held).await.unwrap();
    rpc.submit(submit("stopped")).await.unwrap();
    reached(&mut rpc, "stopped", TransactionStatus::Committed).await;
    let calls = participants.ledger().calls("stopped");
    assert_eq!(calls, ["one try", "one confirm"]);
}
