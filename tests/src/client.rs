//! A client of the server's HTTP interface. It makes each request once and reads whatever comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::until::{PATIENCE, until};

/// An answer of the server.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null if it is none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// Answers the stable code of a refusal.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// Answers a header as text; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or("")
    }

    /// Answers whether only the store's slowness refused it, as happens on a busy machine: the same may be asked again.
    #[must_use]
    pub fn is_for_a_busy_store(&self) -> bool {
        match self.code() {
            "STORE_UNAVAILABLE" => true,
            "OVERLOADED" => self.text.contains("the journal"),
            _ => false,
        }
    }

    /// Answers the body of a request that was answered 200.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }

    /// Asserts a refusal, in the one shape that all of them have.
    ///
    /// # Panics
    /// It is another answer.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
        assert!(self.body["error"].is_string(), "{}", self.text);
        assert!(self.body["details"].is_object(), "{}", self.text);
    }
}

/// A client.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    pub(crate) port: Arc<AtomicU16>,
}

impl Client {
    pub(crate) fn new(port: Arc<AtomicU16>) -> Self {
        Self {
            http: legacy::Client::builder(TokioExecutor::new()).build_http(),
            port,
        }
    }

    /// Makes a client with connections of its own.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(Arc::clone(&self.port))
    }

    /// Sends one request.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(self.uri(path));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        self.exchange(request.body(Full::new(body.into())).unwrap())
            .await
    }

    fn uri(&self, path: &str) -> String {
        let port = self.port.load(Ordering::SeqCst);
        format!("http://127.0.0.1:{port}{path}")
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let exchange = async {
            let response = self.http.request(request).await;
            let (parts, body) = response.map_err(|error| format!("{error:?}"))?.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?;
            Ok((parts, body.to_bytes()))
        };
        let (parts, bytes) = tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// No answer came: whether it was done is not known.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let body = body.to_string();
        self.send(Method::POST, path, Some("application/json"), body)
            .await
    }

    /// Posts JSON to a server that is known to be up.
    pub async fn post(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.try_post(path, &body.into()).await.unwrap()
    }

    /// Posts JSON to a server that is known to be up, again and again until its store has time: for what may be asked twice.
    pub async fn insist(&self, path: &str, body: impl Into<Value>) -> Answer {
        let body = body.into();
        until(&format!("{path} is taken"), async || {
            let answer = self.try_post(path, &body).await.unwrap();
            (!answer.is_for_a_busy_store()).then_some(answer)
        })
        .await
    }

    /// Posts a text as JSON, as it is.
    pub async fn post_text(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::POST, path, Some("application/json"), body)
            .await
            .unwrap()
    }

    /// Gets from a server that is known to be up.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, "").await.unwrap()
    }

    /// Gets from a server that is known to be up, again and again until its store has time.
    async fn find(&self, path: &str) -> Answer {
        until(&format!("{path} is answered"), async || {
            let answer = self.get(path).await;
            (!answer.is_for_a_busy_store()).then_some(answer)
        })
        .await
    }

    /// Gets something as one of the kinds in which it can be had.
    pub async fn get_as(&self, path: &str, accept: Option<&str>) -> Answer {
        let mut request = Request::get(self.uri(path));
        if let Some(kind) = accept {
            request = request.header(ACCEPT, kind);
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        self.exchange(request).await.unwrap()
    }

    /// Submits a whole transaction and answers it once it is settled.
    ///
    /// # Panics
    /// It is not within the time that the server waits.
    pub async fn run(&self, whole: impl Into<Value>) -> Value {
        let mut whole = whole.into();
        whole["wait"] = json!(60);
        let answer = self.insist("/api/submit", whole).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["transaction"].clone()
    }

    /// Submits a whole transaction without waiting for it.
    ///
    /// # Panics
    /// It is not accepted.
    pub async fn submit(&self, whole: impl Into<Value>) {
        let answer = self.insist("/api/submit", whole).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Answers a transaction that exists.
    ///
    /// # Panics
    /// It does not.
    pub async fn tx(&self, gid: &str) -> Value {
        let answer = self.find(&format!("/api/tx/{gid}")).await;
        assert_eq!(answer.status, 200, "{gid}: {}", answer.text);
        answer.body
    }

    /// Answers the history of a transaction.
    ///
    /// # Panics
    /// It does not exist.
    pub async fn events(&self, gid: &str) -> Vec<Value> {
        let answer = self.find(&format!("/api/tx/{gid}/events")).await;
        assert_eq!(answer.status, 200, "{gid}: {}", answer.text);
        answer.body.as_array().unwrap().clone()
    }

    /// Waits until a transaction has a status.
    pub async fn reached(&self, gid: &str, status: &str) -> Value {
        until(&format!("{gid} is {status}"), async || {
            Some(self.tx(gid).await).filter(|tx| tx["status"] == status)
        })
        .await
    }

    /// Waits until so much time has passed by the server's own clock: a saga of this name that nobody submits tells it.
    pub async fn passed(&self, gid: &str, secs: u32) {
        let start = json!({ "gid": gid, "options": { "prepared_timeout_secs": secs } });
        self.insist("/api/start", start).await.ok();
        self.reached(gid, "ABORTED").await;
    }

    /// Waits until no transaction is open, neither waiting nor stuck.
    pub async fn all_ended(&self) {
        let open = "/api/tx?limit=1&status=PREPARED,SUBMITTED,ABORTING,STUCK";
        until("every transaction has ended", async || {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let answer = self.get(open).await;
            (answer.status == 200 && answer.body == json!([])).then_some(())
        })
        .await;
    }
}
