//! The coordinator's gRPC API: proto/seata/v1/transaction.proto.

mod answers;
mod requests;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::{Changes, Events, Transport};
use crate::client::ClientConfig;
use crate::error::{Error, ErrorCode};
use crate::gid::Gid;
use crate::requests::{
    BranchRequest, Change, FeedQuery, ListQuery, Order, OrderKind, Settle, Settled,
    TransactionRequest, Tried,
};
use crate::view::{Event, Page, Transaction};

/// The longest time limit that the wire has words for: eight digits of hours. A longer one is none.
const TIMEOUT_MAX: Duration = Duration::from_secs(99_999_999 * 3_600);

/// How often a coordinator is asked whether it lives, and how long it may take to say so: a watch would wait for one that
/// is gone without a word else without end.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(20);

type Metadata = Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>;

/// A coordinator's gRPC port.
pub(crate) struct GrpcTransport {
    client: TransactionServiceClient<Channel>,
    metadata: Metadata,
    request_timeout: Duration,
}

impl GrpcTransport {
    pub(crate) fn new(url: &str, config: &ClientConfig) -> Result<Self, Error> {
        let invalid = |error: tonic::transport::Error| Error::Invalid(format!("{url:?}: {error}"));
        let endpoint = endpoint(url, config).map_err(invalid)?;
        Self::over(endpoint.connect_lazy(), config)
    }

    fn over(channel: Channel, config: &ClientConfig) -> Result<Self, Error> {
        let client = TransactionServiceClient::new(channel);
        Ok(Self {
            client: client.max_decoding_message_size(config.answer_bytes_max),
            metadata: metadata(config)?,
            request_timeout: config.request_timeout,
        })
    }

    fn client(&self) -> TransactionServiceClient<Channel> {
        self.client.clone()
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        self.within(message, self.request_timeout)
    }

    fn within<T>(&self, message: T, limit: Duration) -> tonic::Request<T> {
        let mut request = self.endless(message);
        if limit <= TIMEOUT_MAX {
            request.set_timeout(limit);
        }
        request
    }

    /// A request whose answer may take as long as it likes.
    fn endless<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        for (name, value) in &self.metadata {
            request.metadata_mut().insert(name.clone(), value.clone());
        }
        request
    }
}

fn endpoint(url: &str, config: &ClientConfig) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(config.connect_timeout)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true);
    if url.starts_with("https://") {
        return endpoint.tls_config(ClientTlsConfig::new().with_native_roots());
    }
    Ok(endpoint)
}

fn metadata(config: &ClientConfig) -> Result<Metadata, Error> {
    let pairs = config.headers.iter().map(|(name, value)| {
        let name = name.to_lowercase().parse().ok()?;
        Some((name, value.parse().ok()?))
    });
    let pairs: Option<Metadata> = pairs.collect();
    pairs.ok_or_else(|| Error::Invalid("a configured header is none".to_owned()))
}

#[async_trait]
impl Transport for GrpcTransport {
    async fn start(&self, request: &TransactionRequest) -> Result<(), Error> {
        let message = v1::StartGlobalRequest {
            gid: request.gid.to_string(),
            transaction: Some(requests::transaction(request)),
        };
        let started = self.client().start_global(self.request(message)).await;
        started.map(drop).map_err(answers::error)
    }

    async fn settle(&self, settle: &Settle, wait: Option<Duration>) -> Result<Settled, Error> {
        let limit = self
            .request_timeout
            .saturating_add(wait.unwrap_or_default());
        let wait = wait.map(requests::span);
        let (gid, transaction) = match settle {
            Settle::Whole(request) => (&request.gid, Some(requests::transaction(request))),
            Settle::Submit(gid) => (gid, None),
            Settle::Abort { gid, reason } => {
                let message = v1::AbortRequest {
                    gid: gid.to_string(),
                    reason: reason.clone().unwrap_or_default(),
                    wait,
                };
                let aborted = self.client().abort(self.within(message, limit)).await;
                let said = aborted.map_err(answers::error)?.into_inner();
                return answers::settled(said.progress, said.transaction_status, said.transaction);
            }
        };
        let message = v1::SubmitRequest {
            gid: gid.to_string(),
            transaction,
            wait,
        };
        let submitted = self.client().submit(self.within(message, limit)).await;
        let said = submitted.map_err(answers::error)?.into_inner();
        answers::settled(said.progress, said.transaction_status, said.transaction)
    }

