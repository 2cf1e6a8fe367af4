//! One keep-alive connection of the load: one request after the other, no pool and no retry.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection.
pub(crate) struct Lane {
    target: SocketAddr,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

impl Lane {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) async fn open(target: SocketAddr) -> Result<Self> {
        Ok(Self {
            target,
            host: HeaderValue::try_from(target.to_string()).context("writing the host")?,
            sender: connect(target).await?,
        })
    }

    /// Keeps a connection that leads to the target, or connects.
    pub(crate) async fn reopen(kept: Option<Self>, target: SocketAddr) -> Result<Self> {
        match kept {
            Some(lane) if lane.target == target => Ok(lane),
            Some(_) | None => Self::open(target).await,
        }
    }

    /// Posts JSON; answers the status.
    pub(crate) async fn post(&mut self, path: &'static str, body: Bytes) -> Result<StatusCode> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(body))
            .context("making a request")?;
        Ok(self.send(request).await?.0)
    }

    /// Puts nothing; answers the status.
    pub(crate) async fn put(&mut self, path: &'static str) -> Result<StatusCode> {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(path)
            .header(HOST, self.host.clone())
            .body(Full::default())
            .context("making a request")?;
        Ok(self.send(request).await?.0)
    }

    /// Gets a path; answers the status and the body.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .uri(path)
            .header(HOST, self.host.clone())
            .body(Full::default())
            .context("making a request")?;
        self.send(request).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        // The other side may have closed it while it was idle.
        if self.sender.ready().await.is_err() {
            self.sender = connect(self.target).await?;
        }
        let response = self.sender.send_request(request).await;
        let response = response.with_context(|| format!("sending to {}", self.target))?;
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.context("reading an answer")?;
        Ok((status, body.to_bytes()))
    }
}

async fn connect(target: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(target).await;
    let stream = stream.with_context(|| format!("connecting to {target}"))?;
    stream.set_nodelay(true).context("setting nodelay")?;
    let connected = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = connected.context("beginning HTTP")?;
    tokio::spawn(connection);
    Ok(sender)
}
