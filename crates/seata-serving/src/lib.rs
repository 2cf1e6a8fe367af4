//! What serving over HTTP and over gRPC have in common: clients are [`accepted`] whatever failed before, and must read.
//!
//! A client must read: what it doesn't take for too long is the end of it. Without that a client that reads nothing holds
//! its place and its answer for ever, be it a long list or a stream of events.
//!
//! There are two places where an answer stops. A socket that takes nothing is seen by [`Stalling`]. On HTTP/2 a client
//! says besides how much it takes, of each stream and of all: what is beyond that never comes to the socket. That is
//! seen by [`Streams`], if the bodies are [`Pieces`]. It ends the one stream; the others on the connection go on.

mod accept;
mod pieces;
mod socket;
mod stream;

use std::time::Duration;

pub use accept::accepted;
pub use pieces::Pieces;
pub use socket::Stalling;
pub use stream::Streams;

/// How long a socket may take nothing of what is written to it.
pub const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// How long the client of a stream of HTTP/2 may take for a piece of at most 16 KiB. Longer than a socket may take nothing:
/// a client that reads slowly opens its window in steps, and streams share a connection.
pub const PIECE_TAKEN_WITHIN: Duration = Duration::from_secs(120);
