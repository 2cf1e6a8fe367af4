//! Opening: connects, settles the layout, and tells what the server's settings promise less than they could.

use std::collections::BTreeMap;
use std::time::Duration;

use fred::error::{Error, ErrorKind};
use fred::types::Value;
use fred::types::config::Config;
use seata_store::{StoreError, StoreErrorKind};

use crate::connection::Recipe;
use crate::error::{Access, Fault};
use crate::layout::{Layout, PARTITIONS_DEFAULT, PARTITIONS_MAX, VERSION, layout_key};
use crate::node::{Call, Node};
use crate::nodes::Nodes;
use crate::options::RedisOptions;
use crate::script::{Command, LAYOUT};

const OPENING: &str = "opening redis";

/// Commands are pipelined, and Redis executes one at a time: a second connection is there to go on while the first is
/// replaced. `examples/appends.rs` measures what more would bring.
const CONNECTIONS_MAX: u32 = 2;

const SCHEMES: [&str; 6] = [
    "redis",
    "rediss",
    "redis-cluster",
    "rediss-cluster",
    "redis-sentinel",
    "rediss-sentinel",
];

fn invalid(why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, OPENING, why)
}

pub(crate) async fn open(options: &RedisOptions) -> Result<(Nodes, Layout), StoreError> {
    check(options)?;
    let recipe = recipe(options)?;
    // Each server takes the time limit of a call; a cluster has several of them.
    let limit = options.timeout * 4;
    let index = recipe.config.database;
    let nodes = match tokio::time::timeout(limit, Nodes::connect(recipe)).await {
        Ok(nodes) => nodes.map_err(|error| unreachable_or_invalid(&error, index))?,
        Err(_) => {
            let why = "no connection in time; check host and port in SEATA_REDIS_URL, and that Redis runs";
            return Err(StoreError::new(StoreErrorKind::Unavailable, OPENING, why));
        }
    };
    let layout = settle(&nodes, options).await?;
    for node in nodes.masters() {
        warn_of_settings(&node, options.timeout).await;
    }
    Ok((nodes, layout))
}

fn check(options: &RedisOptions) -> Result<(), StoreError> {
    let prefix = &options.prefix;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(is_allowed) {
        return Err(invalid(format!(
            "the prefix {prefix:?} is not 1 to 64 of [A-Za-z0-9._:-]"
        )));
    }
    let asked = options.partitions.unwrap_or(PARTITIONS_DEFAULT);
    if !(1..=PARTITIONS_MAX).contains(&asked) {
        return Err(invalid(format!(
            "{asked} partitions are not 1 to {PARTITIONS_MAX}"
        )));
    }
    if options.timeout.is_zero() {
        return Err(invalid("a time limit of nothing lets no call succeed"));
    }
    Ok(())
}

/// The parser's own words are left out: they may quote the address.
fn recipe(options: &RedisOptions) -> Result<Recipe, StoreError> {
    let malformed = || {
        invalid(
            "SEATA_REDIS_URL is not redis://, rediss://, redis-cluster:// or redis-sentinel:// with host, and user and \
             password in percent-encoding",
        )
    };
    // fred takes any scheme.
    let scheme = options.address.split_once("://").map(|(scheme, _)| scheme);
    if !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) {
        return Err(malformed());
    }
    let config = Config::from_url(&options.address).map_err(|error| {
        if *error.kind() == ErrorKind::Tls {
            return invalid(format!("{}; TLS can't be set up", error.details()));
        }
        malformed()
    })?;
    let connections = options.connections_max.clamp(1, CONNECTIONS_MAX);
    Ok(Recipe {
        config,
        timeout: options.timeout,
        connections: usize::try_from(connections).unwrap_or(1),
    })
}

fn unreachable_or_invalid(error: &Error, index: Option<u8>) -> StoreError {
    if let Some(index) = index.filter(|_| error.details().contains("DB index is out of range")) {
        return invalid(format!(
            "Redis has no database {index}; name another behind the / in SEATA_REDIS_URL, or raise its `databases`"
        ));
    }
    let ours = [
        ErrorKind::Auth,
        ErrorKind::Config,
        ErrorKind::Tls,
        ErrorKind::Url,
    ];
    let told = Fault::of(error).told(OPENING, Access::Read).kind;
    let (kind, hint) = if ours.contains(error.kind()) || told == StoreErrorKind::Invalid {
        let hint = "check user, password and scheme in SEATA_REDIS_URL";
        (StoreErrorKind::Invalid, hint)
    } else {
        let hint = "check host and port in SEATA_REDIS_URL, and that Redis runs";
        (StoreErrorKind::Unavailable, hint)
    };
    StoreError::new(kind, OPENING, format!("{error}; {hint}"))
}

