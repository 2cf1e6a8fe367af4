//! The gRPC API in Rust: what `cargo xtask proto` makes of `proto/seata/v1`, and nothing else.
//!
//! Both sides: the client over any tonic channel, and the server trait that `seata-grpc` implements.

/// Package `seata.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod v1 {
    include!("generated/seata.v1.rs");
}

/// The description of package `seata.v1` and what it imports, as an encoded `FileDescriptorSet`: for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/seata.v1.bin");
