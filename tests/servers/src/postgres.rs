//! A private PostgreSQL. It refuses to run as root, so root lends it the user that the package made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::folder::Folder;
use crate::guard::Probe;
use crate::port::Port;
use crate::programs::{first_missing, is_root, output, path, words};
use crate::server::{Kind, Server};

const KIND: Kind = Kind {
    name: "PostgreSQL",
    // Fast: it breaks off what runs.
    stop: "INT",
    // Immediate: after KILL a segment of shared memory would stay.
    end: "QUIT",
};

const USER: &str = "postgres";

/// Shared memory lies in its folder, so that a killed server leaves none behind.
const SETTINGS: &str =
    "-c unix_socket_directories= -c max_connections=500 -c dynamic_shared_memory_type=mmap";

/// Starts private PostgreSQL servers, durable as it is configured by default: what it acknowledges is synced.
#[derive(Debug)]
pub struct Postgres;

impl Postgres {
    /// Names the first program that is missing to start one.
    #[must_use]
    pub fn missing() -> Option<&'static str> {
        first_missing(&["initdb", "postgres", "pg_isready"])
    }

    /// Starts one, with a user `postgres` that needs no password.
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start() -> Result<Server> {
        Self::start_with(&[])
    }

    /// Starts one with these settings of its configuration, such as `("fsync", "off")`.
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Server> {
        let folder = Folder::new("postgres")?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data).context("making the folder of its data")?;
        if is_root() {
            output(&["chown".into(), USER.into(), data.clone().into()])?;
        }
        initialise(&data)?;
        let port = Port::free()?;
        let command = command(&data, port.number(), settings);
        let probe = probe(port.number());
        let address = format!("postgres://{USER}@127.0.0.1:{}/postgres", port.number());
        Server::start(&KIND, (folder, port), command, probe, address)
    }
}

fn initialise(data: &Path) -> Result<()> {
    let mut command = as_its_user(path("initdb"));
    // Not synced: a machine that goes down takes the folder with it anyway. What is written later is.
    command.extend(words("--auth=trust --encoding=UTF8 --locale=C --no-sync"));
    command.extend(["-U".into(), USER.into(), "-D".into(), data.into()]);
    output(&command)?;
    Ok(())
}

fn command(data: &Path, port: u16, settings: &[(&str, &str)]) -> Vec<OsString> {
    let mut command = as_its_user(path("postgres"));
    command.extend(["-D".into(), data.into()]);
    command.extend(words(&format!("-p {port} -h 127.0.0.1 {SETTINGS}")));
    for (name, value) in settings {
        command.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    command
}

fn probe(port: u16) -> Probe {
    let ready = PathBuf::from(path("pg_isready"));
    Box::new(move || {
        let asked = Command::new(&ready)
            .args(["-q", "-h", "127.0.0.1", "-U", USER, "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    })
}

/// Runs a program as the package's user if we are root. `setpriv` becomes the program, so a signal to it reaches the server.
fn as_its_user(path: OsString) -> Vec<OsString> {
    let mut command = Vec::new();
    if is_root() {
        command = words(&format!(
            "setpriv --reuid={USER} --regid={USER} --init-groups"
        ));
    }
    command.push(path);
    command
}
