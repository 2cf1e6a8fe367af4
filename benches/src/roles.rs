//! The processes that a run consists of, beside the runner and the server. Each ends when the runner is gone.

use std::io::{Read, stdin};
use std::thread;

use anyhow::{Context, Result};
use clap::Subcommand;
use tokio::runtime::{Builder, Runtime};

use crate::wire::Wire;
use crate::{load, null, stub};

/// A process of a run.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Role {
    /// Answers every call, as all participants.
    Stub {
        /// What it speaks.
        #[arg(long, value_enum)]
        wire: Wire,
    },
    /// Relays, without state.
    Null {
        /// What it speaks, to the load and to the participants.
        #[arg(long, value_enum)]
        wire: Wire,
    },
    /// Submits transactions.
    Load {
        /// How many connections it keeps.
        #[arg(long)]
        connections: usize,
    },
}

impl Role {
    /// Does its work until the runner is gone.
    ///
    /// # Errors
    /// It can't start.
    pub fn play(self) -> Result<()> {
        match self {
            Self::Stub { wire } => {
                end_with_the_runner();
                single_threaded()?.block_on(stub::serve(wire))
            }
            Self::Null { wire } => {
                end_with_the_runner();
                multi_threaded()?.block_on(null::serve(wire))
            }
            // Reads its orders from the runner: it sees for itself when there are no more.
            Self::Load { connections } => single_threaded()?.block_on(load::serve(connections)),
        }
    }
}

/// One thread for what must never be what is measured.
fn single_threaded() -> Result<Runtime> {
    let built = Builder::new_current_thread().enable_all().build();
    built.context("starting a runtime")
}

/// As the server's.
fn multi_threaded() -> Result<Runtime> {
    let built = Builder::new_multi_thread().enable_all().build();
    built.context("starting a runtime")
}

/// The runner holds the other end of this process's input for as long as it lives, however it ends.
fn end_with_the_runner() {
    thread::spawn(|| {
        let mut rest = Vec::new();
        // Whether it closed or broke: nobody is there any more.
        let _closed = stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
}
