//! Notes panics of the code under test: they are a run's failure, and never a finding of the oracle.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static NOTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Begins to note the panics of this thread instead of printing them.
pub(crate) fn listen() {
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let noted = NOTED.with_borrow_mut(|noted| match noted {
                Some(noted) => {
                    noted.push(info.to_string());
                    true
                }
                None => false,
            });
            if !noted {
                usual(info);
            }
        }));
    });
    NOTED.set(Some(Vec::new()));
}

/// Answers what was noted, and stops.
pub(crate) fn take() -> Vec<String> {
    NOTED.take().unwrap_or_default()
}
