//! A coordinator that runs, whoever it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::backing::Backing;
use crate::coordinator::Coordinator;
use crate::dtmrs::Dtmrs;
use crate::figures::count;
use crate::participants::Participants;
use crate::process::{Process, Speaks, role};
use crate::server::{Home, Meters, Server};
use crate::wire::Wire;

/// What may pass between the last answer to the load and the end of the last transaction.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// The same for a peer. It is longer than the lease of one that lost sight of a transaction.
const PEER_ENDED_WITHIN: Duration = Duration::from_secs(45);

/// The programs that are measured, and the folder for what they write.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) server: Option<PathBuf>,
    pub(crate) dtmrs: Option<PathBuf>,
    pub(crate) within: PathBuf,
}

/// A coordinator. It is killed when this is dropped.
pub(crate) enum Running {
    Null(Process),
    Server {
        server: Server,
        /// Its folder goes when this is dropped.
        home: Home,
    },
    Dtmrs(Dtmrs),
}

impl Running {
    /// Starts one.
    ///
    /// # Errors
    /// Its program isn't known, or it doesn't start.
    pub(crate) async fn start(
        who: Coordinator,
        wire: Wire,
        programs: &Programs,
        backing: &Backing,
    ) -> Result<Self> {
        let within: &Path = &programs.within;
        match who {
            Coordinator::Null => {
                let command = role(&["null", "--wire", wire.name()])?;
                Ok(Self::Null(Process::start(command, Speaks::One).await?))
            }
            Coordinator::Server => {
                let binary = programs.server.as_deref().context("there is no server")?;
                let home = Home::new(binary, within)?.on(backing);
                let server = home.start().await?;
                Ok(Self::Server { server, home })
            }
            Coordinator::Dtmrs => {
                let binary = programs.dtmrs.as_deref().context("dtmrs isn't installed")?;
                Ok(Self::Dtmrs(Dtmrs::start(binary, within, backing).await?))
            }
        }
    }

    pub(crate) fn process(&self) -> &Process {
        match self {
            Self::Null(process) => process,
            Self::Server { server, .. } => &server.process,
            Self::Dtmrs(dtmrs) => &dtmrs.process,
        }
    }

    /// Kills it and waits for its end: what it wrote goes after it.
    pub(crate) async fn end(self) -> Result<()> {
        match self {
            Self::Null(process) => process.kill().await,
            Self::Server {
                server,
                home: _home,
            } => server.process.kill().await,
            Self::Dtmrs(dtmrs) => dtmrs.process.kill().await,
        }
    }

    /// Kills the server and starts it on what lies there; answers how long it took to be healthy.
    ///
    /// # Errors
    /// It isn't healthy in time, or this is another coordinator.
    pub(crate) async fn start_again(self) -> Result<(Self, Duration)> {
        match self {
            Self::Server { server, home } => {
                server.process.kill().await?;
                let server = home.start().await?;
                let ready_after = server.ready_after;
                Ok((Self::Server { server, home }, ready_after))
            }
            Self::Null(_) | Self::Dtmrs(_) => bail!("only the server is started again"),
        }
    }

    /// Answers what the server's data takes on the disk, on an embedded store.
    ///
    /// # Errors
    /// The files can't be read, or this is another coordinator.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        match self {
            Self::Server { home, .. } => home.bytes(),
            Self::Null(_) | Self::Dtmrs(_) => bail!("only the server's data is measured"),
        }
    }

    /// Answers where it speaks that wire.
    pub(crate) fn address(&self, wire: Wire) -> Result<std::net::SocketAddr> {
        match self {
            Self::Server { server, .. } => server.address(wire),
            Self::Null(process) => Ok(process.address),
            Self::Dtmrs(dtmrs) => Ok(dtmrs.process.address),
        }
    }

    /// Answers what it says of itself.
    pub(crate) async fn meters(&mut self) -> Result<Meters> {
        match self {
            Self::Server { server, .. } => server.meters().await,
            Self::Null(_) | Self::Dtmrs(_) => Ok(Meters::default()),
        }
    }

    /// Waits until what is open waits in the server's store alone.
    ///
    /// # Errors
    /// It takes too long, or this is another coordinator.
    pub(crate) async fn at_rest(&mut self, within: Duration) -> Result<()> {
        match self {
            Self::Server { server, .. } => server.at_rest(within).await,
            Self::Null(_) | Self::Dtmrs(_) => bail!("only the server puts away what waits"),
        }
    }

    /// Waits for the end of all transactions since its start: first for the calls, since asking the stub costs the
    /// coordinator nothing. A peer doesn't count ends: the last call must do.
    ///
    /// # Errors
    /// It takes too long. Of a peer that is no error: what it lost is counted later.
    pub(crate) async fn ended(
        &mut self,
        transactions: u64,
        calls: u64,
        participants: &mut Participants,
    ) -> Result<()> {
        match self {
            Self::Null(_) => participants.called(calls, ENDED_WITHIN).await,
            Self::Server { server, .. } => {
                participants.called(calls, ENDED_WITHIN).await?;
                server.ended(count(transactions), ENDED_WITHIN).await
            }
            Self::Dtmrs(_) => {
                let _lost = participants.called(calls, PEER_ENDED_WITHIN).await;
                Ok(())
            }
        }
    }
}
