//! An API with participants that answer by script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use seata_core::{Endpoint, Outcome, UnixMillis};
use seata_engine::{Call, Caller, Clock, Config, Engine, Slot, Task};
use seata_http::{Api, ApiConfig, Defaults, Limits, LocalEndpoints, Origins, Rules, Service};
use seata_service::{Shards, StoreFacts};
use seata_store::{Append, Owner};
use seata_store_mem::{AppendFault, Faults, FaultyStore, MemStore, OtherFault, StoreCall};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::described::Document;

struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

/// Answers calls by script, per endpoint: (delay in ms, outcome); then success at once.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<BTreeMap<String, VecDeque<(u64, Outcome)>>>,
    pub(crate) calls: Mutex<Vec<Call>>,
}

impl Script {
    fn next(&self, endpoint: &str) -> (u64, Outcome) {
        let mut answers = self.answers.lock().unwrap();
        let next = answers.get_mut(endpoint).and_then(VecDeque::pop_front);
        next.unwrap_or((0, Outcome::Success))
    }
}

#[async_trait]
impl Caller for Script {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, _: Slot) -> Outcome {
        let endpoint = call.endpoint.as_str().to_owned();
        self.calls.lock().unwrap().push(call);
        let (delay_ms, outcome) = self.next(&endpoint);
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        outcome
    }
}

/// A store that is there or isn't.
#[derive(Default)]
pub(crate) struct Down {
    now: AtomicBool,
    /// So many pages of the list are answered, then so many are not.
    lists: Mutex<(u32, u32)>,
}

impl Down {
    pub(crate) fn now(&self) {
        self.now.store(true, Ordering::Relaxed);
    }
    pub(crate) fn for_pages(&self, count: u32, behind: u32) {
        *self.lists.lock().unwrap() = (behind, count);
    }
    fn is_down(&self) -> bool {
        self.now.load(Ordering::Relaxed)
    }
    fn is_down_for_a_page(&self) -> bool {
        let mut lists = self.lists.lock().unwrap();
        let (answered, failing) = &mut *lists;
        if *answered > 0 {
            *answered -= 1;
            return false;
        }
        let fails = *failing > 0;
        *failing = failing.saturating_sub(1);
        fails
    }
}

impl Faults for Down {
    fn on_append(&self, _: &[Append]) -> AppendFault {
        if self.is_down() {
            AppendFault::Unavailable
        } else {
            AppendFault::None
        }
    }
    fn on_other(&self, call: StoreCall) -> OtherFault {
        if self.is_down() || call == StoreCall::List && self.is_down_for_a_page() {
            OtherFault::Unavailable
        } else {
            OtherFault::None
        }
    }
}

pub(crate) struct World {
    pub(crate) api: Arc<Api>,
    pub(crate) engine: Engine,
    pub(crate) store: MemStore,
    pub(crate) script: Arc<Script>,
    pub(crate) down: Arc<Down>,
    router: Router,
    document: Document,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As JSON; what is none, as a text.
    pub(crate) body: Value,
    pub(crate) text: String,
}

