//! Participants on one port. The path of an endpoint is what happens there, step by step:
//!
//! | step | what happens |
//! |---|---|
//! | `delay/MS` | time passes |
//! | `gate/NAME` | it waits until the test opens the gate |
//! | `apply` | it takes effect, if it may |
//! | `first/N/STATUS/TEXT` | the first N deliveries end here with this answer |
//! | `say/STATUS/TEXT` | it ends here with this answer |
//! | `refuse` | it ends here with 409 |
//! | `ok` | nothing |
//!
//! At the end of the path it takes effect, unless it has, and answers 200. What was begun goes on when the caller
//! hangs up: nobody can stop a request that is under way.
//!
//! Over gRPC the method is the path, with `_` for `/`, and the answers are the codes that mean the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::caller::Caller;
use crate::grpc::{self, AnswerBody};
use crate::ledger::{Delivery, Effect, Ledger};
use crate::until::until;

struct Shared {
    knows_callers: bool,
    ledger: Ledger,
    open_gates: watch::Sender<BTreeSet<String>>,
    at_gates: Mutex<BTreeMap<String, Vec<String>>>,
    under_way: AtomicUsize,
}

/// The participants.
pub struct Participants {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Participants {
    /// Starts them on a free port.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Starts them on a free port. Their books tell which process called: each connection costs a look into the tables
    /// of the system.
    pub async fn start_knowing_callers() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(knows_callers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            knows_callers,
            ledger: Ledger::default(),
            open_gates: watch::Sender::default(),
            at_gates: Mutex::default(),
            under_way: AtomicUsize::new(0),
        });
        Self {
            address: listener.local_addr().unwrap(),
            listening: tokio::spawn(listen(listener, Arc::clone(&shared))),
            shared,
        }
    }

    /// Answers the endpoint where these steps happen.
    #[must_use]
    pub fn url(&self, steps: &str) -> String {
        format!("http://{}/{steps}", self.address)
    }

    /// Answers the endpoint where these steps happen, as a method over gRPC. No name in them may contain `_`.
    #[must_use]
    pub fn grpc(&self, steps: &str) -> String {
        let method = steps.replace('/', "_");
        format!("grpc://{}/tests.Participant/{method}", self.address)
    }

    /// Answers the books.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Opens a gate, for good.
    pub fn open(&self, gate: &str) {
        let open = |gates: &mut BTreeSet<String>| {
            gates.insert(gate.to_owned());
        };
        self.shared.open_gates.send_modify(open);
    }

    /// Answers how many transactions have a delivery waiting at a gate.
    #[must_use]
    pub fn at_gate(&self, gate: &str) -> usize {
        let at_gates = self.shared.at_gates.lock().unwrap();
        let gids: Option<BTreeSet<&String>> = at_gates.get(gate).map(|gids| gids.iter().collect());
        gids.map_or(0, |gids| gids.len())
    }

    /// Waits until so many transactions have a delivery waiting at a gate.
    pub async fn arrived(&self, gate: &str, count: usize) {
        until(&format!("{count} are at gate {gate}"), async || {
            (self.at_gate(gate) >= count).then_some(())
        })
        .await;
    }

    /// Waits until an operation was delivered so often.
    pub async fn delivered(&self, gid: &str, branch_id: &str, operation: &str, times: usize) {
        let what = format!("{operation} of {gid}/{branch_id} was delivered {times} times");
        until(&what, async || {
            let delivered = self.ledger().delivered(gid, branch_id, operation);
            (delivered >= times).then_some(())
        })
        .await;
    }

    /// Waits until nothing is under way.
    pub async fn quiet(&self) {
        until("no call is under way", async || {
            (self.shared.under_way.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }
}

impl Drop for Participants {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, far)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let near = listener.local_addr().unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let caller = shared.knows_callers.then(|| Caller::of(near, far));
            let service =
                service_fn(move |request| answer(Arc::clone(&shared), request, caller.clone()));
            let server = auto::Builder::new(TokioExecutor::new());
            // A caller that is killed breaks the connection: nothing to say about it.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    caller: Option<Caller>,
) -> Result<Response<AnswerBody>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = parts.uri.path().to_owned();
    if grpc::is_call(&parts.headers) {
        let message = grpc::message(&body);
        let path = grpc::method(&path).replace('_', "/");
        let (status, text) = work(shared, (parts.headers, message, caller), path).await;
        return Ok(grpc::answer(status, &text));
    }
    let (status, text) = work(shared, (parts.headers, body, caller), path).await;
    let mut response = Response::new(grpc::plain(text));
    *response.status_mut() = status.try_into().unwrap();
    Ok(response)
}

/// What came: head, payload, and who sent it.
type Came = (HeaderMap, Bytes, Option<Caller>);

async fn work(shared: Arc<Shared>, came: Came, path: String) -> (u16, String) {
    let (headers, body, caller) = came;
    // It counts from now on, whoever sent it: else it could come behind its repetition.
    let delivery = shared.ledger.enter(headers, body);
    shared.under_way.fetch_add(1, Ordering::SeqCst);
    let work = tokio::spawn(async move {
        if let Some(caller) = caller {
            shared.ledger.called_by(delivery.order, caller.pid().await);
        }
        let answer = follow(&shared, &delivery, &path).await;
        shared.ledger.answered(delivery.order, answer.0);
        shared.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    });
    work.await.unwrap_or_else(|_| (500, "broken".to_owned()))
}

async fn follow(shared: &Shared, delivery: &Delivery, path: &str) -> (u16, String) {
    let mut steps = path.split('/').filter(|step| !step.is_empty());
    let mut next = || steps.next().unwrap_or("");
    loop {
        match next() {
            "ok" => {}
            "delay" => {
                let ms = next().parse().unwrap();
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            "gate" => pass(shared, delivery, next()).await,
            "apply" => {
                if shared.ledger.claim(delivery) == Effect::Blocked {
                    return blocked();
                }
            }
            "first" => {
                let times: usize = next().parse().unwrap();
                let answer = (next().parse().unwrap(), next().to_owned());
                if delivery.nth <= times {
                    return answer;
                }
            }
            "say" => return (next().parse().unwrap(), next().to_owned()),
            "refuse" => return (409, "refused".to_owned()),
            "" => {
                return match shared.ledger.claim(delivery) {
                    Effect::Done => (200, "done".to_owned()),
                    Effect::Blocked => blocked(),
                };
            }
            other => return (404, format!("no step {other}")),
        }
    }
}

fn blocked() -> (u16, String) {
    (409, "compensated before".to_owned())
}

async fn pass(shared: &Shared, delivery: &Delivery, gate: &str) {
    let at_gate = |change: &dyn Fn(&mut Vec<String>)| {
        let mut at_gates = shared.at_gates.lock().unwrap();
        change(at_gates.entry(gate.to_owned()).or_default());
    };
    at_gate(&|gids| gids.push(delivery.gid.clone()));
    let mut gates = shared.open_gates.subscribe();
    // The sender lives as long as `shared` does.
    let _ = gates.wait_for(|open| open.contains(gate)).await;
    at_gate(&|gids| {
        if let Some(at) = gids.iter().position(|gid| *gid == delivery.gid) {
            gids.swap_remove(at);
        }
    });
}
