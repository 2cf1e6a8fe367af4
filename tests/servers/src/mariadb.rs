//! A private MariaDB, which stands for MySQL too: Oracle's server is not in Debian.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::folder::Folder;
use crate::guard::Probe;
use crate::port::Port;
use crate::programs::{first_missing, is_root, output, path, words};
use crate::server::{Kind, Server};

const KIND: Kind = Kind {
    name: "MariaDB",
    stop: "TERM",
    end: "KILL",
};

const SETTINGS: &str =
    "--bind-address=127.0.0.1 --max-connections=500 --innodb-flush-log-at-trx-commit=1";

/// Starts private MariaDB servers that sync each commit.
#[derive(Debug)]
pub struct MariaDb;

impl MariaDb {
    /// Names the first program that is missing to start one.
    #[must_use]
    pub fn missing() -> Option<&'static str> {
        first_missing(&["mariadb-install-db", "mariadbd", "mariadb-admin"])
    }

    /// Starts one, with a user `root` that needs no password.
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start() -> Result<Server> {
        Self::start_with(&[])
    }

    /// Starts one with these arguments too, such as `--sql-mode=`.
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start_with(arguments: &[&str]) -> Result<Server> {
        let folder = Folder::new("mariadb")?;
        let data = joined("--datadir=", folder.path().join("data").as_os_str());
        initialise(&data)?;
        let port = Port::free()?;
        let mut command = command(folder.path(), data, port.number());
        command.extend(arguments.iter().map(OsString::from));
        let probe = probe(port.number());
        let address = format!("mysql://root@127.0.0.1:{}/mysql", port.number());
        Server::start(&KIND, (folder, port), command, probe, address)
    }
}

fn initialise(data: &OsStr) -> Result<()> {
    let mut command = vec![path("mariadb-install-db"), "--no-defaults".into()];
    command.push(data.to_owned());
    command.extend(as_whom());
    command.extend(words(
        "--auth-root-authentication-method=normal --skip-test-db",
    ));
    output(&command)?;
    Ok(())
}

fn command(folder: &Path, data: OsString, port: u16) -> Vec<OsString> {
    let mut command = vec![path("mariadbd"), "--no-defaults".into(), data];
    command.extend([
        joined("--socket=", folder.join("socket").as_os_str()),
        joined("--pid-file=", folder.join("pid").as_os_str()),
        format!("--port={port}").into(),
    ]);
    command.extend(words(SETTINGS));
    command.extend(as_whom());
    command
}

fn probe(port: u16) -> Probe {
    let admin = PathBuf::from(path("mariadb-admin"));
    Box::new(move || {
        let asked = Command::new(&admin)
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
            .arg(format!("--port={port}"))
            .args(["--user=root", "ping"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    })
}

/// Root has to say that it means it.
fn as_whom() -> Option<OsString> {
    is_root().then(|| "--user=root".into())
}

fn joined(flag: &str, value: &OsStr) -> OsString {
    let mut joined = OsString::from(flag);
    joined.push(value);
    joined
}
