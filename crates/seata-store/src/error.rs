//! Errors by what can be done about them.

/// Says what a caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Surely not applied: try again later.
    Unavailable,
    /// May be applied, or be applied even later: only the next conditional append tells.
    Ambiguous,
    /// What is stored cannot be read: stop and look.
    Corrupt,
    /// Our bug or the user's configuration: trying again changes nothing.
    Invalid,
}

impl StoreErrorKind {
    /// Answers the word used in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Ambiguous => "ambiguous",
            Self::Corrupt => "corrupt",
            Self::Invalid => "invalid",
        }
    }
}

/// A store could not answer. The text names what was being done; it may name the store's inner errors and is for
/// operators, never for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct StoreError {
    /// What can be done.
    pub kind: StoreErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// What went wrong.
    pub why: String,
}

impl StoreError {
    /// Makes an error.
    #[must_use]
    pub fn new(kind: StoreErrorKind, doing: &'static str, why: impl ToString) -> Self {
        Self {
            kind,
            doing,
            why: why.to_string(),
        }
    }
}
