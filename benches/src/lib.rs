//! Measures ratios against a null coordinator in one run.
