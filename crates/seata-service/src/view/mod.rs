//! What anyone may see: values that every transport renders in its own way.

mod events;
mod sentence;
mod transaction;

pub use events::EventView;
pub use transaction::TransactionView;
pub(crate) use transaction::transaction;
