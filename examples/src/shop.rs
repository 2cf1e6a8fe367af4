//! A shop that embeds the coordinator: one process, one folder, no server beside it. The participants are handlers in the
//! same program, at `local://stock` and `local://purse`; they keep their data in the shop's own database.
//!
//! A handler gets no right that a call over the wire lacks: it may be called again, and must claim its operation.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use axum::extract::{self, State};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use http::StatusCode;
use seata_barrier::{BarrierError, Call, Claim, Skip, claim, migrate};
use seata_core::{
    BranchDefinition, BranchId, BranchOptions, ContentType, Definition, Endpoint, Endpoints,
    Fingerprint, Gid, Mode, Operation, Options, Outcome, Payload, Reason, RetryPolicy, Status,
};
use seata_engine::{Engine, EngineError, Waited};
use seata_executor::{Executor, ExecutorConfig, LocalCall, LocalHandler};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Executor as _, SqlitePool};

use crate::coordinator;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS stock (item TEXT PRIMARY KEY, pieces INTEGER NOT NULL CHECK (pieces >= 0));
CREATE TABLE IF NOT EXISTS purse (customer TEXT PRIMARY KEY, money INTEGER NOT NULL CHECK (money >= 0));
INSERT INTO stock VALUES ('chair', 2) ON CONFLICT DO NOTHING;
INSERT INTO purse VALUES ('alice', 100) ON CONFLICT DO NOTHING;
";

/// How long a request waits for its order to end.
const WAIT: Duration = Duration::from_secs(10);

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// What.
    pub item: String,
    /// Who pays.
    pub customer: String,
    /// How much.
    pub price: i64,
}

/// A shop.
#[derive(Clone)]
pub struct Shop {
    engine: Engine,
    pool: SqlitePool,
}

impl Shop {
    /// Opens the shop whose data are in this folder. What was on its way when the last process ended goes on.
    ///
    /// # Errors
    /// The folder can't be used.
    pub async fn open(folder: &Path) -> Result<Self> {
        let pool = database(&folder.join("shop.sqlite")).await?;
        let stock = Table {
            pool: pool.clone(),
            take: "UPDATE stock SET pieces = pieces - 1 WHERE item = ?1 AND pieces > 0",
            give_back: "UPDATE stock SET pieces = pieces + 1 WHERE item = ?1",
            refusal: "out of stock",
        };
        let purse = Table {
            pool: pool.clone(),
            take: "UPDATE purse SET money = money - ?3 WHERE customer = ?2 AND money >= ?3",
            give_back: "UPDATE purse SET money = money + ?3 WHERE customer = ?2",
            refusal: "not enough money",
        };
        let executor = Executor::new(ExecutorConfig::default())
            .with_local("stock", Arc::new(stock))
            .with_local("purse", Arc::new(purse));
        let engine = coordinator::engine(&folder.join("coordinator"), executor).await?;
        Ok(Self { engine, pool })
    }

    /// Answers the service: `PUT /orders/{id}` with an [`Order`]. The id is the customer's own, so that an order that is
    /// sent twice is one order.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/orders/{id}", put(place))
            .with_state(self.clone())
    }

    /// Says what is left.
    ///
    /// # Errors
    /// The database fails.
    pub async fn told(&self) -> Result<String> {
        let chairs: i64 = sqlx::query_scalar("SELECT pieces FROM stock WHERE item = 'chair'")
            .fetch_one(&self.pool)
            .await?;
        let money: i64 = sqlx::query_scalar("SELECT money FROM purse WHERE customer = 'alice'")
            .fetch_one(&self.pool)
            .await?;
        Ok(format!("{chairs} chairs in stock, alice has {money}"))
    }

    /// Stops the coordinator: what is open is on disk.
    pub async fn stop(&self) {
        self.engine.stop(WAIT).await;
    }

    async fn order(&self, gid: Gid, order: &Order) -> Result<Waited, EngineError> {
        let submitted = self.engine.run(gid, Arc::new(definition(order))).await?;
        self.engine.wait_after(submitted, WAIT).await
    }
}

async fn database(file: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().connect_with(options).await?;
    pool.execute(SCHEMA).await?;
    migrate(&pool).await?;
    Ok(pool)
}

