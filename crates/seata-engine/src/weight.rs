//! How many bytes something holds, in all and each: given back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;

/// The sum of weights, shown as a metric at each change.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    bytes: Arc<AtomicUsize>,
    gauge: Gauge,
}

impl Scale {
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self {
            bytes: Arc::default(),
            gauge,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds a weight.
    pub(crate) fn put(&self, bytes: usize) -> Weight {
        let weight = Weight {
            scale: self.clone(),
            own: AtomicUsize::new(0),
        };
        weight.set(bytes);
        weight
    }
}

/// The bytes that one thing holds.
#[derive(Debug)]
pub(crate) struct Weight {
    scale: Scale,
    own: AtomicUsize,
}

impl Weight {
    pub(crate) fn set(&self, bytes: usize) {
        let before = self.own.swap(bytes, Ordering::Relaxed);
        self.scale.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.scale.bytes.fetch_sub(before, Ordering::Relaxed);
        self.scale.gauge.increment(as_f64(bytes) - as_f64(before));
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes of one thing stay far below four gigabytes.
fn as_f64(bytes: usize) -> f64 {
    u32::try_from(bytes).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use metrics::GaugeFn;

    use super::*;

    #[derive(Default)]
    struct Shown(Mutex<f64>);

    impl GaugeFn for Shown {
        fn increment(&self, value: f64) {
            *self.0.lock().unwrap_or_else(|broken| broken.into_inner()) += value;
        }
        fn decrement(&self, value: f64) {
            self.increment(-value);
        }
        fn set(&self, _: f64) {
            panic!("set by another than the scale");
        }
    }

    #[test]
    fn the_scale_and_its_metric_show_the_sum_of_what_is_there() {
        let shown = Arc::new(Shown::default());
        let scale = Scale::new(Gauge::from_arc(Arc::clone(&shown)));
        let check = |bytes: usize| {
            assert_eq!(scale.bytes(), bytes);
            let shown = shown.0.lock().map(|shown| *shown);
            assert_eq!(shown.ok(), Some(as_f64(bytes)));
        };
        let one = scale.put(10);
        let other = scale.put(5);
        check(15);
        one.set(7);
        check(12);
        drop(one);
        check(5);
        drop(other);
        check(0);
    }
}
