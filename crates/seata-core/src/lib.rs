//! Decides what a global transaction does next: ids, the saga state machine, the retry schedule. No I/O.
