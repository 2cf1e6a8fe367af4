//! The storage contract: TxnStore, conditional appends, and the stored record.
