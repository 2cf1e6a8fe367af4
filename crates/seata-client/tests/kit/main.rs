//! The kit finds each rule that a participant can break, and nothing at one that breaks none.
#![allow(clippy::unwrap_used, reason = "tests")]

mod bank;

use std::sync::Arc;

use seata_client::{Branch, End, Gid, Report, Rule, Saga, SagaKit, Tcc, TccBranch};
use serde_json::json;

use bank::{Account, Bank, Flaw};

fn saga() -> Saga {
    let branch = |name| {
        Branch::new(name)
            .action("local://bank")
            .compensation("local://bank")
    };
    Saga::new(Gid::new())
        .branch(branch("debit").payload(json!(-30)))
        .branch(branch("credit").payload(json!(30)).after(["debit"]))
}

fn tcc() -> Tcc {
    Tcc::new(Gid::new())
        .branch(
            TccBranch::new("debit")
                .try_("local://bank")
                .payload(json!(-30)),
        )
        .branch(
            TccBranch::new("credit")
                .try_("local://bank")
                .payload(json!(30)),
        )
}

/// Runs a kit on two accounts of which the second has a flaw.
async fn report(kit: SagaKit, flaw: Flaw) -> Report {
    let bank = Arc::new(Bank::default());
    let (reset, check) = (Arc::clone(&bank), Arc::clone(&bank));
    kit.participant("debit", Account::new(&bank, "debit", Flaw::None))
        .participant("credit", Account::new(&bank, "credit", flaw))
        .reset(move || {
            reset.reset();
            async { Ok(()) }
        })
        .check(move |end| {
            let expected = match end {
                End::Committed => [70, 130],
                End::Aborted => [100, 100],
            };
            let found = check.balances();
            async move {
                if found == expected {
                    Ok(())
                } else {
                    Err(format!("the balances are {found:?}, not {expected:?}"))
                }
            }
        })
        .run()
        .await
}

async fn rules(kit: SagaKit, flaw: Flaw) -> Vec<Rule> {
    let report = report(kit, flaw).await;
    assert_eq!(report.broken_by("debit").count(), 0, "{report}");
    report.broken_by("credit").collect()
}

#[tokio::test]
async fn right_participants_break_no_rule() {
    let report_of_saga = report(SagaKit::new(saga()), Flaw::None).await;
    assert!(report_of_saga.is_clean(), "{report_of_saga}");
    assert_eq!(report_of_saga.runs, 23);
    assert_eq!(report_of_saga.to_string(), "23 runs, no rule is broken");
    let report_of_tcc = report(SagaKit::tcc(tcc()), Flaw::None).await;
    assert!(report_of_tcc.is_clean(), "{report_of_tcc}");
    assert_eq!(report_of_tcc.runs, 25);
}

#[tokio::test]
async fn each_flaw_of_a_sagas_participant_is_found_by_its_rule() {
    for (flaw, expected) in [
        (Flaw::DoesTwice, [Rule::DuplicateOnce].as_slice()),
        (Flaw::Races, &[Rule::DuplicateOnce]),
        (Flaw::UndoesTwice, &[Rule::DuplicateOnce]),
        (Flaw::UndoesWhatWasNeverDone, &[Rule::NullUndo]),
        (Flaw::RefusesToUndoNothing, &[Rule::NullUndo]),
        (Flaw::LetsHangingThrough, &[Rule::NothingAfterUndo]),
        (Flaw::RefusesRepetitions, &[Rule::SameAnswer]),
        (Flaw::NeverUndoes, &[Rule::Undoes, Rule::NothingAfterUndo]),
        (Flaw::RefusesToUndo, &[Rule::NeverRefused, Rule::NullUndo]),
        (Flaw::Refuses, &[Rule::Succeeds]),
        (Flaw::IsSilent, &[Rule::Answers]),
    ] {
        let found = rules(SagaKit::new(saga()), flaw).await;
        for rule in expected {
            assert!(found.contains(rule), "{flaw:?}: {found:?}");
        }
        let others = found.iter().filter(|rule| !expected.contains(rule));
        assert_eq!(others.count(), 0, "{flaw:?}: {found:?}");
    }
}

