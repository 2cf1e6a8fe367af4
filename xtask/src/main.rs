//! The one entry to checks, tests, simulation and benchmarks.
fn main() {}
