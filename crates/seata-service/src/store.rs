//! What is told of the store: which one it is, and whether it answers. Nothing here says where it is.

use std::sync::Arc;

use crate::service::Service;

/// Whether one of several databases answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardHealth {
    /// It answered the last time that it was asked.
    Ok,
    /// It did not.
    Unavailable,
}

impl ShardHealth {
    /// Answers the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Whether the store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// All of it does.
    Ok,
    /// A part of several databases does not: what lies there waits, all else goes on.
    Degraded,
    /// None of it does.
    Unavailable,
}

impl StoreState {
    /// Answers the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Answers the state of each of several databases, by index, without asking them.
pub type Shards = Arc<dyn Fn() -> Vec<ShardHealth> + Send + Sync>;

/// What the service is told of its store when it is made.
#[derive(Clone, Default)]
pub struct StoreFacts {
    /// Which store it is, in a word, if that is to be told.
    pub kind: Option<&'static str>,
    /// Its databases, if transactions are spread over several.
    pub shards: Option<Shards>,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// Which store it is.
    pub kind: Option<&'static str>,
    /// Whether it answers.
    pub state: StoreState,
    /// Its databases by index, if there are several.
    pub shards: Vec<ShardHealth>,
}

impl StoreHealth {
    fn of(kind: Option<&'static str>, answered: bool, shards: Vec<ShardHealth>) -> Self {
        let all = shards.iter().all(|shard| *shard == ShardHealth::Ok);
        let some = shards.contains(&ShardHealth::Ok);
        let state = match (answered, all, some) {
            (true, true, true | false) => StoreState::Ok,
            // One that is known to be away may be why the whole did not answer.
            (true | false, false, true) => StoreState::Degraded,
            (true | false, false, false) | (false, true, true | false) => StoreState::Unavailable,
        };
        Self {
            kind,
            state,
            shards,
        }
    }
}

impl Service {
    /// Asks the store, and answers how it is.
    pub async fn store(&self) -> StoreHealth {
        let answered = self.engine().health().await.store;
        let facts = self.store_facts();
        let shards = facts.shards.as_ref();
        StoreHealth::of(
            facts.kind,
            answered,
            shards.map_or_else(Vec::new, |states| states()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::ShardHealth::{Ok as Up, Unavailable as Away};
    use super::*;

    #[test]
    fn a_store_is_degraded_as_long_as_one_of_several_databases_answers() {
        for (answered, shards, state) in [
            (true, &[][..], StoreState::Ok),
            (false, &[], StoreState::Unavailable),
            (true, &[Up, Up], StoreState::Ok),
            (true, &[Up, Away], StoreState::Degraded),
            (false, &[Up, Away], StoreState::Degraded),
            (false, &[Up, Up], StoreState::Unavailable),
            (true, &[Away, Away], StoreState::Unavailable),
            (false, &[Away, Away], StoreState::Unavailable),
        ] {
            let health = StoreHealth::of(None, answered, shards.to_vec());
            assert_eq!(health.state, state, "{answered} {shards:?}");
        }
    }
}