#[tokio::test]
async fn each_flaw_of_a_tccs_participant_is_found_by_its_rule() {
    for (flaw, expected) in [
        (Flaw::DoesTwice, Rule::DuplicateOnce),
        (Flaw::Races, Rule::DuplicateOnce),
        (Flaw::UndoesTwice, Rule::DuplicateOnce),
        (Flaw::UndoesWhatWasNeverDone, Rule::NullUndo),
        (Flaw::LetsHangingThrough, Rule::NothingAfterUndo),
        (Flaw::RefusesRepetitions, Rule::SameAnswer),
    ] {
        let found = rules(SagaKit::tcc(tcc()), flaw).await;
        assert!(found.contains(&expected), "{flaw:?}: {found:?}");
    }
}

#[tokio::test]
async fn a_report_names_the_branch_the_rule_and_what_came_of_it() {
    let report = report(SagaKit::new(saga()), Flaw::UndoesWhatWasNeverDone).await;
    let text = report.to_string();
    let line = "- branch credit breaks the rule \"undoing what was never done succeeds and changes nothing\": \
                its compensation came without its action; then the balances are [100, 70], not [100, 100]";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("not judged after that: branch credit: its compensation came without its action, and its action came behind it"), "{text}");
}

#[tokio::test]
async fn without_a_reset_the_first_wrong_data_end_it() {
    let bank = Arc::new(Bank::default());
    bank.reset();
    let check = Arc::clone(&bank);
    let report = SagaKit::new(saga())
        .participant("debit", Account::new(&bank, "debit", Flaw::DoesTwice))
        .participant("credit", Account::new(&bank, "credit", Flaw::None))
        .check(move |_| {
            let sum: i64 = check.balances().iter().sum();
            async move {
                if sum == 200 {
                    Ok(())
                } else {
                    Err(format!("{sum} in all, not 200"))
                }
            }
        })
        .run()
        .await;
    assert_eq!(report.runs, 2, "{report}");
    assert_eq!(report.breaches.len(), 1);
    assert!(report.to_string().contains("there is no reset"), "{report}");
}

#[tokio::test]
async fn a_branch_that_nobody_answers_for_is_named() {
    let saga = Saga::new(Gid::new()).branch(Branch::new("lost").action("http://127.0.0.1:1/"));
    let report = SagaKit::new(saga).run().await;
    assert_eq!(report.broken_by("lost").next(), Some(Rule::Answers));
    assert!(report.to_string().contains("can't be reached"), "{report}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_http_needs_a_participant() {
    for endpoint in ["grpc://127.0.0.1:1/a.B/C", "local://a", ""] {
        let saga = Saga::new(Gid::new()).branch(Branch::new("b").action(endpoint));
        let report = SagaKit::new(saga).run().await.to_string();
        assert!(report.contains("is not called over HTTP"), "{report}");
    }
}

/// A branch without compensation declares that nothing need be undone: it is never asked to.
#[tokio::test]
async fn a_branch_without_compensation_is_judged_by_its_action_alone() {
    let bank = Arc::new(Bank::default());
    let (reset, check) = (Arc::clone(&bank), Arc::clone(&bank));
    let kit = |flaw| {
        let (reset, check) = (Arc::clone(&reset), Arc::clone(&check));
        let branch = Branch::new("credit")
            .action("local://bank")
            .payload(json!(30));
        SagaKit::new(Saga::new(Gid::new()).branch(branch))
            .participant("credit", Account::new(&bank, "credit", flaw))
            .reset(move || {
                reset.reset();
                async { Ok(()) }
            })
            .check(move |end| {
                let is_right = check.balances()[1] == if end == End::Committed { 130 } else { 100 };
                async move { is_right.then_some(()).ok_or_else(|| "wrong".to_owned()) }
            })
    };
    let right = kit(Flaw::NeverUndoes).run().await;
    assert!(right.is_clean(), "{right}");
    assert_eq!(right.runs, 5);
    let wrong = kit(Flaw::DoesTwice).run().await;
    assert_eq!(
        wrong.broken_by("credit").collect::<Vec<_>>(),
        [Rule::DuplicateOnce]
    );
}
