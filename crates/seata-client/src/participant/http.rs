//! A participant behind an HTTP endpoint, called as a coordinator would call it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;

use super::{Answer, Call, Participant};
use crate::transport::connection::Connections;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// What a coordinator reads of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Calls one HTTP endpoint.
pub struct HttpParticipant {
    endpoint: String,
    connections: Connections,
}

impl HttpParticipant {
    /// Names the endpoint: `http://…` or `https://…`.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            connections: Connections::new(CONNECT_TIMEOUT),
        }
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint)
            .header("seata-gid", call.gid.as_str())
            .header("seata-branch-id", &call.branch_id)
            .header("seata-operation", call.operation.as_str())
            .header("seata-attempt", call.attempt)
            .header("idempotency-key", call.idempotency_key())
            .body(Full::new(call.payload.clone()))?;
        if let Some(content_type) = &call.content_type {
            let value = HeaderValue::try_from(content_type)?;
            request.headers_mut().insert(CONTENT_TYPE, value);
        }
        Ok(request)
    }
}

#[async_trait]
impl Participant for HttpParticipant {
    async fn call(&self, call: &Call) -> Answer {
        let unknown = |reason: String| Answer::Unknown { reason };
        if !self.endpoint.starts_with("http://") && !self.endpoint.starts_with("https://") {
            return unknown(format!(
                "{:?} is not called over HTTP: give this branch a participant of your own",
                self.endpoint
            ));
        }
        let request = match self.request(call) {
            Ok(request) => request,
            Err(error) => return unknown(format!("{} can't be called: {error}", self.endpoint)),
        };
        let exchanged = self
            .connections
            .exchange(request, CALL_TIMEOUT, ANSWER_BYTES_MAX);
        match exchanged.await {
            Ok(answered) => {
                let text = String::from_utf8_lossy(&answered.body);
                Answer::from_response(answered.status, text.trim())
            }
            Err(error) => unknown(format!("{}: {error}", self.endpoint)),
        }
    }
}
