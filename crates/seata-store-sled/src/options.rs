//! How the store runs.

/// How the store runs.
pub struct SledOptions {
    /// Below so much free disk space the store says that there is little room.
    pub disk_free_min_bytes: u64,
    /// Is told once, when a write or sync failed and the process must end.
    pub on_fatal: Box<dyn Fn(&str) + Send + Sync>,
}
