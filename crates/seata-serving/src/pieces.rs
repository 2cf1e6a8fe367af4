//! A body that comes in pieces, so that it shows whether they are taken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::stream::{Last, did};

/// The most bytes of a piece: what a frame of HTTP/2 has room for, unless a client says otherwise.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// A body, and what is left of the data that it gave last.
pub struct Pieces<B> {
    body: B,
    cut: Cut,
    rest: Bytes,
}

/// How data become pieces.
#[derive(Clone, Copy)]
enum Cut {
    /// As they come.
    Whole,
    /// Hyper hands a piece over as soon as the client takes its first byte, and then asks for the next one: so pieces are
    /// small, and the last byte of all goes alone. Once that one is taken, so is what was before it.
    Streamed,
}

impl Cut {
    fn piece_bytes(self, bytes: usize) -> usize {
        match self {
            Self::Whole => bytes,
            Self::Streamed if bytes > PIECE_BYTES_MAX => PIECE_BYTES_MAX,
            Self::Streamed if bytes > 1 => bytes - 1,
            Self::Streamed => bytes,
        }
    }
}

impl<B> Pieces<B> {
    /// Leaves a body as it is: for HTTP/1.1, where the socket tells all.
    pub const fn whole(body: B) -> Self {
        Self::cut(body, Cut::Whole)
    }

    /// Cuts a body for a stream of HTTP/2.
    pub const fn streamed(body: B) -> Self {
        Self::cut(body, Cut::Streamed)
    }

    const fn cut(body: B, cut: Cut) -> Self {
        let rest = Bytes::new();
        Self { body, cut, rest }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            did(Last::Waits);
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        did(Last::Gave);
        let bytes = self.cut.piece_bytes(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut all = SizeHint::new();
        all.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            all.set_upper(upper.saturating_add(rest));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::convert::Infallible;

    use futures_util::stream::iter;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    async fn lengths(mut body: impl Body<Data = Bytes, Error = Infallible> + Unpin) -> Vec<usize> {
        let mut lengths = Vec::new();
        while let Some(frame) = body.frame().await {
            lengths.push(frame.unwrap().into_data().unwrap().len());
        }
        lengths
    }

    fn full(bytes: usize) -> Full<Bytes> {
        Full::new(vec![7; bytes].into())
    }

    #[tokio::test]
    async fn a_stream_takes_small_pieces_and_the_last_byte_alone() {
        let max = PIECE_BYTES_MAX;
        for (bytes, pieces) in [
            (0, vec![]),
            (1, vec![1]),
            (2, vec![1, 1]),
            (max, vec![max - 1, 1]),
            (max + 1, vec![max, 1]),
            (2 * max + 5, vec![max, max, 4, 1]),
        ] {
            assert_eq!(lengths(Pieces::streamed(full(bytes))).await, pieces);
        }
        let several = iter([3, 1, 0].map(|bytes| Ok(Frame::data(vec![7; bytes].into()))));
        let several = Pieces::streamed(StreamBody::new(several));
        assert_eq!(lengths(several).await, [2, 1, 1, 0]);
        assert_eq!(lengths(Pieces::whole(full(3 * max))).await, [3 * max]);
    }

    #[tokio::test]
    async fn a_body_in_pieces_has_its_size_and_its_end() {
        let mut body = Pieces::streamed(full(9));
        assert_eq!(body.size_hint().exact(), Some(9));
        assert!(!body.is_end_stream());
        body.frame().await.unwrap().unwrap();
        assert_eq!(body.size_hint().exact(), Some(1));
        assert!(!body.is_end_stream());
        body.frame().await.unwrap().unwrap();
        assert!(body.is_end_stream());
        assert!(Pieces::streamed(full(0)).is_end_stream());
    }
}