/// Writes the layout into an empty store, or takes the one that is written.
async fn settle(nodes: &Nodes, options: &RedisOptions) -> Result<Layout, StoreError> {
    let key = layout_key(&options.prefix);
    let asked = options.partitions.unwrap_or(PARTITIONS_DEFAULT);
    let args = vec![
        Value::from(VERSION),
        Value::from(asked.to_string()),
        Value::from(options.shard.to_string()),
    ];
    let slot = fred::util::redis_keyslot(key.as_bytes());
    let call = Call::begin(0, options.timeout);
    let answer = nodes
        .call(call, slot, Command::script(&LAYOUT, vec![key], args))
        .await
        .map_err(|fault| {
            if fault.is("MOVED") {
                return invalid("this is a node of a Redis Cluster: use redis-cluster://");
            }
            // Writing it twice changes nothing.
            fault.told(OPENING, Access::Read)
        })?;
    fitting(&pairs(answer), options)
}

fn fitting(
    written: &BTreeMap<String, String>,
    options: &RedisOptions,
) -> Result<Layout, StoreError> {
    let text = |field: &str| written.get(field).map_or("", String::as_str);
    let version = text("version");
    if version != VERSION {
        return Err(invalid(format!(
            "the layout has version {version:?}, this server knows {VERSION}: use the server that wrote it"
        )));
    }
    let (shard, prefix) = (text("shard"), &options.prefix);
    if shard != options.shard.to_string() {
        return Err(invalid(format!(
            "the keys under {prefix} belong to shard {shard}, not to {}: give the addresses in the order in which they \
             were first given, and all of them",
            options.shard
        )));
    }
    let partitions = text("partitions").parse().ok();
    let partitions = partitions.filter(|count| (1..=PARTITIONS_MAX).contains(count));
    let partitions = partitions.ok_or_else(|| {
        let why = format!("the layout under {prefix} names no number of partitions");
        StoreError::new(StoreErrorKind::Corrupt, OPENING, why)
    })?;
    match options.partitions {
        Some(asked) if asked != partitions => Err(invalid(format!(
            "the keys under {prefix} are spread over {partitions} partitions, not over {asked}; that never changes"
        ))),
        Some(_) | None => Ok(Layout {
            prefix: prefix.clone(),
            partitions,
        }),
    }
}

fn pairs(flat: Value) -> BTreeMap<String, String> {
    let mut texts = flat.into_array().into_iter().map(Value::into_string);
    let mut pairs = BTreeMap::new();
    while let (Some(Some(key)), Some(Some(value))) = (texts.next(), texts.next()) {
        pairs.insert(key, value);
    }
    pairs
}

/// Tells what the server promises less than a coordinator would want. Never a reason not to start.
async fn warn_of_settings(node: &Node, timeout: Duration) {
    let mut settings = BTreeMap::new();
    for name in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
        let call = Call::begin(0, timeout);
        match node
            .call(call, Command::plain("CONFIG", &["GET", name]))
            .await
        {
            Ok(value) => settings.extend(pairs(value)),
            Err(fault) => {
                let why = fault.told(OPENING, Access::Read).why;
                tracing::warn!(
                    why,
                    "could not check whether redis keeps what it acknowledges: it should have appendonly yes, \
                     appendfsync always and maxmemory-policy noeviction"
                );
                return;
            }
        }
    }
    for warning in shortfalls(&settings) {
        tracing::warn!("{warning}");
    }
}

fn shortfalls(settings: &BTreeMap<String, String>) -> Vec<String> {
    let text = |name: &str| settings.get(name).map_or("", String::as_str);
    let mut found = Vec::new();
    if text("appendonly") != "yes" {
        found.push(
            "redis keeps no log of writes: a crash loses transactions that were acknowledged; set appendonly yes and \
             appendfsync always"
                .to_owned(),
        );
    } else if text("appendfsync") != "always" {
        found.push(format!(
            "redis syncs its log {}: a crash may lose the last transactions that were acknowledged; set appendfsync always",
            text("appendfsync")
        ));
    }
    if text("maxmemory") != "0" && text("maxmemory-policy") != "noeviction" {
        found.push(format!(
            "redis may evict transactions when memory is full (maxmemory-policy {}); set noeviction",
            text("maxmemory-policy")
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Vec<String> {
        let defaults = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("maxmemory", "0"),
            ("maxmemory-policy", "noeviction"),
        ];
        let all = defaults.iter().chain(pairs);
        shortfalls(
            &all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn whatever_may_lose_an_acknowledged_transaction_is_told() {
        assert!(settings(&[]).is_empty());
        assert!(settings(&[("appendonly", "no")])[0].contains("appendonly yes"));
        assert!(settings(&[("appendfsync", "everysec")])[0].contains("everysec"));
        assert!(settings(&[("maxmemory-policy", "allkeys-lru")]).is_empty());
        let evicting = [("maxmemory", "1000"), ("maxmemory-policy", "allkeys-lru")];
        assert!(settings(&evicting)[0].contains("noeviction"));
    }
}
