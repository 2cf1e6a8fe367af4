//! A client that follows server-sent events on a connection of its own, which it can cut.

use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::until::PATIENCE;

/// An event that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its id; empty if it has none.
    pub id: String,
    /// Its name; empty if it is a plain one.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// A stream of events. Dropping it cuts the connection.
pub struct Watcher {
    stream: TcpStream,
    text: String,
}

impl Client {
    /// Follows events, from behind the one with this id if it isn't empty.
    ///
    /// # Panics
    /// The answer is no stream of events.
    pub async fn watch(&self, path: &str, last_event_id: &str) -> Watcher {
        let mut watcher = self.ask_for_events(path, last_event_id).await;
        let head = watcher.until("\r\n\r\n").await.unwrap();
        let is_stream = head.contains(" 200 ") && head.contains("text/event-stream");
        assert!(is_stream, "{head}");
        watcher
    }

    /// Asks for events and answers with which status and which code that is refused; none: it isn't.
    pub async fn no_watch(&self, path: &str, last_event_id: &str) -> Option<(u16, String)> {
        let mut watcher = self.ask_for_events(path, last_event_id).await;
        let head = watcher.until("\r\n\r\n").await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        if status == 200 {
            return None;
        }
        let body = watcher.until("\n").await?;
        let body: Value = serde_json::from_str(&body).ok()?;
        Some((status, body["code"].as_str()?.to_owned()))
    }

    async fn ask_for_events(&self, path: &str, last_event_id: &str) -> Watcher {
        let port = self.port.load(Ordering::SeqCst);
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // Of HTTP 1.0, so that the body comes as it is, to the end of the connection.
        let head = format!(
            "GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\nlast-event-id: {last_event_id}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let text = String::new();
        Watcher { stream, text }
    }
}

impl Watcher {
    /// Waits for the next event. None: the stream has ended, between two events.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.until("\n\n").await?;
            let field = |name: &str| {
                let mut lines = block.lines();
                let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                value.unwrap_or("").to_owned()
            };
            // Comments, and when to come again, are none.
            if let Ok(data) = serde_json::from_str(&field("data")) {
                let (id, name) = (field("id"), field("event"));
                return Some(Told { id, name, data });
            }
        }
    }

    /// Waits for all that follow.
    pub async fn all(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some((before, behind)) = self.text.split_once(end) {
                let (before, behind) = (before.to_owned(), behind.to_owned());
                self.text = behind;
                return Some(before);
            }
            let mut bytes = [0; 4096];
            let reading = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes));
            // A server that was killed resets it.
            let read = reading.await.unwrap().unwrap_or(0);
            if read == 0 {
                return None;
            }
            self.text
                .push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    }
}