async fn place(
    State(shop): State<Shop>,
    extract::Path(id): extract::Path<String>,
    Json(order): Json<Order>,
) -> Response {
    let Ok(gid) = Gid::parse(&id) else {
        return (StatusCode::BAD_REQUEST, "give the order another id").into_response();
    };
    match shop.order(gid, &order).await {
        Ok(Waited::Settled(snapshot)) => {
            let status = match snapshot.status() {
                Status::Committed => StatusCode::OK,
                Status::Aborted => StatusCode::CONFLICT,
                Status::Prepared | Status::Submitted | Status::Aborting | Status::Stuck => {
                    StatusCode::ACCEPTED
                }
            };
            (status, snapshot.status().as_str()).into_response()
        }
        Ok(Waited::Pending(_)) => (StatusCode::ACCEPTED, "on its way").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// A saga of two branches at once: one takes a piece from stock, the other takes the price from the purse.
fn definition(order: &Order) -> Definition {
    let bytes = serde_json::to_vec(order).unwrap_or_default();
    // Tells a repeated order from another one under the same id.
    let fingerprint = Fingerprint(Sha256::digest(&bytes).into());
    let payload = Payload {
        content_type: ContentType::Json,
        bytes: bytes.into(),
    };
    Definition {
        mode: Mode::Saga,
        branches: vec![branch("stock", fingerprint), branch("purse", fingerprint)],
        options: Options {
            request_timeout: Duration::from_secs(3),
            retry: RetryPolicy {
                first: Duration::from_millis(200),
                max: Duration::from_secs(10),
                max_attempts: 0,
            },
            timeout_to_fail: Some(Duration::from_secs(60)),
            prepared_timeout: Duration::from_secs(35),
            branch_parallelism: 8,
            order: seata_core::Order::Concurrent,
            attention_attempts: 5,
            headers: Vec::new(),
        },
        payload: Some(payload),
        fingerprint,
    }
}

fn branch(name: &str, fingerprint: Fingerprint) -> Arc<BranchDefinition> {
    let endpoint = Endpoint::parse(&format!("local://{name}")).expect("the name is a host");
    Arc::new(BranchDefinition {
        branch_id: BranchId::parse(name).expect("the name is an id"),
        endpoints: Endpoints::Saga {
            action: endpoint.clone(),
            compensation: Some(endpoint),
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint,
    })
}

/// A participant that takes something from a table of the shop's database, and gives it back.
struct Table {
    pool: SqlitePool,
    take: &'static str,
    give_back: &'static str,
    refusal: &'static str,
}

#[async_trait]
impl LocalHandler for Table {
    async fn handle(&self, call: LocalCall) -> Outcome {
        match self.once(&call).await {
            Ok(outcome) => outcome,
            // Nobody knows what happened: it is asked again.
            Err(error) => Outcome::Unknown {
                reason: Reason::new(&error.to_string()),
            },
        }
    }
}

impl Table {
    /// Does the work of a call once: claim and work are one database transaction.
    async fn once(&self, local: &LocalCall) -> Result<Outcome, BarrierError> {
        let call = Call {
            gid: local.gid.clone(),
            branch_id: local.branch_id.clone(),
            operation: local.operation,
        };
        let mut transaction = match claim(self.pool.begin().await?, &call).await? {
            Claim::Run(transaction) => transaction,
            Claim::Skip(Skip::Duplicate | Skip::Null) => return Ok(Outcome::Success),
            Claim::Skip(Skip::Hanging) => return Ok(refused(Skip::Hanging.as_str())),
        };
        let Some(order) = order(local) else {
            return Ok(refused("this is no order"));
        };
        let statement = match local.operation {
            Operation::Action => self.take,
            Operation::Compensation => self.give_back,
            Operation::Try | Operation::Confirm | Operation::Cancel => {
                return Ok(refused("this takes part in sagas only"));
            }
        };
        let done = sqlx::query(statement)
            .bind(&order.item)
            .bind(&order.customer)
            .bind(order.price)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            // Rolled back as it is dropped: nothing was claimed.
            return Ok(refused(self.refusal));
        }
        transaction.commit().await?;
        Ok(Outcome::Success)
    }
}

fn order(call: &LocalCall) -> Option<Order> {
    serde_json::from_slice(&call.payload.as_ref()?.bytes).ok()
}

fn refused(reason: &str) -> Outcome {
    Outcome::Failure {
        reason: Reason::new(reason),
    }
}