pub(crate) const LIMITS: Limits = Limits {
    body_bytes_max: 64 << 10,
    payload_bytes_max: 16 << 10,
    branches_max: 1_000,
};

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::new(Owner(1))).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::with_limits(config, LIMITS).await
    }

    pub(crate) async fn with_limits(config: Config, limits: Limits) -> Self {
        Self::with_api(config, limits, ApiConfig::default()).await
    }

    pub(crate) async fn for_pages_of(cors_origins: Origins) -> Self {
        let api = ApiConfig {
            cors_origins,
            ..ApiConfig::default()
        };
        Self::with_api(Config::new(Owner(1)), LIMITS, api).await
    }

    async fn with_api(config: Config, limits: Limits, api: ApiConfig) -> Self {
        let start = Instant::now();
        let store = MemStore::new(Arc::new(move || {
            UnixMillis(1_700_000_000_000 + i64::try_from(start.elapsed().as_millis()).unwrap())
        }));
        let (script, down) = (Arc::<Script>::default(), Arc::<Down>::default());
        let engine = Engine::start(
            Arc::new(FaultyStore::new(store.clone(), down.clone())),
            script.clone(),
            Arc::new(VirtualClock(start)),
            config,
        )
        .await
        .unwrap();
        let rules = Rules {
            defaults: Defaults::default(),
            limits,
            local: LocalEndpoints::Refused,
        };
        let config = ApiConfig {
            version: "1.2.3",
            ..api
        };
        let service = Service::new(engine.clone(), rules);
        let api = Api::new(service, config, Arc::new(|| "# metrics\n".to_owned()));
        let router = api.router();
        let document = Request::get("/api/openapi.json").body(Body::empty());
        let document = read(router.clone().oneshot(document.unwrap()).await.unwrap()).await;
        Self {
            router,
            document: Document::new(document.body),
            api,
            engine,
            store,
            script,
            down,
        }
    }

    /// The same, told that its transactions are spread over databases.
    pub(crate) fn on(mut self, shards: Shards) -> Self {
        let rules = Rules {
            defaults: Defaults::default(),
            limits: LIMITS,
            local: LocalEndpoints::Refused,
        };
        let facts = StoreFacts {
            kind: Some("postgres"),
            shards: Some(shards),
        };
        let service = Service::new(self.engine.clone(), rules).with_store(facts);
        self.api = Api::new(service, ApiConfig::default(), Arc::new(String::new));
        self.router = self.api.router();
        self
    }

    /// Lets the endpoint answer so, in this order.
    pub(crate) fn say(&self, endpoint: &str, answers: impl IntoIterator<Item = (u64, Outcome)>) {
        let answers = answers.into_iter().collect();
        self.script
            .answers
            .lock()
            .unwrap()
            .insert(endpoint.to_owned(), answers);
    }

    /// Answers without reading the body.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let answered = read(self.open(request).await).await;
        let Answered {
            status,
            headers,
            body,
            ..
        } = &answered;
        self.document
            .check((&method, uri.path()), *status, headers, body);
        answered
    }

    pub(crate) async fn post_bytes(&self, path: &str, body: impl Into<Body>) -> Answered {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answered {
        self.post_bytes(path, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Posts and expects 200.
    pub(crate) async fn ok(&self, path: &str, body: Value) -> Value {
        let answered = self.post(path, body).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.body);
        answered.body
    }
}

pub(crate) async fn read(response: Response<Body>) -> Answered {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
    Answered {
        status: parts.status,
        headers: parts.headers,
        body,
        text,
    }
}

impl Answered {
    /// Checks that it is a refusal in the one shape, and answers its code.
    pub(crate) fn code(&self) -> &str {
        let object = self.body.as_object().unwrap_or_else(|| panic!("{self:?}"));
        assert!(self.status.is_client_error() || self.status.is_server_error());
        assert!(
            object["error"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(object["details"].is_object(), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json");
        let code = object["code"].as_str().unwrap();
        let known = seata_http::ErrorCode::ALL
            .iter()
            .find(|known| known.as_str() == code);
        assert_eq!(
            seata_http::status_of(*known.unwrap()),
            self.status,
            "{self:?}"
        );
        let passes = [429, 503].contains(&self.status.as_u16());
        assert_eq!(self.headers.contains_key("retry-after"), passes, "{self:?}");
        code
    }

    pub(crate) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap()
    }
}

/// A branch with both endpoints.
pub(crate) fn branch(name: &str) -> Value {
    json!({"branch_id": name, "action": format!("http://{name}/do"), "compensation": format!("http://{name}/undo")})
}

pub(crate) fn saga(gid: &str) -> Value {
    json!({"gid": gid, "branches": [branch("b1"), branch("b2")]})
}

/// The same object with more fields.
pub(crate) fn plus(mut object: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
    object
}

pub(crate) fn refused() -> Outcome {
    Outcome::Failure {
        reason: "409 Conflict: sold out".into(),
    }
}

pub(crate) fn unknown() -> Outcome {
    Outcome::Unknown {
        reason: "503 Service Unavailable".into(),
    }
}
