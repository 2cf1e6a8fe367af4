//! Sagas and TCC from their beginning to their end.

use seata_proto::v1;
use seata_proto::v1::{BranchStatus, Progress, TransactionStatus, TryResult};
use tonic::Code;

use crate::scene::{
    abort, attempt, begin_tcc, connect, get, part, reached, refused, register, scene, step, submit,
    whole, willing,
};

#[tokio::test]
async fn a_whole_saga_commits_or_is_turned_round() {
    let (_server, _, mut rpc, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    for (gid, two, progress, status) in [
        (
            "goes",
            "ok",
            Progress::Committed,
            TransactionStatus::Committed,
        ),
        (
            "turns",
            "refuse",
            Progress::Aborted,
            TransactionStatus::Aborted,
        ),
    ] {
        let two = v1::BranchDefinition {
            after: vec!["one".to_owned()],
            ..step("two", at(two), at("ok"))
        };
        let request = whole(gid, vec![step("one", at("ok"), at("ok")), two]);
        // The same content again is answered with its state.
        for _ in 0..2 {
            let ended = rpc.submit(request.clone()).await.unwrap().into_inner();
            assert_eq!(
                (ended.progress(), ended.transaction_status()),
                (progress, status)
            );
            assert_eq!(ended.transaction.unwrap().branches.len(), 2);
        }
        let mut other = request;
        other.transaction.as_mut().unwrap().branches.pop();
        let conflict = rpc.submit(other).await.unwrap_err();
        refused(
            &conflict,
            Code::AlreadyExists,
            "GID_CONFLICT",
            &[("gid", gid)],
        );
    }
    let ledger = participants.ledger();
    assert!(ledger.remains("goes", "one") && ledger.remains("goes", "two"));
    assert!(!ledger.remains("turns", "one"));
    assert_eq!(
        ledger.calls("turns"),
        ["one action", "two action", "one compensation"]
    );
}

#[tokio::test]
async fn a_saga_begun_step_by_step_is_submitted_or_aborted() {
    let (_server, _, mut rpc, participants) = scene().await;
    for gid in ["submitted", "aborted"] {
        let start = v1::StartGlobalRequest {
            gid: gid.to_owned(),
            transaction: None,
        };
        rpc.start_global(start.clone()).await.unwrap();
        rpc.start_global(start).await.unwrap();
        let add = v1::AddBranchRequest {
            gid: gid.to_owned(),
            branch: Some(step("one", participants.url("ok"), participants.url("ok"))),
        };
        rpc.add_branch(add.clone()).await.unwrap();
        rpc.add_branch(add.clone()).await.unwrap();
        let mut other = add;
        other.branch.as_mut().unwrap().compensation.clear();
        let conflict = rpc.add_branch(other).await.unwrap_err();
        let facts = [("branch_id", "one")];
        refused(&conflict, Code::AlreadyExists, "BRANCH_CONFLICT", &facts);
        assert_eq!(
            get(&mut rpc, gid).await.status(),
            TransactionStatus::Prepared
        );
    }
    let answer = rpc.submit(submit("submitted")).await.unwrap().into_inner();
    assert_eq!(answer.progress(), Progress::Accepted);
    reached(&mut rpc, "submitted", TransactionStatus::Committed).await;
    rpc.abort(abort("aborted")).await.unwrap();
    let ended = reached(&mut rpc, "aborted", TransactionStatus::Aborted).await;
    assert!(ended.reason.unwrap().contains("no longer wanted"));
    assert!(participants.ledger().of("aborted").is_empty());
    let late = rpc.abort(abort("submitted")).await.unwrap_err();
    let facts = [("status", "COMMITTED")];
    refused(
        &late,
        Code::FailedPrecondition,
        "INVALID_STATUS_TRANSITION",
        &facts,
    );
}

#[tokio::test]
async fn a_tcc_that_was_tried_commits_and_a_second_submit_never_skips_the_confirm() {
    let (mut server, _, mut rpc, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    begin_tcc(&mut rpc, "commits").await;
    let silent = part("one", [at("first/1/503/busy"), at("gate/held"), at("ok")]);
    let pending = attempt(&mut rpc, "commits", silent.clone()).await.unwrap();
    assert_eq!(pending.result(), TryResult::Pending);
    assert!(pending.reason.unwrap().contains("503"));
    let early = rpc.submit(submit("commits")).await.unwrap_err();
    let facts = [("status", "PREPARED"), ("branch_id", "one")];
    refused(
        &early,
        Code::FailedPrecondition,
        "INVALID_STATUS_TRANSITION",
        &facts,
    );
    let tried = attempt(&mut rpc, "commits", silent).await.unwrap();
    assert_eq!(tried.result(), TryResult::Succeeded);
    register(&mut rpc, "commits", willing("two", &at("ok")))
        .await
        .unwrap();
    for _ in 0..3 {
        let answer = rpc.submit(submit("commits")).await.unwrap().into_inner();
        assert_eq!(answer.transaction_status(), TransactionStatus::Submitted);
        participants.arrived("held", 1).await;
    }
    server.kill_nine();
    server.start_again().await;
    let mut rpc = connect(&server).await;
    participants.open("held");
    let ended = reached(&mut rpc, "commits", TransactionStatus::Committed).await;
    for branch in &ended.branches {
        assert_eq!(branch.status(), BranchStatus::Confirmed);
    }
    for id in ["one", "two"] {
        assert!(participants.ledger().done("commits", id, "confirm"));
        assert_eq!(participants.ledger().delivered("commits", id, "cancel"), 0);
    }
}

#[tokio::test]
async fn a_refused_try_refuses_the_submission_and_the_abort_cancels_all_that_registered() {
    let (_server, _, mut rpc, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    begin_tcc(&mut rpc, "refused").await;
    attempt(&mut rpc, "refused", willing("one", &at("ok")))
        .await
        .unwrap();
    let refuser = part("two", [at("say/409/soldout"), at("ok"), at("ok")]);
    let status = attempt(&mut rpc, "refused", refuser).await.unwrap_err();
    let facts = [
        ("branch_status", "REFUSED"),
        ("status", "PREPARED"),
        ("branch_id", "two"),
    ];
    refused(&status, Code::FailedPrecondition, "BRANCH_REFUSED", &facts);
    register(&mut rpc, "refused", willing("three", &at("ok")))
        .await
        .unwrap();
    let other = register(&mut rpc, "refused", willing("three", &at("refuse"))).await;
    let facts = [("branch_id", "three")];
    refused(
        &other.unwrap_err(),
        Code::AlreadyExists,
        "BRANCH_CONFLICT",
        &facts,
    );
    let submitted = rpc.submit(submit("refused")).await.unwrap_err();
    refused(&submitted, Code::FailedPrecondition, "BRANCH_REFUSED", &[]);
    let answer = rpc.abort(abort("refused")).await.unwrap().into_inner();
    assert_eq!(answer.gid, "refused");
    reached(&mut rpc, "refused", TransactionStatus::Aborted).await;
    for id in ["one", "two", "three"] {
        assert!(participants.ledger().done("refused", id, "cancel"), "{id}");
        assert_eq!(participants.ledger().delivered("refused", id, "confirm"), 0);
    }
    let late = rpc.submit(submit("refused")).await.unwrap_err();
    let facts = [("status", "ABORTED")];
    refused(
        &late,
        Code::FailedPrecondition,
        "INVALID_STATUS_TRANSITION",
        &facts,
    );
}
