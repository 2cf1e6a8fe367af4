//! How the executor runs: bounds, time limits and whom to trust. It reads no file and no environment variable.

use std::time::Duration;

/// How the executor runs.
#[derive(Debug, Clone)]
pub struct ExecutorConfig {
    /// The most calls in flight, at least 1; also the most idle connections kept over plain HTTP.
    pub calls_in_flight_max: usize,
    /// The most calls in flight to one scheme, host and port, at least 1; also the most idle connections kept to it.
    pub calls_in_flight_per_destination_max: usize,
    /// How long connecting may take, the lookup of the name and TLS included; the call's own time limit holds besides.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept: less than participants keep it (Node's default is 5 s), so that they
    /// seldom close it under a call.
    pub pool_idle_timeout: Duration,
    /// The most bytes of an answer's body that are read. Over HTTP the status decides in any case; over gRPC it comes
    /// behind the body, so that an answer beyond the bound is an unknown outcome.
    pub answer_bytes_max: usize,
    /// The `user-agent` of every call; not sent if it is no header value.
    pub user_agent: String,
    /// Whom `https://` and `grpcs://` participants must be certified by.
    pub tls_roots: TlsRoots,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            calls_in_flight_max: 2_000,
            calls_in_flight_per_destination_max: 256,
            connect_timeout: Duration::from_secs(2),
            pool_idle_timeout: Duration::from_secs(4),
            answer_bytes_max: 64 * 1024,
            user_agent: concat!("seata-server/", env!("CARGO_PKG_VERSION")).to_owned(),
            tls_roots: TlsRoots::System,
        }
    }
}

/// Whom `https://` and `grpcs://` participants must be certified by.
#[derive(Debug, Clone)]
pub enum TlsRoots {
    /// The machine's certificate authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. There is no built-in
    /// list besides: an operator who removes an authority means it.
    System,
    /// These certificates only, in DER.
    Der(Vec<Vec<u8>>),
}
