//! What tests need of Redis beside the store: plain commands, and servers of their own.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests, each of which needs a part of this"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use seata_store::{Append, Header};
use seata_store_conformance::appending;
pub(crate) use seata_store_conformance::appending::{append, creation, following, gid};
use seata_store_redis::{RedisOptions, RedisStore};
use seata_test_servers::{AppendFsync, Redis, Server};

/// An answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Error(String),
    Nothing,
    List(Vec<Reply>),
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::List(list) => list.iter().map(Self::text).collect(),
            other => panic!("{other:?} is no list"),
        }
    }
}

/// A plain connection.
pub(crate) struct Plain {
    reader: BufReader<TcpStream>,
}

impl Plain {
    /// Connects to the host and port of an address.
    pub(crate) fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap()
    }
    pub(crate) fn try_connect(address: &str) -> std::io::Result<Self> {
        let (_, rest) = address.split_once("://").unwrap_or(("", address));
        let host = rest.rsplit('@').next().unwrap();
        let host = host.split(['/', '?']).next().unwrap();
        let stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }
    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        self.try_ask(words).unwrap()
    }
    pub(crate) fn try_ask(&mut self, words: &[&str]) -> std::io::Result<Reply> {
        let mut sent = format!("*{}\r\n", words.len());
        for word in words {
            sent += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.reader.get_mut().write_all(sent.as_bytes())?;
        self.read()
    }
    fn read(&mut self) -> std::io::Result<Reply> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let (kind, rest) = line.trim_end().split_at(1);
        Ok(match kind {
            "+" | ":" => Reply::Text(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            "$" | "*" if rest == "-1" => Reply::Nothing,
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.reader.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Text(String::from_utf8(bytes).unwrap())
            }
            "*" => {
                let count: usize = rest.parse().unwrap();
                Reply::List((0..count).map(|_| self.read()).collect::<Result<_, _>>()?)
            }
            other => panic!("unknown reply {other}"),
        })
    }
    /// Removes what tests left under a prefix.
    pub(crate) fn clear(&mut self, prefix: &str) {
        let pattern = format!("{prefix}:*");
        let mut cursor = "0".to_owned();
        loop {
            let found = self.ask(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "1000"]);
            let Reply::List(parts) = found else { return };
            for key in parts[1].texts() {
                self.ask(&["UNLINK", key]);
            }
            cursor = parts[0].text().to_owned();
            if cursor == "0" {
                return;
            }
        }
    }
    /// Reads how far the server's stream of replication is.
    pub(crate) fn offset(&mut self, field: &str) -> u64 {
        let info = self.ask(&["INFO", "replication"]);
        let mut lines = info.text().lines();
        lines
            .find_map(|line| line.strip_prefix(field)?.trim().parse().ok())
            .unwrap_or_default()
    }
    /// Counts how often a command ran since the statistics were reset.
    pub(crate) fn calls(&mut self, command: &str) -> u64 {
        let info = self.ask(&["INFO", "commandstats"]);
        let start = format!("cmdstat_{command}:calls=");
        info.text()
            .lines()
            .find_map(|line| line.strip_prefix(&start)?.split(',').next()?.parse().ok())
            .unwrap_or(0)
    }
}

/// Answers the addresses of all masters of a cluster.
pub(crate) fn masters(address: &str) -> Vec<String> {
    let mut plain = Plain::connect(address);
    let nodes = plain.ask(&["CLUSTER", "NODES"]);
    let lines = nodes.text().lines().filter(|line| line.contains("master"));
    lines
        .map(|line| {
            let word = line.split_whitespace().nth(1).unwrap();
            format!("redis://{}", word.split('@').next().unwrap())
        })
        .collect()
}

/// Answers the partition of a name, of so many.
pub(crate) fn partition(name: &str, of: u64) -> usize {
    usize::try_from(xxhash_rust::xxh3::xxh3_64(name.as_bytes()) % of).unwrap()
}

/// Answers another name in the same partition; for each number another one.
pub(crate) fn beside(name: &str, of: u64, number: usize) -> String {
    (0..)
        .map(|turn| format!("{name}-{number}-{turn}"))
        .find(|other| partition(other, of) == partition(name, of))
        .unwrap()
}

/// Answers a prefix that no other test uses.
pub(crate) fn prefix() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("t{}-{}-{count}", std::process::id(), now.as_nanos())
}

/// Tests judge answers, on machines that may be busy with all of them at once.
pub(crate) fn options(address: &str, prefix: &str) -> RedisOptions {
    RedisOptions {
        prefix: prefix.to_owned(),
        timeout: Duration::from_secs(30),
        ..RedisOptions::new(address)
    }
}

/// Starts a server of a test's own, gone with it.
pub(crate) fn start(appendfsync: AppendFsync, settings: &[(&str, &str)]) -> Server {
    let settings = settings.iter();
    Redis::start(seata_test_servers::RedisOptions {
        appendfsync,
        settings: settings
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    })
    .unwrap()
}

pub(crate) async fn applied(store: &RedisStore, one: Append) -> Header {
    appending::applied(store, one).await.header
}
