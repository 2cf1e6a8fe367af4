//! dtmrs, a peer: a coordinator in Rust that is installed from its registry, on the same store and with the same stub.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::backing::Backing;
use crate::process::{Process, bound};
use crate::scratch;

/// A running one.
pub(crate) struct Dtmrs {
    pub(crate) process: Process,
    /// Its database, where it keeps one itself.
    _folder: TempDir,
}

impl Dtmrs {
    /// Starts one on a store. All but the store and the log level is as its authors chose it.
    ///
    /// # Errors
    /// It has no such store, or can't be started.
    pub(crate) async fn start(binary: &Path, within: &Path, backing: &Backing) -> Result<Self> {
        let folder = scratch::folder(within)?;
        let database = backing.peer_database(&folder.path().join("dtmrs.db"));
        let database = database.context("dtmrs has no such store")?;
        let mut command = bound(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DTMRS_") {
                command.env_remove(name);
            }
        }
        let address = free()?;
        command
            .current_dir(folder.path())
            .env("DTMRS_DB", database)
            .env("DTMRS_ADDR", address.to_string())
            .env("RUST_LOG", "warn");
        let process = Process::start_at(command, address).await;
        Ok(Self {
            process: process.context("dtmrs")?,
            _folder: folder,
        })
    }
}

/// It doesn't say which port it was given, so it is told one that was free a moment ago.
fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    listener.local_addr().context("finding a free port")
}
