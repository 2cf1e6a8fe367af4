//! Faults of a store's appends, one after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use seata_store::Append;
use seata_store_mem::{AppendFault, Faults, OtherFault, StoreCall};

/// What the next appends meet. Behind these, and in all other calls, nothing goes wrong.
#[derive(Default)]
pub struct Listed(Mutex<VecDeque<AppendFault>>);

impl Listed {
    pub fn new(faults: impl IntoIterator<Item = AppendFault>) -> Arc<Self> {
        let listed = Self::default();
        listed.then(faults);
        Arc::new(listed)
    }

    /// Lets the first append fare well.
    pub fn behind_the_first(faults: impl IntoIterator<Item = AppendFault>) -> Arc<Self> {
        let listed = Self::new([AppendFault::None]);
        listed.then(faults);
        listed
    }

    pub fn then(&self, faults: impl IntoIterator<Item = AppendFault>) {
        self.0.lock().unwrap().extend(faults);
    }
}

impl Faults for Listed {
    fn on_append(&self, _: &[Append]) -> AppendFault {
        let next = self.0.lock().unwrap().pop_front();
        next.unwrap_or(AppendFault::None)
    }
    fn on_other(&self, _: StoreCall) -> OtherFault {
        OtherFault::None
    }
}
