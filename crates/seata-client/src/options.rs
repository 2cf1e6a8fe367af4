//! Options of transactions and branches. What is not given is the server's configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// In which order branches without `after` run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// At the same time.
    Concurrent,
    /// As they were added.
    Sequential,
}

/// Options of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Options {
    /// The time limit of one call.
    #[serde(
        rename = "request_timeout_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub request_timeout: Option<Duration>,
    /// The first pause between attempts.
    #[serde(
        rename = "retry_interval_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_interval: Option<Duration>,
    /// The longest pause between attempts.
    #[serde(
        rename = "retry_interval_max_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_interval_max: Option<Duration>,
    /// The most attempts of a saga's action in all; 0: until the deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The deadline: from submission for a saga, from creation for a TCC.
    #[serde(
        rename = "timeout_to_fail_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout_to_fail: Option<Duration>,
    /// When a saga that was not submitted is aborted, from creation.
    #[serde(
        rename = "prepared_timeout_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub prepared_timeout: Option<Duration>,
    /// The most calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_parallelism: Option<u32>,
    /// The order of branches without `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Sent with every call.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// Options of a branch; each wins over the transaction's.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchOptions {
    /// The time limit of one call.
    #[serde(
        rename = "request_timeout_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub request_timeout: Option<Duration>,
    /// The first pause between attempts.
    #[serde(
        rename = "retry_interval_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_interval: Option<Duration>,
    /// The longest pause between attempts.
    #[serde(
        rename = "retry_interval_max_secs",
        serialize_with = "secs",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_interval_max: Option<Duration>,
    /// The most attempts of a saga's action in all; 0: until the deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Sent with every call of this branch.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl Options {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl BranchOptions {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn secs<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => to.serialize_f64(span.as_secs_f64()),
        None => to.serialize_none(),
    }
}
