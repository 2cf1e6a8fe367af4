//! The digest of a request's content: what makes "the same request again" the same.
//!
//! Every part is written with a tag and its length, so that no two contents share bytes. The encoding is stored as a
//! digest until purge: change it only by a new [`VERSION`], for a repeated request is then taken for a contrary one.

use std::time::Duration;

use seata_core::Fingerprint;
use sha2::{Digest, Sha256};

use crate::canonical::{self, TooDeep};

const VERSION: u8 = 1;

/// Says which part of the content follows.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Part {
    Mode = 1,
    Branch = 2,
    BranchId = 3,
    Action = 4,
    Compensation = 5,
    After = 6,
    PayloadJson = 7,
    PayloadBytes = 8,
    ContentType = 9,
    HeaderName = 10,
    HeaderValue = 11,
    RequestTimeout = 12,
    RetryInterval = 13,
    RetryIntervalMax = 14,
    MaxAttempts = 15,
    TimeoutToFail = 16,
    PreparedTimeout = 17,
    BranchParallelism = 18,
    Order = 19,
    Try = 20,
    Confirm = 21,
    Cancel = 22,
}

/// Gathers the content of one request, or of one branch.
pub(crate) struct Content {
    bytes: Vec<u8>,
}

impl Content {
    pub(crate) fn new() -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(VERSION);
        Self { bytes }
    }

    pub(crate) fn put(&mut self, part: Part, bytes: &[u8]) {
        self.bytes.push(part as u8);
        self.bytes
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn count(&mut self, part: Part, count: Option<u64>) {
        if let Some(count) = count {
            self.put(part, &count.to_le_bytes());
        }
    }

    pub(crate) fn span(&mut self, part: Part, span: Option<Duration>) {
        if let Some(span) = span {
            self.put(part, &span.as_nanos().to_le_bytes());
        }
    }

    pub(crate) fn json(&mut self, part: Part, json: &str) -> Result<(), TooDeep> {
        self.bytes.push(part as u8);
        canonical::write(json, &mut self.bytes)
    }

    pub(crate) fn finish(self) -> Fingerprint {
        Fingerprint(Sha256::digest(&self.bytes).into())
    }
}
