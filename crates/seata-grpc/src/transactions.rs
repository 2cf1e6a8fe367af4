//! The methods of `seata.v1.TransactionService`: read, ask the service, render.

use seata_core::Gid;
use seata_engine::{Completion, Order, Snapshot};
use seata_proto::v1;
use seata_proto::v1::transaction_service_server::TransactionService;
use seata_service::request::OrderRequest;
use seata_service::{EndWord, Problem, Service, Settled, Tried};
use tonic::{Request, Response, Status};

use crate::status::{Within, refuse};
use crate::watch::{Filter, Messages};
use crate::{read, render, watch};

/// The methods over one service.
pub(crate) struct Transactions {
    pub(crate) service: Service,
}

#[tonic::async_trait]
impl TransactionService for Transactions {
    type ListStreamStream = Messages<v1::TransactionHeader>;
    type EventsStream = Messages<v1::Event>;
    type WatchStream = Messages<v1::WatchResponse>;

    async fn start_global(
        &self,
        request: Request<v1::StartGlobalRequest>,
    ) -> Result<Response<v1::StartGlobalResponse>, Status> {
        let message = request.into_inner();
        answer(self.start(message).await, Within::Transaction)
    }

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let message = request.into_inner();
        answer(self.submitted(message).await, Within::Transaction)
    }

    async fn abort(
        &self,
        request: Request<v1::AbortRequest>,
    ) -> Result<Response<v1::AbortResponse>, Status> {
        let message = request.into_inner();
        answer(self.aborted(message).await, Within::Request)
    }

    async fn add_branch(
        &self,
        request: Request<v1::AddBranchRequest>,
    ) -> Result<Response<v1::AddBranchResponse>, Status> {
        let message = request.into_inner();
        answer(self.added(message).await, Within::Branch)
    }

    async fn branch_try(
        &self,
        request: Request<v1::BranchTryRequest>,
    ) -> Result<Response<v1::BranchTryResponse>, Status> {
        let message = request.into_inner();
        answer(self.tried(message).await, Within::Branch)
    }

    async fn branch_register(
        &self,
        request: Request<v1::BranchRegisterRequest>,
    ) -> Result<Response<v1::BranchRegisterResponse>, Status> {
        let message = request.into_inner();
        answer(self.registered(message).await, Within::Branch)
    }

    async fn branch_confirm(
        &self,
        request: Request<v1::BranchConfirmRequest>,
    ) -> Result<Response<v1::BranchConfirmResponse>, Status> {
        let message = request.into_inner();
        let decided = self.confirmed(&message).await;
        let decided = decided.map(|(gid, transaction_status)| v1::BranchConfirmResponse {
            gid,
            transaction_status,
        });
        answer(decided, Within::Request)
    }

    async fn branch_cancel(
        &self,
        request: Request<v1::BranchCancelRequest>,
    ) -> Result<Response<v1::BranchCancelResponse>, Status> {
        let message = request.into_inner();
        let decided = self.cancelled(&message).await;
        let decided = decided.map(|(gid, transaction_status)| v1::BranchCancelResponse {
            gid,
            transaction_status,
        });
        answer(decided, Within::Request)
    }

    async fn branch_succeed(
        &self,
        request: Request<v1::BranchSucceedRequest>,
    ) -> Result<Response<v1::BranchSucceedResponse>, Status> {
        let message = request.into_inner();
        let asked = read::completion(&message.gid, &message.branch_id, message.operation, "");
        let completed = match asked.and_then(|asked| asked.resolve_succeeded()) {
            Ok((gid, completion)) => self.completed(gid, completion).await,
            Err(problem) => Err(problem),
        };
        let completed = completed.map(|(gid, transaction_status)| v1::BranchSucceedResponse {
            gid,
            transaction_status,
        });
        answer(completed, Within::Request)
    }

    async fn branch_fail(
        &self,
        request: Request<v1::BranchFailRequest>,
    ) -> Result<Response<v1::BranchFailResponse>, Status> {
        let message = request.into_inner();
        let (gid, branch_id) = (&message.gid, &message.branch_id);
        let asked = read::completion(gid, branch_id, message.operation, &message.reason);
        let completed = match asked.and_then(|asked| asked.resolve_failed()) {
            Ok((gid, completion)) => self.completed(gid, completion).await,
            Err(problem) => Err(problem),
        };
        let completed = completed.map(|(gid, transaction_status)| v1::BranchFailResponse {
            gid,
            transaction_status,
        });
        answer(completed, Within::Request)
    }

    async fn get(
        &self,
        request: Request<v1::GetRequest>,
    ) -> Result<Response<v1::GetResponse>, Status> {
        let message = request.into_inner();
        answer(self.shown(&message).await, Within::Request)
    }

    async fn list(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListResponse>, Status> {
        let message = request.into_inner();
        answer(self.listed(&message).await, Within::Request)
    }

    async fn list_stream(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<Self::ListStreamStream>, Status> {
        let message = request.into_inner();
        let asked = read::list(&message).and_then(|asked| asked.resolve());
        let listed = match asked {
            Ok(asked) => watch::list(self.service.list_all(asked)).await,
            Err(problem) => Err(problem),
        };
        answer(listed, Within::Request)
    }

    async fn events(
        &self,
        request: Request<v1::EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let message = request.into_inner();
        let told = match read::gid(&message.gid) {
            Ok(gid) => watch::history(&self.service, &gid).await,
            Err(problem) => Err(problem),
        };
        answer(told, Within::Request)
    }

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let message = request.into_inner();
        answer(self.watched(&message).await, Within::Request)
    }

    async fn retry(
        &self,
        request: Request<v1::RetryRequest>,
    ) -> Result<Response<v1::RetryResponse>, Status> {
        let message = request.into_inner();
        let asked = OrderRequest {
            branch_id: read::text(&message.branch_id),
            reason: read::text(&message.reason),
            ..OrderRequest::default()
        };
        let ordered = self.ordered(&message.gid, asked.retry()).await;
        let transaction = ordered.map(Some);
        let response = transaction.map(|transaction| v1::RetryResponse { transaction });
        answer(response, Within::Request)
    }

    async fn skip(
        &self,
        request: Request<v1::SkipRequest>,
    ) -> Result<Response<v1::SkipResponse>, Status> {
        let message = request.into_inner();
        let order = read::operation(message.operation).and_then(|operation| {
            let asked = OrderRequest {
                branch_id: read::text(&message.branch_id),
                operation,
                reason: read::text(&message.reason),
                ..OrderRequest::default()
            };
            asked.skip()
        });
        let transaction = self.ordered(&message.gid, order).await.map(Some);
        let response = transaction.map(|transaction| v1::SkipResponse { transaction });
        answer(response, Within::Request)
    }

    async fn force(
        &self,
        request: Request<v1::ForceRequest>,
    ) -> Result<Response<v1::ForceResponse>, Status> {
        let message = request.into_inner();
        let order = read::end(message.to).and_then(|to| {
            let asked = OrderRequest {
                to,
                reason: read::text(&message.reason),
                ..OrderRequest::default()
            };
            asked.force()
        });
        let transaction = self.ordered(&message.gid, order).await.map(Some);
        let response = transaction.map(|transaction| v1::ForceResponse { transaction });
        answer(response, Within::Request)
    }
}

