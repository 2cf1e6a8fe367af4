//! A coordinator within an axum service: a shop whose participants are handlers at `local://stock` and `local://purse`.
//!
//! ```sh
//! cargo run -p seata-examples --bin embedded
//! ```
//!
//! It serves `PUT /orders/{id}` on a free port and places some orders. Name a folder to keep the data: run again, it
//! knows all orders, and goes on with those that were on their way.
//!
//! ```sh
//! cargo run -p seata-examples --bin embedded -- target/shop
//! ```
#![allow(clippy::print_stdout, reason = "it tells what happens")]

use std::path::PathBuf;

use anyhow::Result;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use seata_examples::shop::{Order, Shop};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<()> {
    let temporary = TempDir::new()?;
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => temporary.path().to_owned(),
    };
    std::fs::create_dir_all(&folder)?;
    let shop = Shop::open(&folder).await?;
    println!("A shop: {}.", shop.told().await?);

    println!("\n1. alice orders a chair for 40");
    tell(&shop, "order-1", 40).await?;

    println!("\n2. the same order again, as after an answer that was lost: nothing happens twice");
    tell(&shop, "order-1", 40).await?;

    println!(
        "\n3. alice orders a chair for 400, which she has not: the chair goes back into stock"
    );
    tell(&shop, "order-2", 400).await?;

    shop.stop().await;
    Ok(())
}

/// Serves the shop, places an order over HTTP, and tells what came of it.
async fn tell(shop: &Shop, id: &str, price: i64) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/orders/{id}", listener.local_addr()?);
    let router = shop.router();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = axum::serve(listener, router).with_graceful_shutdown(async {
        // A sender that is gone means the same.
        let _ = stopped.await;
    });
    let serving = tokio::spawn(async move { served.await });
    let answer = put(&url, price).await?;
    drop(stop);
    serving.await??;
    println!("   {answer}");
    println!("   {}", shop.told().await?);
    Ok(())
}

async fn put(url: &str, price: i64) -> Result<String> {
    let order = Order {
        item: "chair".to_owned(),
        customer: "alice".to_owned(),
        price,
    };
    let request = Request::builder()
        .method(Method::PUT)
        .uri(url)
        .header("content-type", "application/json")
        .body(Full::new(serde_json::to_vec(&order)?.into()))?;
    let client: Client<_, Full<axum::body::Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(format!("{status}: {}", String::from_utf8_lossy(&body)))
}
