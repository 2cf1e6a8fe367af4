//! The standard health service: SERVING while requests should be sent here, as `/readyz` says it over HTTP.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::{self, unfold};
use seata_proto::v1::transaction_service_server::SERVICE_NAME;
use seata_service::{Service, StoreState};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// How often a client that watches is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// The most bytes of a question: it takes no room of the messages, and holds the name of a service.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Answers how the service is.
pub(crate) struct Checks {
    service: Service,
}

/// Makes the health service.
pub(crate) fn server(service: Service) -> HealthServer<Checks> {
    HealthServer::new(Checks { service }).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Says whether this is a path of the health service.
pub(crate) fn is_path(path: &str) -> bool {
    let service = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    service.is_some_and(|(service, _)| service == tonic_health::pb::health_server::SERVICE_NAME)
}

type Statuses = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Checks {
    type WatchStream = Statuses;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found(
                "no such service: give none, or seata.v1.TransactionService",
            ));
        }
        Ok(Response::new(response(status(&self.service).await)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Statuses>, Status> {
        if !is_known(&request.get_ref().service) {
            // Services never come later here, so that there is nothing to wait for.
            let unknown = response(ServingStatus::ServiceUnknown);
            return Ok(Response::new(Box::pin(stream::iter([Ok(unknown)]))));
        }
        let statuses = unfold((self.service.clone(), None), async |(service, told)| {
            let now = changed(&service, told).await?;
            Some((Ok(response(now)), (service, Some(now))))
        });
        Ok(Response::new(Box::pin(statuses)))
    }
}

/// Waits for another status than the one that was told. None: the server stops, and all was told.
async fn changed(service: &Service, told: Option<ServingStatus>) -> Option<ServingStatus> {
    loop {
        if told == Some(ServingStatus::NotServing) && service.is_stopping() {
            return None;
        }
        let now = status(service).await;
        if told != Some(now) {
            return Some(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_known(service: &str) -> bool {
    ["", SERVICE_NAME].contains(&service)
}

async fn status(service: &Service) -> ServingStatus {
    if service.is_stopping() {
        return ServingStatus::NotServing;
    }
    match service.store().await.state {
        StoreState::Ok | StoreState::Degraded => ServingStatus::Serving,
        StoreState::Unavailable => ServingStatus::NotServing,
    }
}

const fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status as i32,
    }
}