fn answer<T>(answer: Result<T, Problem>, within: Within) -> Result<Response<T>, Status> {
    answer
        .map(Response::new)
        .map_err(|problem| refuse(&problem, within))
}

/// Requests are resolved first, and their bytes let go: the engine may take as long as the store does.
impl Transactions {
    async fn start(
        &self,
        message: v1::StartGlobalRequest,
    ) -> Result<v1::StartGlobalResponse, Problem> {
        let (rules, now) = (self.service.rules(), self.service.now());
        let whole = read::start(&message, &rules.limits)?.resolve(rules, now)?;
        drop(message);
        let begun = self.service.start(whole).await?;
        Ok(v1::StartGlobalResponse {
            gid: begun.header.gid.to_string(),
        })
    }

    async fn submitted(&self, message: v1::SubmitRequest) -> Result<v1::SubmitResponse, Problem> {
        let (rules, now) = (self.service.rules(), self.service.now());
        let (submission, wait) = read::submit(&message, &rules.limits)?.resolve(rules, now)?;
        drop(message);
        let decided = self.service.submit(submission).await?;
        let settled = self.service.settle(decided, wait).await?;
        let seen = self.seen(&settled);
        Ok(v1::SubmitResponse {
            gid: seen.gid,
            progress: seen.progress,
            transaction_status: seen.status,
            transaction: seen.transaction,
        })
    }

    async fn aborted(&self, message: v1::AbortRequest) -> Result<v1::AbortResponse, Problem> {
        let (gid, reason, wait) = read::abort(&message).resolve()?;
        let decided = self.service.abort(gid, reason).await?;
        let settled = self.service.settle(decided, wait).await?;
        let seen = self.seen(&settled);
        Ok(v1::AbortResponse {
            gid: seen.gid,
            progress: seen.progress,
            transaction_status: seen.status,
            transaction: seen.transaction,
        })
    }

    async fn added(&self, message: v1::AddBranchRequest) -> Result<v1::AddBranchResponse, Problem> {
        let asked = read::added_branch(&message.gid, message.branch.as_ref());
        let added = asked.resolve(self.service.rules())?;
        drop(message);
        self.service.add_branch(added).await?;
        Ok(v1::AddBranchResponse {})
    }