    async fn change(&self, gid: &Gid, change: &Change) -> Result<(), Error> {
        let (gid, mut client) = (gid.to_string(), self.client());
        let done = match change.clone() {
            Change::Add(branch) => {
                let branch = Some(requests::branch(&branch));
                let request = self.request(v1::AddBranchRequest { gid, branch });
                client.add_branch(request).await.map(drop)
            }
            Change::Register(branch) => {
                let branch = Some(requests::branch(&branch));
                let request = self.request(v1::BranchRegisterRequest { gid, branch });
                client.branch_register(request).await.map(drop)
            }
            Change::Confirm(branch_id) => {
                let request = self.request(v1::BranchConfirmRequest { gid, branch_id });
                client.branch_confirm(request).await.map(drop)
            }
            Change::Cancel(branch_id) => {
                let request = self.request(v1::BranchCancelRequest { gid, branch_id });
                client.branch_cancel(request).await.map(drop)
            }
            Change::Succeed(completed) => {
                let request = self.request(v1::BranchSucceedRequest {
                    gid,
                    branch_id: completed.branch_id,
                    operation: requests::operation(completed.operation),
                });
                client.branch_succeed(request).await.map(drop)
            }
            Change::Fail(completed) => {
                let request = self.request(v1::BranchFailRequest {
                    gid,
                    branch_id: completed.branch_id,
                    operation: requests::operation(completed.operation),
                    reason: completed.reason.unwrap_or_default(),
                });
                client.branch_fail(request).await.map(drop)
            }
        };
        done.map_err(answers::error)
    }

    async fn try_branch(
        &self,
        gid: &Gid,
        branch: &BranchRequest,
        call_timeout: Duration,
    ) -> Result<Tried, Error> {
        let message = v1::BranchTryRequest {
            gid: gid.to_string(),
            branch: Some(requests::branch(branch)),
        };
        let request = self.within(message, self.request_timeout.saturating_add(call_timeout));
        let status = match self.client().branch_try(request).await {
            Ok(said) => return answers::tried(said.into_inner()),
            Err(status) => status,
        };
        let error = answers::error(status);
        if let Error::Refused(refusal) = &error
            && refusal.code == ErrorCode::BranchRefused
        {
            return Ok(super::answers::refused_try(refusal));
        }
        Err(error)
    }

    async fn order(&self, gid: &Gid, order: &Order) -> Result<Transaction, Error> {
        let (gid, mut client) = (gid.to_string(), self.client());
        let text = |name: &str| order.fields[name].as_str().unwrap_or_default().to_owned();
        let reason = text("reason");
        let done = match order.kind {
            OrderKind::Retry => {
                let branch_id = text("branch_id");
                let request = self.request(v1::RetryRequest {
                    gid,
                    branch_id,
                    reason,
                });
                let said = client.retry(request).await;
                said.map(|said| said.into_inner().transaction)
            }
            OrderKind::Skip => {
                let operation = crate::participant::Operation::parse(&text("operation"));
                let request = self.request(v1::SkipRequest {
                    gid,
                    branch_id: text("branch_id"),
                    operation: requests::operation(operation),
                    reason,
                });
                let said = client.skip(request).await;
                said.map(|said| said.into_inner().transaction)
            }
            OrderKind::Force => {
                let to = requests::end(&text("to"));
                let request = self.request(v1::ForceRequest { gid, to, reason });
                let said = client.force(request).await;
                said.map(|said| said.into_inner().transaction)
            }
        };
        answers::shown(done.map_err(answers::error)?)
    }

    async fn get(&self, gid: &Gid) -> Result<Transaction, Error> {
        let gid = gid.to_string();
        let said = self
            .client()
            .get(self.request(v1::GetRequest { gid }))
            .await;
        answers::shown(said.map_err(answers::error)?.into_inner().transaction)
    }

