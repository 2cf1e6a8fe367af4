//! A private Redis that by default syncs each write: what a coordinator asks of it.

use std::ffi::OsString;

use anyhow::Result;

use crate::ask::probe;
use crate::folder::Folder;
use crate::guard::Probe;
use crate::port::Port;
use crate::programs::{first_missing, path, words};
use crate::server::{Kind, Server};

pub(crate) const KIND: Kind = Kind {
    name: "Redis",
    stop: "TERM",
    end: "KILL",
};

/// When Redis syncs its log of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppendFsync {
    /// Before it answers.
    #[default]
    Always,
    /// Each second.
    EverySecond,
    /// When the system likes.
    No,
    /// It keeps no log: a restart loses all.
    WithoutLog,
}

impl AppendFsync {
    const fn settings(self) -> &'static str {
        match self {
            Self::Always => "--appendonly yes --appendfsync always",
            Self::EverySecond => "--appendonly yes --appendfsync everysec",
            Self::No => "--appendonly yes --appendfsync no",
            Self::WithoutLog => "--appendonly no",
        }
    }
}

/// How a private Redis is started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// When it syncs.
    pub appendfsync: AppendFsync,
    /// More of its configuration, such as `("maxmemory-policy", "noeviction")`.
    pub settings: Vec<(String, String)>,
}

/// Starts private Redis servers.
#[derive(Debug)]
pub struct Redis;

impl Redis {
    /// Names the first program that is missing to start one, or a [`crate::RedisCluster`].
    #[must_use]
    pub fn missing() -> Option<&'static str> {
        first_missing(&["redis-server"])
    }

    /// Starts one.
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start(options: RedisOptions) -> Result<Server> {
        let folder = Folder::new("redis")?;
        let port = Port::free()?;
        let address = format!("redis://127.0.0.1:{}", port.number());
        let command = command(&folder, &port, &options);
        let probe = answers(port.number());
        Server::start(&KIND, (folder, port), command, probe, address)
    }
}

pub(crate) fn command(folder: &Folder, port: &Port, options: &RedisOptions) -> Vec<OsString> {
    let mut command = vec![path("redis-server")];
    command.extend(words(&format!("--bind 127.0.0.1 --port {}", port.number())));
    command.extend(["--dir".into(), folder.path().into()]);
    command.extend(["--save".into(), "".into()]);
    command.extend(words(options.appendfsync.settings()));
    for (name, value) in &options.settings {
        command.extend([format!("--{name}").into(), value.into()]);
    }
    command
}

/// An error such as "loading" is no answer.
pub(crate) fn answers(port: u16) -> Probe {
    Box::new(move || probe(port, "PING").is_ok_and(|answer| answer == "PONG"))
}
