//! Runs global transactions: turns, group appends, wake-ups, leases, limits.
