//! Shows what the server does: one saga that commits and one that is compensated, over its own API, and what happened
//! in each. Nothing is left behind.

mod client;
mod participants;
mod timeline;

use anyhow::{Context, Result};
use seata_config::{Given, Settings};
use serde_json::{Value, json};

use crate::server::Server;
use crate::{logs, metrics};
use client::Client;
use participants::Participants;
pub(crate) use timeline::say;

/// Runs it on a server of its own; whatever is configured stays out of it.
///
/// # Errors
/// The machine lacks a free port or a folder for temporary files, or a saga did not end as it must.
pub(crate) async fn run() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("seata-demo-").tempdir()?;
    let path = folder.path().to_str();
    let path = path.context("the path of the temporary folder is not UTF-8")?;
    let given = Given::defaults()
        .with("data_dir", path)
        .with("http_port", "0")
        .with("grpc_port", "0")
        .with("disk_free_min_bytes", "0")
        .with("log", "warn");
    let settings = Settings::read(&given)?;
    logs::start(&settings.log, settings.log_format)?;
    let server = Server::start(&settings, metrics::start()?).await?;
    let participants = Participants::start().await?;
    let address = server.address;
    say(&format!(
        "A server listens on http://{address}; a hotel, an airline and a bank take part.\n"
    ));
    let client = Client::new(address);
    say("1. A trip that can be paid. The airline is busy at first and is asked again.\n");
    show(&client, &trip("trip-1", 240, &participants), "COMMITTED").await?;
    say("2. A trip that can't be paid. The bank refuses, so what was booked is cancelled again.\n");
    show(&client, &trip("trip-2", 90_000, &participants), "ABORTED").await?;
    say("Start a server that stays: seata-server");
    server.stop().await
}

fn trip(gid: &str, amount: u32, participants: &Participants) -> Value {
    let branch = |name: &str, action: &str, compensation: &str| {
        json!({
            "branch_id": name,
            "action": participants.url(name, action),
            "compensation": participants.url(name, compensation),
        })
    };
    let mut bank = branch("bank", "charge", "refund");
    bank["after"] = json!(["hotel", "airline"]);
    json!({
        "gid": gid,
        "payload": { "amount": amount },
        "branches": [branch("hotel", "book", "cancel"), branch("airline", "book", "cancel"), bank],
        "options": { "retry_interval_secs": 0.2 },
        "wait": 30,
    })
}

/// Runs one saga and shows what was sent, what happened, and how it ended.
async fn show(client: &Client, saga: &Value, expected: &str) -> Result<()> {
    let gid = saga["gid"].as_str().unwrap_or_default();
    say(&format!("   POST /api/submit {saga:#}\n").replace('\n', "\n   "));
    let answer = client.post("/api/submit", saga).await?;
    let transaction = &answer["transaction"];
    let events = client.get(&format!("/api/tx/{gid}/events")).await?;
    say(&format!("   GET /api/tx/{gid}/events"));
    timeline::print(transaction, &events);
    let status = transaction["status"].as_str().unwrap_or_default();
    anyhow::ensure!(status == expected, "{gid} should be {expected}: {answer}");
    Ok(())
}
