//! Keeps transactions in Redis and Redis Cluster.
#![warn(missing_docs)]
