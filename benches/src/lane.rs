//! One keep-alive connection of the load: one request after the other, no pool and no retry.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::wire::{self, Wire};

/// A connection.
pub(crate) struct Lane {
    target: SocketAddr,
    wire: Wire,
    host: HeaderValue,
    sender: Sender,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Lane {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) async fn open(target: SocketAddr, wire: Wire) -> Result<Self> {
        Ok(Self {
            target,
            wire,
            host: HeaderValue::try_from(target.to_string()).context("writing the host")?,
            sender: Sender::connect(target, wire).await?,
        })
    }

    /// Keeps a connection that leads to the target, or connects.
    pub(crate) async fn reopen(kept: Option<Self>, target: SocketAddr, wire: Wire) -> Result<Self> {
        match kept {
            Some(lane) if lane.target == target && lane.wire == wire => Ok(lane),
            Some(_) | None => Self::open(target, wire).await,
        }
    }

    /// Posts a body of its wire; answers the status, of gRPC as the one that means the same over HTTP, and what was said.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let request = wire::post(self.wire, &self.uri(path), body)?;
        let response = self.send(request).await?;
        wire::read(self.wire, response).await
    }

    /// Puts nothing; answers the status. This is plain HTTP on either wire.
    pub(crate) async fn put(&mut self, path: &str) -> Result<StatusCode> {
        Ok(self.plain(Method::PUT, path, "*/*").await?.0)
    }

    /// Gets a path; answers the status and the body. This is plain HTTP on either wire.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes)> {
        self.plain(Method::GET, path, "*/*").await
    }

    /// Gets a path as this kind of content.
    pub(crate) async fn get_as(
        &mut self,
        kind: &'static str,
        path: &str,
    ) -> Result<(StatusCode, Bytes)> {
        self.plain(Method::GET, path, kind).await
    }

    async fn plain(
        &mut self,
        method: Method,
        path: &str,
        kind: &'static str,
    ) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(self.uri(path))
            .header(ACCEPT, HeaderValue::from_static(kind))
            .body(Full::default())
            .context("making a request")?;
        let response = self.send(request).await?;
        wire::read(Wire::Http, response).await
    }

    /// HTTP/2 wants the whole address in its head, HTTP/1 wants the host beside the path.
    fn uri(&self, path: &str) -> String {
        match self.wire {
            Wire::Http => path.to_owned(),
            Wire::Grpc => format!("http://{}{path}", self.target),
        }
    }

    async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        // The other side may have closed it while it was idle.
        if !self.sender.is_ready().await {
            self.sender = Sender::connect(self.target, self.wire).await?;
        }
        let sent = match &mut self.sender {
            Sender::Http1(sender) => {
                request.headers_mut().insert(HOST, self.host.clone());
                sender.send_request(request).await
            }
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        sent.with_context(|| format!("sending to {}", self.target))
    }
}

impl Sender {
    async fn connect(target: SocketAddr, wire: Wire) -> Result<Self> {
        let stream = TcpStream::connect(target).await;
        let stream = stream.with_context(|| format!("connecting to {target}"))?;
        stream.set_nodelay(true).context("setting nodelay")?;
        let io = TokioIo::new(stream);
        match wire {
            Wire::Http => {
                let connected = http1::handshake(io).await;
                let (sender, connection) = connected.context("beginning HTTP")?;
                tokio::spawn(connection);
                Ok(Self::Http1(sender))
            }
            Wire::Grpc => {
                let connected = http2::handshake(TokioExecutor::new(), io).await;
                let (sender, connection) = connected.context("beginning HTTP/2")?;
                tokio::spawn(connection);
                Ok(Self::Http2(sender))
            }
        }
    }

    async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }
}
