//! The Seata Server binary.
fn main() {}
