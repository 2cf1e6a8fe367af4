//! Files that were released never change: their sums are kept beside them.

use std::fmt::Write as _;
use std::future::pending;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;

#[test]
fn applied_files_are_never_changed() {
    let kept = include_str!("../../../../migrations/postgres/SHA256SUMS");
    let files = [
        ("0001_global_transaction.sql", FILES[0].2),
        ("0002_storage.sql", FILES[1].2),
    ];
    assert_eq!(files.len(), FILES.len());
    let mut sums = String::new();
    for (name, text) in files {
        writeln!(sums, "{}  {name}", sha256(text)).unwrap();
    }
    assert_eq!(
        sums, kept,
        "a change of the tables is a new file, never a change of an old one"
    );
}

#[test]
fn files_are_numbered_without_a_gap() {
    let numbers: Vec<i64> = FILES.iter().map(|(version, ..)| *version).collect();
    assert_eq!(numbers, (1..=newest()).collect::<Vec<_>>());
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

/// Keeps what is logged at INFO.
#[derive(Default)]
struct Heard(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Heard {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() == tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(
            &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                write!(text, "{field}={value:?} ").unwrap();
            },
        );
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_start_logs_what_it_applied_and_nothing_where_nothing_was() {
    let told = |applied: Vec<i64>| {
        let heard = Heard::default();
        let lines = std::sync::Arc::clone(&heard.0);
        let done = Migrated {
            applied,
            version: 2,
        };
        tracing::subscriber::with_default(heard, || tell(&done));
        lines.lock().unwrap().join("\n")
    };
    let line = told(vec![1, 2]);
    assert!(line.contains("brought the tables up to date"), "{line}");
    assert!(line.contains("applied=[1, 2] version=2"), "{line}");
    assert_eq!(told(Vec::new()), "");
}

/// Lets a guest in, and says nothing more once it asks something.
async fn mute(listener: TcpListener, asked: oneshot::Sender<()>) {
    let (mut guest, _) = listener.accept().await.unwrap();
    let mut heard = [0; 4096];
    assert!(guest.read(&mut heard).await.unwrap() > 0);
    let welcome = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    guest.write_all(welcome).await.unwrap();
    assert!(guest.read(&mut heard).await.unwrap() > 0);
    asked.send(()).unwrap();
    pending::<()>().await;
}

#[tokio::test]
async fn a_server_that_lets_us_in_and_says_nothing_more_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, was_asked) = oneshot::channel();
    tokio::spawn(mute(listener, asked));
    let address = format!("postgres://u@127.0.0.1:{port}/db?sslmode=disable");
    let options: PgConnectOptions = address.parse().unwrap();
    let running = tokio::spawn(async move { run(&options, Server::Postgres).await });
    was_asked.await.unwrap();
    // From here on nothing comes but the end of the wait.
    tokio::time::pause();
    let given_up = timeout(LOOK_MAX * 2, running).await;
    let error = given_up.expect("it waits for ever").unwrap().unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable);
    assert!(error.why.contains("look at its load"), "{error}");
}
