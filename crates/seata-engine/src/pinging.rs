//! One ping at a time, whoever asks: many probes at once cost the store one question.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared as Joint, WeakShared};

use crate::outage::PROBE_INTERVAL;
use crate::shared::Shared;

type Ping = BoxFuture<'static, bool>;

/// The ping that is under way, as long as somebody waits for it.
#[derive(Default)]
pub(crate) struct Pinging(Mutex<Option<WeakShared<Ping>>>);

impl Pinging {
    fn join(&self, begin: impl FnOnce() -> Ping) -> Joint<Ping> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ping) = under_way.as_ref().and_then(WeakShared::upgrade) {
            return ping;
        }
        let ping = begin().shared();
        *under_way = ping.downgrade();
        ping
    }
}

/// Asks the store whether it answers. Joins the question that is under way, if one is.
pub(crate) async fn answers(shared: &Arc<Shared>) -> bool {
    let ping = shared.pinging.join(|| {
        let shared = Arc::clone(shared);
        let ping = async move {
            let time = shared.ask("asking the store's time", shared.store.ping());
            time.await.is_ok()
        };
        ping.boxed()
    });
    ping.await
}

/// Asks a store that is doubted until it answers, for as long as the engine lives.
pub(crate) async fn probe_all(engine: std::sync::Weak<Shared>) {
    loop {
        let Some(outage) = engine.upgrade().map(|shared| Arc::clone(&shared.outage)) else {
            return;
        };
        outage.doubted().await;
        let Some(shared) = engine.upgrade() else {
            return;
        };
        answers(&shared).await;
        outage.remind(shared.boot());
        drop(shared);
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}
