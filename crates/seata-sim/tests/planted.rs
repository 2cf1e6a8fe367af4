//! Each planted bug is found by the oracle within two hundred seeds that the code as it is passes (see `seeds.rs`).

use seata_core::planted::Planted;
use seata_sim::{Keep, run};

const SEEDS_MAX: u64 = 200;

/// A panic of the code under test, or an assertion of its own, is no finding: only a breach that the oracle saw counts.
fn finds(bug: Planted) {
    let found = (1..=SEEDS_MAX)
        .map(|seed| run(seed, Some(bug), Keep::Hash))
        .find(|outcome| !outcome.violations.is_empty());
    assert!(
        found.is_some(),
        "{bug:?} was not found in {SEEDS_MAX} seeds"
    );
}

macro_rules! planted {
    ($($name:ident: $bug:ident,)*) => {
        $(
            #[test]
            fn $name() {
                finds(Planted::$bug);
            }
        )*

        #[test]
        fn every_planted_bug_is_looked_for() {
            assert_eq!(Planted::ALL.to_vec(), [$(Planted::$bug),*]);
        }
    };
}

planted! {
    compensation_order_reversed_is_found: CompensationOrderReversed,
    in_doubt_not_compensated_is_found: InDoubtNotCompensated,
    refusal_after_unknown_not_compensated_is_found: RefusalAfterUnknownNotCompensated,
    deadline_ignored_is_found: DeadlineIgnored,
    duplicate_submit_redecides_is_found: DuplicateSubmitRedecides,
    unknown_read_as_refusal_is_found: UnknownReadAsRefusal,
    recovery_forgets_doubt_is_found: RecoveryForgetsDoubt,
    in_flight_not_awaited_is_found: InFlightNotAwaited,
    decision_not_durable_is_found: DecisionNotDurable,
    effects_before_append_is_found: EffectsBeforeAppend,
    answer_before_durable_is_found: AnswerBeforeDurable,
    behind_dropped_on_stale_is_found: BehindDroppedOnStale,
    call_after_lost_lease_is_found: CallAfterLostLease,
    two_drivers_after_ambiguous_creation_is_found: TwoDriversAfterAmbiguousCreation,
    abort_without_lease_compensates_nothing_is_found: AbortWithoutLeaseCompensatesNothing,
    wake_up_lost_is_found: WakeUpLost,
    lease_not_renewed_is_found: LeaseNotRenewed,
    stale_revision_accepted_is_found: StaleRevisionAccepted,
    token_ignored_is_found: TokenIgnored,
    claim_ignores_lease_is_found: ClaimIgnoresLease,
    tcc_second_submit_skips_confirm_is_found: TccSecondSubmitSkipsConfirm,
    tcc_refused_confirm_cancels_is_found: TccRefusedConfirmCancels,
    tcc_cancel_before_registration_durable_is_found: TccCancelBeforeRegistrationDurable,
    tcc_submit_while_try_unknown_is_found: TccSubmitWhileTryUnknown,
    tcc_cancel_does_not_await_try_is_found: TccCancelDoesNotAwaitTry,
    purge_takes_open_is_found: PurgeTakesOpen,
    ended_served_after_purge_is_found: EndedServedAfterPurge,
    unknown_renewal_read_as_renewed_is_found: UnknownRenewalReadAsRenewed,
    thawed_appends_without_token_is_found: ThawedAppendsWithoutToken,
    calls_while_release_uncertain_is_found: CallsWhileReleaseUncertain,
    lost_release_forgets_answers_is_found: LostReleaseForgetsAnswers,
}
