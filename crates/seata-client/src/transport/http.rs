//! The coordinator's HTTP API, in its words: docs/api.md.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::{Value, json};

use super::answers;
use super::connection::{Answered, Connections};
use super::{Changes, Events, Transport};
use crate::client::ClientConfig;
use crate::error::Error;
use crate::feed::changes_of;
use crate::gid::Gid;
use crate::requests::{
    BranchRequest, Change, FeedQuery, ListQuery, Order, OrderKind, Settle, Settled,
    TransactionRequest, Tried,
};
use crate::view::{Event, Page, Transaction};
use crate::watch::events_of;
use crate::words::Status;

/// A coordinator's HTTP port.
pub(crate) struct HttpTransport {
    /// Without a slash at its end.
    base: String,
    connections: Connections,
    headers: HeaderMap,
    request_timeout: Duration,
    answer_bytes_max: usize,
}

impl HttpTransport {
    pub(crate) fn new(url: &str, config: &ClientConfig) -> Result<Self, Error> {
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        let host = url
            .parse::<Uri>()
            .ok()
            .and_then(|uri| Some(!uri.host()?.is_empty()));
        if !is_http || host != Some(true) {
            let why = format!("{url:?} is no URL of a coordinator: write http://host:port");
            return Err(Error::Invalid(why));
        }
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
            connections: Connections::new(config.connect_timeout),
            headers: headers(config)?,
            request_timeout: config.request_timeout,
            answer_bytes_max: config.answer_bytes_max,
        })
    }

    async fn get_path(&self, path: &str) -> Result<Answered, Error> {
        let request = self.request(Method::GET, path, Bytes::new())?;
        self.connections
            .exchange(request, self.request_timeout, self.answer_bytes_max)
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answered, Error> {
        self.post_within(path, body, self.request_timeout).await
    }

    async fn post_within(
        &self,
        path: &str,
        body: &Value,
        limit: Duration,
    ) -> Result<Answered, Error> {
        let body = Bytes::from(body.to_string());
        let mut request = self.request(Method::POST, path, body)?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.connections
            .exchange(request, limit, self.answer_bytes_max)
            .await
    }

    /// Opens a stream of events, behind the one of this id.
    async fn stream(&self, path: &str, behind: Option<&str>) -> Result<Incoming, Error> {
        let mut request = self.request(Method::GET, path, Bytes::new())?;
        let stream = HeaderValue::from_static("text/event-stream");
        request.headers_mut().insert(ACCEPT, stream);
        if let Some(behind) = behind {
            let id = HeaderValue::try_from(behind);
            let id = id.map_err(|_| Error::Invalid(format!("{behind:?} is no id of an event")))?;
            request.headers_mut().insert("last-event-id", id);
        }
        let response = self.connections.open(request, self.request_timeout).await?;
        answers::opened(response, self.answer_bytes_max).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .body(Full::new(body))
            .map_err(|error| Error::Invalid(error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

fn headers(config: &ClientConfig) -> Result<HeaderMap, Error> {
    let pairs = config.headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    let headers: Option<HeaderMap> = pairs.collect();
    headers.ok_or_else(|| Error::Invalid("a configured header is none".to_owned()))
}

fn to_json(body: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(body).map_err(|error| Error::Invalid(error.to_string()))
}

/// Answers a body with one more field.
fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

#[async_trait]
impl Transport for HttpTransport {
    async fn start(&self, request: &TransactionRequest) -> Result<(), Error> {
        let answered = self.post("/api/start", &to_json(request)?).await?;
        answers::done(&answered)
    }

    async fn settle(&self, settle: &Settle, wait: Option<Duration>) -> Result<Settled, Error> {
        let (path, mut body) = match settle {
            Settle::Whole(request) => ("/api/submit", to_json(request)?),
            Settle::Submit(gid) => ("/api/submit", json!({ "gid": gid })),
            Settle::Abort { gid, reason } => {
                ("/api/abort", json!({ "gid": gid, "reason": reason }))
            }
        };
        if let Some(wait) = wait {
            body = with(body, "wait", wait.as_secs_f64());
        }
        let limit = self
            .request_timeout
            .saturating_add(wait.unwrap_or_default());
        answers::settled(&self.post_within(path, &body, limit).await?)
    }

    async fn change(&self, gid: &Gid, change: &Change) -> Result<(), Error> {
        let (path, body) = match change {
            Change::Add(branch) => ("/api/branch/add", to_json(branch)?),
            Change::Register(branch) => ("/api/branch/register", to_json(branch)?),
            Change::Confirm(branch) => ("/api/branch/confirm", json!({ "branch_id": branch })),
            Change::Cancel(branch) => ("/api/branch/cancel", json!({ "branch_id": branch })),
            Change::Succeed(completed) => ("/api/branch/succeed", to_json(completed)?),
            Change::Fail(completed) => ("/api/branch/fail", to_json(completed)?),
        };
        let answered = self.post(path, &with(body, "gid", gid.as_str())).await?;
        answers::done(&answered)
    }

    async fn try_branch(
        &self,
        gid: &Gid,
        branch: &BranchRequest,
        call_timeout: Duration,
    ) -> Result<Tried, Error> {
        let body = with(to_json(branch)?, "gid", gid.as_str());
        let limit = self.request_timeout.saturating_add(call_timeout);
        answers::tried(&self.post_within("/api/branch/try", &body, limit).await?)
    }

    async fn order(&self, gid: &Gid, order: &Order) -> Result<Transaction, Error> {
        let kind = match order.kind {
            OrderKind::Retry => "retry",
            OrderKind::Skip => "skip",
            OrderKind::Force => "force",
        };
        let path = format!("/api/tx/{gid}/{kind}");
        answers::ordered(&self.post(&path, &order.fields).await?)
    }

    async fn get(&self, gid: &Gid) -> Result<Transaction, Error> {
        answers::json(&self.get_path(&format!("/api/tx/{gid}")).await?)
    }

    async fn events(&self, gid: &Gid) -> Result<Vec<Event>, Error> {
        answers::json(&self.get_path(&format!("/api/tx/{gid}/events")).await?)
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, Error> {
        answers::page(
            &self
                .get_path(&format!("/api/tx?{}", query_text(query)))
                .await?,
        )
    }

    async fn watch(&self, gid: &Gid, after: Option<u64>) -> Result<Events, Error> {
        let after = after.map(|number| number.to_string());
        let path = format!("/api/tx/{gid}/watch");
        self.stream(&path, after.as_deref()).await.map(events_of)
    }

    async fn watch_all(&self, query: &FeedQuery) -> Result<Changes, Error> {
        let path = format!("/api/watch?{}", feed_text(query));
        let behind = query.behind.as_deref();
        self.stream(&path, behind).await.map(changes_of)
    }
}

/// Says a query in the words of a URL. What is not given is not named: an empty value is refused.
fn feed_text(query: &FeedQuery) -> String {
    text(&[
        ("status", statuses(&query.statuses)),
        ("mode", query.mode.clone()),
    ])
}

fn statuses(statuses: &[Status]) -> Option<String> {
    let words: Vec<_> = statuses.iter().map(Status::as_str).collect();
    Some(words.join(",")).filter(|text| !text.is_empty())
}

fn text(pairs: &[(&str, Option<String>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| {
        let value = value.as_deref()?;
        Some(format!("{name}={}", encoded(value)))
    });
    given.collect::<Vec<_>>().join("&")
}

/// Says a query in the words of a URL.
fn query_text(query: &ListQuery) -> String {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    text(&[
        ("limit", query.limit.map(|limit| limit.to_string())),
        ("status", statuses(&query.statuses)),
        ("created_after", number(query.created_after_unix)),
        ("created_before", number(query.created_before_unix)),
        ("gid_prefix", query.gid_prefix.clone()),
        ("cursor", query.cursor.clone()),
    ])
}

/// Encodes what has a meaning of its own in a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' | b':' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_of_a_coordinator_is_taken() {
        let config = ClientConfig::default();
        for good in ["http://a", "http://127.0.0.1:36789/", "https://a.b/seata"] {
            assert!(HttpTransport::new(good, &config).is_ok(), "{good}");
        }
        for bad in ["", "a:1", "grpc://a:1", "http://", "http://a b", "//a"] {
            assert!(HttpTransport::new(bad, &config).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_names_what_is_given_and_encodes_it() {
        let query = ListQuery {
            limit: Some(50),
            statuses: vec![Status::Stuck, Status::Aborting],
            cursor: Some("a+b&c=/".to_owned()),
            ..ListQuery::default()
        };
        assert_eq!(
            query_text(&query),
            "limit=50&status=STUCK,ABORTING&cursor=a%2Bb%26c%3D%2F"
        );
        assert_eq!(query_text(&ListQuery::default()), "");
    }
}
