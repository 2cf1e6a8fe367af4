//! Renders what the service tells as messages.

mod events;
mod transaction;
mod words;

pub(crate) use events::event;
pub(crate) use transaction::{header, transaction};
pub(crate) use words::{mode, progress, status};

use prost_types::{Duration, Timestamp};
use seata_core::UnixMillis;

fn timestamp(at: UnixMillis) -> Timestamp {
    let ms = i32::try_from(at.0.rem_euclid(1000)).unwrap_or(0);
    Timestamp {
        seconds: at.0.div_euclid(1000),
        nanos: ms * 1_000_000,
    }
}

fn span(span: std::time::Duration) -> Duration {
    Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}