    async fn registered(
        &self,
        message: v1::BranchRegisterRequest,
    ) -> Result<v1::BranchRegisterResponse, Problem> {
        let asked = read::added_branch(&message.gid, message.branch.as_ref());
        let added = asked.resolve_registered(self.service.rules())?;
        drop(message);
        self.service.register_branch(added).await?;
        Ok(v1::BranchRegisterResponse {})
    }

    async fn tried(&self, message: v1::BranchTryRequest) -> Result<v1::BranchTryResponse, Problem> {
        let asked = read::added_branch(&message.gid, message.branch.as_ref());
        let added = asked.resolve_tried(self.service.rules())?;
        drop(message);
        let branch_id = added.branch.branch_id.to_string();
        let (result, snapshot, reason) = match self.service.try_branch(added).await? {
            Tried::Succeeded(snapshot) => (v1::TryResult::Succeeded, snapshot, None),
            Tried::NotKnown { snapshot, reason } => (v1::TryResult::Pending, snapshot, reason),
        };
        Ok(v1::BranchTryResponse {
            gid: snapshot.header.gid.to_string(),
            branch_id,
            result: result.into(),
            transaction_status: render::status(snapshot.status()),
            reason: reason.map(|reason| reason.to_string()),
        })
    }

    async fn confirmed(
        &self,
        message: &v1::BranchConfirmRequest,
    ) -> Result<(String, i32), Problem> {
        let (gid, branch) = read::branch_order(&message.gid, &message.branch_id).resolve()?;
        let confirmed = self.service.confirm_branch(gid, branch).await?;
        Ok(decided(&confirmed))
    }

    async fn cancelled(&self, message: &v1::BranchCancelRequest) -> Result<(String, i32), Problem> {
        let (gid, branch) = read::branch_order(&message.gid, &message.branch_id).resolve()?;
        let cancelled = self.service.cancel_branch(gid, branch).await?;
        Ok(decided(&cancelled))
    }

    async fn completed(&self, gid: Gid, completion: Completion) -> Result<(String, i32), Problem> {
        let completed = self.service.complete(gid, completion).await?;
        Ok(decided(&completed))
    }

    async fn shown(&self, message: &v1::GetRequest) -> Result<v1::GetResponse, Problem> {
        let snapshot = self.service.get(&read::gid(&message.gid)?).await?;
        Ok(v1::GetResponse {
            transaction: Some(self.transaction(&snapshot)),
        })
    }

    async fn listed(&self, message: &v1::ListRequest) -> Result<v1::ListResponse, Problem> {
        let listed = self.service.list(read::list(message)?.resolve()?).await?;
        Ok(v1::ListResponse {
            transactions: listed.headers.iter().map(render::header).collect(),
            next_cursor: listed.next_cursor.unwrap_or_default(),
        })
    }

    async fn watched(
        &self,
        message: &v1::WatchRequest,
    ) -> Result<Messages<v1::WatchResponse>, Problem> {
        if !message.gid.is_empty() {
            let gid = read::gid(&message.gid)?;
            return watch::one(&self.service, gid, message.behind_event).await;
        }
        let filter = Filter {
            status: read::statuses(&message.status)?,
            mode: read::mode(message.mode)?,
        };
        watch::all(&self.service, filter)
    }

    async fn ordered(
        &self,
        gid: &str,
        order: Result<Order, Problem>,
    ) -> Result<v1::Transaction, Problem> {
        let snapshot = self.service.order(read::gid(gid)?, order?).await?;
        Ok(self.transaction(&snapshot))
    }

    fn transaction(&self, snapshot: &Snapshot) -> v1::Transaction {
        render::transaction(&self.service.view(snapshot))
    }

    fn seen(&self, settled: &Settled) -> Seen {
        let (snapshot, transaction) = match settled {
            Settled::Accepted(snapshot) => (snapshot, None),
            Settled::Ended(snapshot) | Settled::Pending(snapshot) => {
                (snapshot, Some(self.transaction(snapshot)))
            }
        };
        let (gid, status) = decided(snapshot);
        Seen {
            gid,
            progress: match settled {
                Settled::Accepted(_) => v1::Progress::Accepted.into(),
                Settled::Ended(snapshot) => render::progress(EndWord::of(snapshot.status())),
                Settled::Pending(_) => v1::Progress::Pending.into(),
            },
            status,
            transaction,
        }
    }
}

/// How far a client that submitted or aborted sees it come.
struct Seen {
    gid: String,
    progress: i32,
    status: i32,
    transaction: Option<v1::Transaction>,
}

fn decided(snapshot: &Snapshot) -> (String, i32) {
    let gid = snapshot.header.gid.to_string();
    (gid, render::status(snapshot.status()))
}
