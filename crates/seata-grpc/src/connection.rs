//! A client's connection: holds one of the places, and is let go if nothing comes on it or nothing is taken.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use metrics::{Gauge, gauge};
use seata_serving::Stalling;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

/// How long a client may take until it has said that it speaks HTTP/2: one that says nothing holds a place.
const PREFACE_WITHIN: Duration = Duration::from_secs(20);

/// What it says then, in bytes.
const PREFACE_BYTES: usize = 24;

/// A connection that holds its place.
pub(crate) struct Connection {
    stream: Stalling<TcpStream>,
    preface: Preface,
    open: Gauge,
    _place: OwnedSemaphorePermit,
}

/// How far the client has come in saying that it speaks HTTP/2.
enum Preface {
    /// So many bytes are missing, which must come in time.
    Missing {
        bytes: usize,
        within: Pin<Box<Sleep>>,
    },
    /// It was said.
    Said,
}

impl Preface {
    fn awaited() -> Self {
        Self::Missing {
            bytes: PREFACE_BYTES,
            within: Box::pin(tokio::time::sleep(PREFACE_WITHIN)),
        }
    }

    /// Looks whether the time is over.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        match self {
            Self::Missing { within, .. } => within.as_mut().poll(context).is_ready(),
            Self::Said => false,
        }
    }

    fn came(&mut self, count: usize) {
        match self {
            Self::Missing { bytes, .. } if *bytes > count => *bytes -= count,
            Self::Missing { .. } | Self::Said => *self = Self::Said,
        }
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        let open = gauge!("seata_grpc_connections");
        open.increment(1.0);
        Self {
            stream: Stalling::new(stream),
            preface: Preface::awaited(),
            open,
            _place: place,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.preface.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.preface.came(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
