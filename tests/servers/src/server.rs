//! One server, whatever its kind, and what may befall it.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};

use crate::folder::Folder;
use crate::guard::{Guarded, Order, Plan, Probe};
use crate::port::Port;

/// A private server. It ends when this is dropped, and when its process ends in whatever way.
pub struct Server {
    name: &'static str,
    address: String,
    guarded: Guarded,
    // Held: it stays the server's own while that is down.
    port: Port,
}

/// What a kind of server says about itself.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Ends it in good order.
    pub(crate) stop: &'static str,
    /// Ends it at once, leaving nothing behind but its folder.
    pub(crate) end: &'static str,
}

impl Server {
    /// Starts a server of this kind and waits until it answers.
    pub(crate) fn start(
        kind: &Kind,
        (folder, port): (Folder, Port),
        command: Vec<OsString>,
        probe: Probe,
        address: String,
    ) -> Result<Self> {
        let plan = Plan {
            folder,
            command,
            probe,
            stop: kind.stop,
            end: kind.end,
        };
        let guarded =
            Guarded::start(plan).with_context(|| format!("starting a private {}", kind.name))?;
        Ok(Self {
            name: kind.name,
            address,
            guarded,
            port,
        })
    }

    /// Answers its URL, as its driver reads it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers its port at 127.0.0.1. It is the server's own until this is dropped, also while the server is down.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Answers the folder of its data and its log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.guarded.folder()
    }

    /// Answers all that it said since its first start.
    #[must_use]
    pub fn log(&self) -> String {
        self.guarded.log()
    }

    /// Freezes all of its processes, as SIGSTOP does: its connections stay, nobody answers. New connections are taken by
    /// the system and wait.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn freeze(&self) -> Result<()> {
        self.order(Order::Freeze, "freezing")
    }

    /// Lets it go on after [`Server::freeze`].
    ///
    /// # Errors
    /// The guard is gone.
    pub fn thaw(&self) -> Result<()> {
        self.order(Order::Thaw, "thawing")
    }

    /// Kills all of its processes, as SIGKILL does, and waits until they are gone. Its data stay as they lie.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn kill(&self) -> Result<()> {
        self.order(Order::Kill, "killing")
    }

    /// Stops it in good order, as an operator does, and waits until it has ended: for 30 s, then it is killed.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn stop(&self) -> Result<()> {
        self.order(Order::Stop, "stopping")
    }

    /// Starts it on the same port and the same data, and waits until it answers.
    ///
    /// # Errors
    /// It runs already, or does not answer within a minute.
    pub fn start_again(&self) -> Result<()> {
        self.guarded
            .start_again()
            .with_context(|| format!("starting {} again", self.name))
    }

    fn order(&self, order: Order, doing: &str) -> Result<()> {
        self.guarded
            .order(order)
            .with_context(|| format!("{doing} {}", self.name))?;
        Ok(())
    }
}
