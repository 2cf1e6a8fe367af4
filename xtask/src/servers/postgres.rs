//! A private PostgreSQL. It refuses to run as root, so root lends it the user that the package made.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};

use super::guard::{Folder, Guarded, Plan, free_port};
use super::{Kind, Server};
use crate::programs::{first_missing, is_root, path};
use crate::run::program;

pub(super) const KIND: Kind = Kind {
    name: "PostgreSQL",
    variable: "SEATA_TEST_POSTGRES_DSN",
    package: "postgresql",
    missing: || first_missing(&["initdb", "postgres", "pg_isready"]),
    start,
};

const USER: &str = "postgres";

fn start() -> Result<Server> {
    let folder = Folder::new("postgres")?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data).context("making the folder of its data")?;
    if is_root() {
        program("chown")
            .args([OsString::from(USER), data.clone().into()])
            .output()?;
    }
    initialise(&data)?;
    let port = free_port()?.to_string();
    let mut command = as_its_user(path("postgres"));
    command.extend(["-D".into(), data.into(), "-p".into(), port.clone().into()]);
    command.extend(words(
        "-h 127.0.0.1 -c unix_socket_directories= -c max_connections=500",
    ));
    let mut probe = vec![path("pg_isready")];
    probe.extend(words(&format!("-q -h 127.0.0.1 -p {port} -U {USER}")));
    let guarded = Guarded::start(Plan {
        folder,
        command,
        probe,
        // Immediate shutdown: after KILL its children would linger.
        signal: "QUIT",
    })?;
    Ok(Server {
        address: format!("postgres://{USER}@127.0.0.1:{port}/postgres"),
        _guarded: guarded,
    })
}

fn initialise(data: &Path) -> Result<()> {
    let mut words_of_it = as_its_user(path("initdb"));
    words_of_it.extend(words("--auth=trust --encoding=UTF8 --locale=C --no-sync"));
    words_of_it.extend(["-U".into(), USER.into(), "-D".into(), data.into()]);
    let (first, rest) = words_of_it.split_first().context("no command")?;
    program(first).args(rest).output()?;
    Ok(())
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

fn words(text: &str) -> Vec<OsString> {
    text.split(' ').map(OsString::from).collect()
}
