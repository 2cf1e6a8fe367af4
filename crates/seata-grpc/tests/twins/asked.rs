//! Asks over gRPC what a path and a body ask over HTTP.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost_types::Duration;
use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use serde_json::{Value, json};
use tonic::Status;

use crate::told::{self, Told};
use crate::world::World;

impl World {
    pub(crate) async fn grpc(&self, path: &str, body: Option<&Value>) -> Told {
        let answer = match body {
            Some(body) => self.posted(path, body).await,
            None => self.got(path).await,
        };
        match answer {
            Ok(answer) => Told::Answer(answer),
            Err(status) => Told::status(&status),
        }
    }

    async fn posted(&self, path: &str, body: &Value) -> Result<Value, Status> {
        let mut client = TransactionServiceClient::new(self.grpc.service());
        let gid = text(&body["gid"]);
        let added = || json!({"status": "success"});
        match path {
            "/api/start" => {
                let transaction = Some(definition(body));
                let request = v1::StartGlobalRequest { gid, transaction };
                let answer = client.start_global(request).await?.into_inner();
                Ok(json!({"gid": answer.gid}))
            }
            "/api/submit" => {
                let whole = body.get("branches").is_some();
                let transaction = whole.then(|| definition(body));
                let wait = span(&body["wait"]);
                let request = v1::SubmitRequest {
                    gid,
                    transaction,
                    wait,
                };
                let answer = client.submit(request).await?.into_inner();
                Ok(settled(
                    answer.gid,
                    answer.progress,
                    answer.transaction_status,
                    answer.transaction,
                ))
            }
            "/api/abort" => {
                let (reason, wait) = (text(&body["reason"]), span(&body["wait"]));
                let request = v1::AbortRequest { gid, reason, wait };
                let answer = client.abort(request).await?.into_inner();
                Ok(settled(
                    answer.gid,
                    answer.progress,
                    answer.transaction_status,
                    answer.transaction,
                ))
            }
            "/api/branch/add" => {
                let branch = Some(branch(body));
                client
                    .add_branch(v1::AddBranchRequest { gid, branch })
                    .await?;
                Ok(added())
            }
            "/api/branch/register" => {
                let branch = Some(branch(body));
                client
                    .branch_register(v1::BranchRegisterRequest { gid, branch })
                    .await?;
                Ok(added())
            }
            "/api/branch/try" => {
                let branch = Some(branch(body));
                let answer = client
                    .branch_try(v1::BranchTryRequest { gid, branch })
                    .await?
                    .into_inner();
                Ok(tried(&answer))
            }
            "/api/branch/confirm" => {
                let branch_id = text(&body["branch_id"]);
                let request = v1::BranchConfirmRequest { gid, branch_id };
                let answer = client.branch_confirm(request).await?.into_inner();
                Ok(decided(&answer.gid, answer.transaction_status))
            }
            "/api/branch/cancel" => {
                let branch_id = text(&body["branch_id"]);
                let request = v1::BranchCancelRequest { gid, branch_id };
                let answer = client.branch_cancel(request).await?.into_inner();
                Ok(decided(&answer.gid, answer.transaction_status))
            }
            "/api/branch/succeed" => {
                let (branch_id, operation) =
                    (text(&body["branch_id"]), operation(&body["operation"]));
                let request = v1::BranchSucceedRequest {
                    gid,
                    branch_id,
                    operation,
                };
                let answer = client.branch_succeed(request).await?.into_inner();
                Ok(decided(&answer.gid, answer.transaction_status))
            }
            "/api/branch/fail" => {
                let (branch_id, operation) =
                    (text(&body["branch_id"]), operation(&body["operation"]));
                let reason = text(&body["reason"]);
                let request = v1::BranchFailRequest {
                    gid,
                    branch_id,
                    operation,
                    reason,
                };
                let answer = client.branch_fail(request).await?.into_inner();
                Ok(decided(&answer.gid, answer.transaction_status))
            }
            order => self.ordered(order, body).await,
        }
    }

    async fn ordered(&self, path: &str, body: &Value) -> Result<Value, Status> {
        let mut client = TransactionServiceClient::new(self.grpc.service());
        let (gid, order) = path
            .strip_prefix("/api/tx/")
            .unwrap()
            .split_once('/')
            .unwrap();
        let gid = gid.to_owned();
        let (branch_id, reason) = (text(&body["branch_id"]), text(&body["reason"]));
        let transaction = match order {
            "retry" => {
                let request = v1::RetryRequest {
                    gid,
                    branch_id,
                    reason,
                };
                client.retry(request).await?.into_inner().transaction
            }
            "skip" => {
                let operation = operation(&body["operation"]);
                let request = v1::SkipRequest {
                    gid,
                    branch_id,
                    operation,
                    reason,
                };
                client.skip(request).await?.into_inner().transaction
            }
            "force" => {
                let to = match body["to"].as_str() {
                    Some("committed") => v1::End::Committed.into(),
                    Some("aborted") => v1::End::Aborted.into(),
                    _ => 0,
                };
                let request = v1::ForceRequest { gid, to, reason };
                client.force(request).await?.into_inner().transaction
            }
            other => panic!("no such order: {other}"),
        };
        let transaction = told::transaction(&transaction.unwrap());
        Ok(json!({"status": "success", "gid": transaction["gid"], "transaction": transaction}))
    }