    async fn events(&self, gid: &Gid) -> Result<Vec<Event>, Error> {
        let gid = gid.to_string();
        let request = self.request(v1::EventsRequest { gid });
        let stream = self
            .client()
            .events(request)
            .await
            .map_err(answers::error)?;
        let events = stream.into_inner().map_ok(answers::event);
        events.map_err(answers::error).try_collect().await
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, Error> {
        let request = self.request(requests::list(query));
        let said = self.client().list(request).await.map_err(answers::error)?;
        answers::page(said.into_inner())
    }

    async fn watch(&self, gid: &Gid, after: Option<u64>) -> Result<Events, Error> {
        let message = v1::WatchRequest {
            gid: gid.to_string(),
            behind_event: after.and_then(|after| after.try_into().ok()).unwrap_or(0),
            ..v1::WatchRequest::default()
        };
        let opened = self.client().watch(self.endless(message)).await;
        let told = opened.map_err(answers::error)?.into_inner();
        let events = told.filter_map(|told| async {
            match told {
                Ok(told) => answers::watched(told).map(Ok),
                Err(status) => Some(Err(answers::error(status))),
            }
        });
        Ok(events.boxed())
    }

    async fn watch_all(&self, _query: &FeedQuery) -> Result<Changes, Error> {
        // Over gRPC a watch of all can't go on where it ended, and a feed that loses changes in silence is none.
        let why = "a watch of all transactions goes over HTTP: use a client of the HTTP port";
        Err(Error::Invalid(why.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::{Context, Poll};

    use futures_util::future::{BoxFuture, ready};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, sink};
    use tokio::time::timeout;
    use tonic::codegen::Service;

    use super::*;

    /// Connects to a coordinator that opens one stream of answers and is gone then without a word.
    struct Gone;

    impl Service<http::Uri> for Gone {
        type Response = TokioIo<DuplexStream>;
        type Error = io::Error;
        type Future = BoxFuture<'static, io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Uri) -> Self::Future {
            let (ours, theirs) = duplex(64 * 1024);
            tokio::spawn(opens_and_goes(theirs));
            Box::pin(ready(Ok(TokioIo::new(ours))))
        }
    }

    async fn opens_and_goes(mut stream: DuplexStream) -> io::Result<()> {
        // Settings, of which there are none.
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
        stream.read_exact(&mut [0; 24]).await?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let [a, b, c, kind, ..] = head;
            let mut frame = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            stream.read_exact(&mut frame).await?;
            // The head of the request.
            if kind == 1 {
                break;
            }
        }
        // The head of an answer on stream 1: status 200, a content type.
        let answer = [0, 0, 20, 1, 4, 0, 0, 0, 1, 0x88, 0x0f, 0x10, 16];
        stream.write_all(&answer).await?;
        stream.write_all(b"application/grpc").await?;
        copy(&mut stream, &mut sink()).await.map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_ends_with_an_error_that_passes_when_its_server_is_gone_without_a_word() {
        let config = ClientConfig::default();
        let endpoint = endpoint("http://gone", &config).expect("a URL");
        let channel = endpoint.connect_with_connector_lazy(Gone);
        let transport = GrpcTransport::over(channel, &config).expect("no headers");
        let gid = Gid::parse("g").expect("a gid");
        let mut events = transport.watch(&gid, None).await.expect("a stream");
        let told = timeout(Duration::from_secs(60), events.next()).await;
        let error = told.expect("an end").expect("an error").expect_err("gone");
        assert!(error.may_pass(), "{error}");
    }

    #[tokio::test]
    async fn a_time_limit_without_end_is_none() {
        let config = ClientConfig {
            request_timeout: Duration::MAX,
            ..ClientConfig::default()
        };
        let transport = GrpcTransport::new("http://127.0.0.1:1", &config).expect("a URL");
        let limited = |limit| transport.within((), limit);
        let named = |request: &tonic::Request<()>| request.metadata().contains_key("grpc-timeout");
        assert!(!named(&limited(Duration::MAX)));
        assert!(named(&limited(Duration::from_secs(86_400))));
    }
}
