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
        let mut endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(invalid)?
            .connect_timeout(config.connect_timeout);
        if url.starts_with("https://") {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(invalid)?;
        }
        let client = TransactionServiceClient::new(endpoint.connect_lazy());
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
    use super::*;

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