    async fn got(&self, path: &str) -> Result<Value, Status> {
        let mut client = TransactionServiceClient::new(self.grpc.service());
        if let Some(query) = path.strip_prefix("/api/tx?") {
            let answer = client.list(list(query)).await?.into_inner();
            let headers = answer.transactions.iter().map(told::header);
            return Ok(headers.collect());
        }
        let gid = path.strip_prefix("/api/tx/").unwrap();
        if let Some(gid) = gid.strip_suffix("/events") {
            let gid = gid.to_owned();
            let mut events = client.events(v1::EventsRequest { gid }).await?.into_inner();
            let mut told = Vec::new();
            while let Some(event) = events.message().await? {
                told.push(told::event(&event));
            }
            return Ok(told.into());
        }
        let gid = gid.to_owned();
        let answer = client.get(v1::GetRequest { gid }).await?.into_inner();
        Ok(told::transaction(&answer.transaction.unwrap()))
    }
}

fn settled(gid: String, progress: i32, status: i32, transaction: Option<v1::Transaction>) -> Value {
    match transaction {
        None => decided(&gid, status),
        Some(transaction) => {
            let progress = told::progress(progress);
            json!({"status": progress, "gid": gid, "transaction": told::transaction(&transaction)})
        }
    }
}

fn decided(gid: &str, status: i32) -> Value {
    json!({"status": "success", "gid": gid, "transaction_status": told::status(status)})
}

fn tried(answer: &v1::BranchTryResponse) -> Value {
    let known = match v1::TryResult::try_from(answer.result).unwrap() {
        v1::TryResult::Succeeded => "success",
        v1::TryResult::Pending => "pending",
        v1::TryResult::Unspecified => "?",
    };
    let mut object = json!({
        "status": known,
        "gid": answer.gid,
        "branch_id": answer.branch_id,
        "transaction_status": told::status(answer.transaction_status),
    });
    if let Some(reason) = &answer.reason {
        object["reason"] = json!(reason);
    }
    object
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[allow(clippy::cast_possible_truncation, reason = "tests have small numbers")]
fn span(value: &Value) -> Option<Duration> {
    let secs = match value {
        Value::Bool(true) => 30.0,
        other => other.as_f64()?,
    };
    Some(Duration {
        seconds: secs.trunc() as i64,
        nanos: (secs.fract() * 1e9).round() as i32,
    })
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().map(|count| u32::try_from(count).unwrap())
}

fn operation(value: &Value) -> i32 {
    let operation = match value.as_str() {
        None => v1::Operation::Unspecified,
        Some(word) => {
            let name = format!("OPERATION_{}", word.to_uppercase());
            v1::Operation::from_str_name(&name).unwrap()
        }
    };
    operation.into()
}

fn mode(value: &Value) -> i32 {
    let mode = match value.as_str() {
        None => v1::Mode::Unspecified,
        Some(word) => v1::Mode::from_str_name(&format!("MODE_{}", word.to_uppercase())).unwrap(),
    };
    mode.into()
}

fn definition(body: &Value) -> v1::TransactionDefinition {
    let branches = body["branches"].as_array().into_iter().flatten();
    v1::TransactionDefinition {
        mode: mode(&body["mode"]),
        payload: payload(body),
        options: body.get("options").map(options),
        branches: branches.map(branch).collect(),
    }
}

fn payload(body: &Value) -> Option<v1::Payload> {
    if let Some(base64) = body["payload_base64"].as_str() {
        return Some(v1::Payload {
            data: BASE64_STANDARD.decode(base64).unwrap().into(),
            content_type: text(&body["content_type"]),
        });
    }
    body.get("payload").map(|payload| v1::Payload {
        data: payload.to_string().into(),
        content_type: "application/json".to_owned(),
    })
}

fn branch(body: &Value) -> v1::BranchDefinition {
    let after = body["after"].as_array().into_iter().flatten();
    v1::BranchDefinition {
        branch_id: text(&body["branch_id"]),
        action: text(&body["action"]),
        compensation: text(&body["compensation"]),
        confirm: text(&body["confirm"]),
        cancel: text(&body["cancel"]),
        after: after.map(text).collect(),
        payload: payload(body),
        headers: headers(&body["headers"]),
        options: body.get("options").map(|options| v1::BranchOptions {
            request_timeout: span(&options["request_timeout_secs"]),
            retry_interval: span(&options["retry_interval_secs"]),
            retry_interval_max: span(&options["retry_interval_max_secs"]),
            max_attempts: count(&options["max_attempts"]),
        }),
    }
}

fn options(body: &Value) -> v1::Options {
    let order = match body["order"].as_str() {
        None => v1::Order::Unspecified,
        Some("sequential") => v1::Order::Sequential,
        Some(_) => v1::Order::Concurrent,
    };
    v1::Options {
        request_timeout: span(&body["request_timeout_secs"]),
        retry_interval: span(&body["retry_interval_secs"]),
        retry_interval_max: span(&body["retry_interval_max_secs"]),
        max_attempts: count(&body["max_attempts"]),
        headers: headers(&body["headers"]),
        timeout_to_fail: span(&body["timeout_to_fail_secs"]),
        prepared_timeout: span(&body["prepared_timeout_secs"]),
        branch_parallelism: count(&body["branch_parallelism"]),
        order: order.into(),
    }
}

fn headers(value: &Value) -> BTreeMap<String, String> {
    let headers = value.as_object().into_iter().flatten();
    headers
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn list(query: &str) -> v1::ListRequest {
    let mut request = v1::ListRequest::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "limit" => request.limit = value.parse().ok(),
            "offset" => request.offset = value.parse().ok(),
            "cursor" => request.cursor = value.to_owned(),
            "mode" => request.mode = mode(&json!(value)),
            "gid_prefix" => request.gid_prefix = value.to_owned(),
            "status" => {
                let name = format!("TRANSACTION_STATUS_{value}");
                request.status = vec![v1::TransactionStatus::from_str_name(&name).unwrap().into()];
            }
            other => panic!("no such parameter: {other}"),
        }
    }
    request
}
