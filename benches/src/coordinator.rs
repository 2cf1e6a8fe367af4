//! Who is measured.

use serde::{Deserialize, Serialize};

use crate::case::{Answer, Begun, Mode, Shape};
use crate::wire::Wire;

/// A coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Coordinator {
    /// Keeps no state: the floor.
    Null,
    Server,
    /// A peer.
    Dtmrs,
}

/// A peer that can be measured beside the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    Dtmrs,
}

impl Peer {
    pub(crate) const fn coordinator(self) -> Coordinator {
        match self {
            Self::Dtmrs => Coordinator::Dtmrs,
        }
    }
}

impl Coordinator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Server => "Seata Server",
            Self::Dtmrs => "dtmrs",
        }
    }

    /// Says whether it can be asked for such transactions in the way that is measured.
    pub(crate) fn has(self, shape: &Shape) -> bool {
        match self {
            Self::Null | Self::Server => true,
            // Its answer never waits for the end, and 1,024 characters are its longest payload.
            Self::Dtmrs => {
                shape.mode == Mode::Saga
                    && shape.begun == Begun::AtOnce
                    && shape.answer == Answer::Accepted
                    && shape.wire == Wire::Http
                    && shape.payload_bytes <= 1_024
            }
        }
    }
}
