//! A private Redis that syncs each write: what a coordinator asks of it.

use std::ffi::OsString;

use anyhow::Result;

use super::guard::{Folder, Guarded, Plan, free_port};
use super::{Kind, Server};
use crate::programs::{first_missing, path};

pub(super) const KIND: Kind = Kind {
    name: "Redis",
    variable: "SEATA_TEST_REDIS_URL",
    package: "redis-server",
    missing: || first_missing(&["redis-server", "redis-cli"]),
    start,
};

fn start() -> Result<Server> {
    let folder = Folder::new("redis")?;
    let port = free_port()?.to_string();
    let mut command = vec![path("redis-server")];
    command.extend(["--bind", "127.0.0.1", "--port", &port, "--dir"].map(OsString::from));
    command.push(folder.path().into());
    command.extend(["--save", "", "--appendonly", "yes"].map(OsString::from));
    command.extend(["--appendfsync", "always"].map(OsString::from));
    let mut probe = vec![path("redis-cli")];
    // `-e`: an error such as "loading" is a failure.
    probe.extend(["-e", "-h", "127.0.0.1", "-p", &port, "ping"].map(OsString::from));
    let guarded = Guarded::start(Plan {
        folder,
        command,
        probe,
        signal: "KILL",
    })?;
    Ok(Server {
        address: format!("redis://127.0.0.1:{port}"),
        _guarded: guarded,
    })
}
