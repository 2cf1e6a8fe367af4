//! A service with participants that answer by script, asked over either transport.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use seata_core::{Endpoint, Outcome, UnixMillis};
use seata_engine::{Call, Caller, Clock, Config, Engine, Slot, Task};
use seata_grpc::Grpc;
use seata_http::{Api, ApiConfig};
use seata_service::{Defaults, Limits, LocalEndpoints, Rules, Service};
use seata_store::{Append, Owner};
use seata_store_mem::{AppendFault, Faults, FaultyStore, MemStore, OtherFault, StoreCall};
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::told::Told;

/// Time that can break.
pub(crate) struct VirtualClock {
    start: Instant,
    broken: Arc<AtomicBool>,
}

impl Clock for VirtualClock {
    fn boot(&self) -> Duration {
        assert!(!self.broken.load(Ordering::Relaxed), "a bug, secret");
        self.start.elapsed()
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

/// Answers calls by script, per endpoint: (delay in ms, outcome); then success at once.
#[derive(Default)]
pub(crate) struct Script(Mutex<BTreeMap<String, VecDeque<(u64, Outcome)>>>);

#[async_trait]
impl Caller for Script {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, _: Slot) -> Outcome {
        let next = {
            let mut answers = self.0.lock().unwrap();
            let script = answers.get_mut(call.endpoint.as_str());
            script.and_then(VecDeque::pop_front)
        };
        let (delay_ms, outcome) = next.unwrap_or((0, Outcome::Success));
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        outcome
    }
}

/// A store that is there or isn't.
#[derive(Default)]
pub(crate) struct Down(AtomicBool);

impl Faults for Down {
    fn on_append(&self, _: &[Append]) -> AppendFault {
        match self.0.load(Ordering::Relaxed) {
            true => AppendFault::Unavailable,
            false => AppendFault::None,
        }
    }
    fn on_other(&self, _: StoreCall) -> OtherFault {
        match self.0.load(Ordering::Relaxed) {
            true => OtherFault::Unavailable,
            false => OtherFault::None,
        }
    }
}

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) store: MemStore,
    pub(crate) grpc: Grpc,
    script: Arc<Script>,
    down: Arc<Down>,
    broken: Arc<AtomicBool>,
    router: axum::Router,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::new(Owner(1))).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let start = Instant::now();
        let store = MemStore::new(Arc::new(move || {
            UnixMillis(1_700_000_000_000 + i64::try_from(start.elapsed().as_millis()).unwrap())
        }));
        let (script, down) = (Arc::<Script>::default(), Arc::<Down>::default());
        let broken = Arc::<AtomicBool>::default();
        let clock = VirtualClock {
            start,
            broken: broken.clone(),
        };
        let faulty = Arc::new(FaultyStore::new(store.clone(), down.clone()));
        let engine = Engine::start(faulty, script.clone(), Arc::new(clock), config);
        let rules = Rules {
            defaults: Defaults::default(),
            limits: Limits {
                body_bytes_max: 64 << 10,
                payload_bytes_max: 16 << 10,
                branches_max: 1_000,
            },
            local: LocalEndpoints::Refused,
        };
        let service = Service::new(engine.await.unwrap(), rules);
        let api = Api::new(service.clone(), ApiConfig::default(), Arc::new(String::new));
        Self {
            grpc: Grpc::new(service.clone()),
            router: api.router(),
            service,
            store,
            script,
            down,
            broken,
        }
    }

    /// Lets the endpoint answer so, in this order.
    pub(crate) fn say(&self, endpoint: &str, answers: impl IntoIterator<Item = (u64, Outcome)>) {
        let answers = answers.into_iter().collect();
        self.script
            .0
            .lock()
            .unwrap()
            .insert(endpoint.to_owned(), answers);
    }

    pub(crate) fn lose_the_store(&self) {
        self.down.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn break_the_clock(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Asks over HTTP: a path alone is a GET.
    pub(crate) async fn http(&self, path: &str, body: Option<&Value>) -> Told {
        let request = match body {
            Some(body) => Request::post(path)
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => Request::get(path).body(Body::empty()),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap();
        let retry_after = parts.headers.get("retry-after");
        let retry_after = retry_after.map(|secs| secs.to_str().unwrap().parse().unwrap());
        match parts.status.is_success() {
            true => Told::Answer(body),
            false => Told::refusal(&body, retry_after),
        }
    }
}
