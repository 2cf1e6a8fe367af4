//! Keeps the metrics of the process and renders them as Prometheus text.

use std::time::Duration;

use anyhow::{Context, Result};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// How often samples are sorted into buckets, whether or not anybody asks.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

const CALL_BUCKETS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const DURATION_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3_600.0, 86_400.0,
];
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Starts keeping metrics; once per process, before anything counts.
///
/// # Errors
/// Somebody did so before.
pub(crate) fn start() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&CALL_BUCKETS)?
        .set_buckets_for_metric(
            Matcher::Full("seata_transaction_duration_seconds".into()),
            &DURATION_BUCKETS,
        )?
        .set_buckets_for_metric(
            Matcher::Full("seata_store_append_batch_size".into()),
            &BATCH_BUCKETS,
        )?
        .install_recorder()
        .context("starting the metrics")?;
    describe();
    gauge!("seata_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    // Else the first lines that are lost would be no increase.
    counter!("seata_log_lines_lost_total").absolute(0);
    Ok(handle)
}

/// Sorts samples for as long as the process lives.
pub(crate) async fn keep_up(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        handle.run_upkeep();
    }
}

fn describe() {
    for (name, what) in [
        ("seata_branch_success_total", "answers that mean success"),
        (
            "seata_branch_failure_total",
            "answers that mean failure, and silence",
        ),
        (
            "seata_branch_attempts_total",
            "answers by operation and outcome",
        ),
        (
            "seata_transactions_total",
            "transactions that reached the status",
        ),
        (
            "seata_store_errors_total",
            "answers of the store that are errors",
        ),
        ("seata_http_requests_total", "requests by route and answer"),
        ("seata_grpc_requests_total", "requests by method and code"),
        (
            "seata_log_lines_lost_total",
            "log lines that standard error did not take in time, or not at all",
        ),
    ] {
        describe_counter!(name, what);
    }
    for (name, what) in [
        ("seata_active_transactions", "transactions in memory"),
        (
            "seata_stuck_transactions",
            "transactions that wait for an operator, as far as this server knows",
        ),
        ("seata_calls_in_flight", "calls of branches under way"),
        ("seata_store_up", "1 while the store answers, by its shard"),
        ("seata_http_connections", "connections of HTTP clients"),
        ("seata_http_watchers", "HTTP clients that follow events"),
        ("seata_grpc_connections", "connections of gRPC clients"),
        ("seata_build_info", "1, with the version as a label"),
    ] {
        describe_gauge!(name, what);
    }
    describe_gauge!(
        "seata_active_bytes",
        Unit::Bytes,
        "transactions in memory, by their content and a fixed part for each transaction and branch"
    );
    describe_gauge!(
        "seata_journal_bytes",
        Unit::Bytes,
        "events that wait to be appended"
    );
    for (name, what) in [
        (
            "seata_branch_latency_seconds",
            "duration of one call of a branch",
        ),
        (
            "seata_transaction_duration_seconds",
            "from creation to the end",
        ),
        (
            "seata_store_append_seconds",
            "duration of one durable batch",
        ),
        (
            "seata_wakeup_lag_seconds",
            "from when work was due until it was taken up",
        ),
        ("seata_http_request_seconds", "duration of one request"),
        (
            "seata_grpc_request_seconds",
            "duration of one request until its answer begins",
        ),
    ] {
        describe_histogram!(name, Unit::Seconds, what);
    }
    describe_histogram!(
        "seata_store_append_batch_size",
        "appends of one durable batch"
    );
}
