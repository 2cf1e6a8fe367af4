//! A connection whose socket must take what is written to it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::TAKEN_WITHIN;

/// A connection, and since when it stalls. Writing to one that has taken nothing for [`TAKEN_WITHIN`] fails.
pub struct Stalling<T> {
    io: T,
    stalls: Option<Pin<Box<Sleep>>>,
}

impl<T> Stalling<T> {
    /// Watches over a connection.
    pub const fn new(io: T) -> Self {
        Self { io, stalls: None }
    }

    /// Lets the clock run while nothing can be written.
    fn judge<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalls = None;
            return written;
        }
        let stalls = self
            .stalls
            .get_or_insert_with(|| Box::pin(sleep(TAKEN_WITHIN)));
        ready!(stalls.as_mut().poll(context));
        // Whoever asks again after the end is told again.
        stalls.as_mut().reset(Instant::now());
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stalling<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stalling<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, pieces);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_let_go() {
        let (ours, _theirs) = duplex(16);
        let mut ours = Stalling::new(ours);
        ours.write_all(&[0; 16]).await.unwrap();
        let error = ours.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_kept() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Stalling::new(ours);
        let writing = tokio::spawn(async move { ours.write_all(&[7; 160]).await });
        let mut taken = [0; 16];
        for _ in 0..10 {
            sleep(TAKEN_WITHIN - Duration::from_secs(1)).await;
            theirs.read_exact(&mut taken).await.unwrap();
            assert_eq!(taken, [7; 16]);
        }
        writing.await.unwrap().unwrap();
    }
}
