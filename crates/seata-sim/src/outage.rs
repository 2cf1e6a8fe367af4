//! Something is wrong with the store itself, for every server: it refuses, hangs, is slow, loses replies, or a part of it
//! is dead, as a shard may be.

use seata_core::Gid;

use crate::faults::Fault;
use crate::world::World;

/// The longest way there or back of a slow store's answer, in ms, beyond the usual one.
pub(crate) const SLOW_MAX_MS: u64 = 600;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    Refuses,
    Hangs,
    Slow,
    LosesReplies,
    PartRefuses,
    PartHangs,
}

/// Until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) kind: OutageKind,
    until_ms: u64,
}

impl OutageKind {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Refuses,
        Self::Hangs,
        Self::Slow,
        Self::LosesReplies,
        Self::PartRefuses,
        Self::PartRefuses,
        Self::PartHangs,
    ];

    pub(crate) const fn fault(self) -> Fault {
        match self {
            Self::Refuses => Fault::OutageRefuses,
            Self::Hangs => Fault::OutageHangs,
            Self::Slow => Fault::OutageSlow,
            Self::LosesReplies => Fault::OutageLosesReplies,
            Self::PartRefuses => Fault::PartRefuses,
            Self::PartHangs => Fault::PartHangs,
        }
    }
}

/// Answers whether a record is kept in the part of the store that dies.
pub(crate) fn is_in_dead_part(gid: &Gid) -> bool {
    let sum = gid
        .as_str()
        .bytes()
        .fold(0_u32, |sum, byte| sum + u32::from(byte));
    sum.is_multiple_of(2)
}

/// Begins an outage.
pub(crate) fn begin(world: &World, kind: OutageKind, for_ms: u64) {
    let now = world.now();
    let state = &mut *world.state();
    let until_ms = now.ms + for_ms;
    match kind {
        OutageKind::Slow => state.oracle.store_slow(SLOW_MAX_MS, until_ms, now),
        OutageKind::Refuses
        | OutageKind::Hangs
        | OutageKind::LosesReplies
        | OutageKind::PartRefuses
        | OutageKind::PartHangs => {}
    }
    state.outage = Some(Outage { kind, until_ms });
    let trouble_ms = until_ms + world.plan.knobs.store_timeout_ms;
    match kind {
        // It holds up nobody else.
        OutageKind::PartRefuses => state.oracle.part_troubled(trouble_ms),
        OutageKind::Refuses
        | OutageKind::Hangs
        | OutageKind::Slow
        | OutageKind::LosesReplies
        | OutageKind::PartHangs => state.oracle.troubled_all(trouble_ms),
    }
    state.trace.note(
        now.ms,
        format_args!("for {for_ms} ms: {}", kind.fault().as_str()),
    );
}

/// Answers what is wrong with the store now.
pub(crate) fn now(world: &World) -> Option<OutageKind> {
    let now = world.now();
    let outage = world.state().outage?;
    (now.ms < outage.until_ms).then_some(outage.kind)
}
