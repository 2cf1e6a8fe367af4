//! A private MariaDB, which stands for MySQL too: Oracle's server is not in Debian.

use std::ffi::OsString;

use anyhow::Result;

use super::guard::{Folder, Guarded, Plan, free_port};
use super::{Kind, Server};
use crate::programs::{first_missing, is_root, path};
use crate::run::program;

pub(super) const KIND: Kind = Kind {
    name: "MariaDB",
    variable: "SEATA_TEST_MYSQL_DSN",
    package: "mariadb-server",
    missing: || first_missing(&["mariadb-install-db", "mariadbd", "mariadb-admin"]),
    start,
};

fn start() -> Result<Server> {
    let folder = Folder::new("mariadb")?;
    let data = folder.path().join("data");
    let at_data = joined("--datadir=", data.as_os_str());
    let mut installation = vec![OsString::from("--no-defaults"), at_data.clone()];
    installation.extend(as_whom());
    program(path("mariadb-install-db"))
        .args(installation)
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .output()?;
    let port = free_port()?.to_string();
    let socket = joined("--socket=", folder.path().join("socket").as_os_str());
    let pid = joined("--pid-file=", folder.path().join("pid").as_os_str());
    let at_port = OsString::from(format!("--port={port}"));
    let mut command = vec![path("mariadbd"), "--no-defaults".into(), at_data];
    command.extend([
        socket,
        pid,
        at_port.clone(),
        "--bind-address=127.0.0.1".into(),
        "--max-connections=500".into(),
    ]);
    command.extend(as_whom());
    let mut probe = vec![path("mariadb-admin"), "--no-defaults".into(), at_port];
    probe.extend(["--protocol=tcp", "--host=127.0.0.1", "--user=root", "ping"].map(OsString::from));
    let guarded = Guarded::start(Plan {
        folder,
        command,
        probe,
        signal: "KILL",
    })?;
    Ok(Server {
        address: format!("mysql://root@127.0.0.1:{port}/mysql"),
        _guarded: guarded,
    })
}

/// Root has to say that it means it.
fn as_whom() -> Option<OsString> {
    is_root().then(|| "--user=root".into())
}

fn joined(flag: &str, value: &std::ffi::OsStr) -> OsString {
    let mut joined = OsString::from(flag);
    joined.push(value);
    joined
}
