//! Real PostgreSQL and MariaDB servers: a commit that was acknowledged outlives a kill.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Child, Command, Stdio};

use seata_test_servers::programs::{find, path};
use seata_test_servers::{MariaDb, Postgres, Server};

/// Whether all is here. Without it a test is skipped, and fails under `CI=true`.
fn is_here(missing: Option<&'static str>, client: &'static str) -> bool {
    let missing = missing.or_else(|| find(client).is_none().then_some(client));
    if let Some(program) = missing {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "{program} is missing: a database could not be tested");
        eprintln!("SKIPPED: {program} is missing");
    }
    missing.is_none()
}

/// Begins a client of a server with one statement.
type Client = fn(&Server, &str) -> Command;

fn psql(server: &Server, statement: &str) -> Command {
    let mut client = Command::new(path("psql"));
    client.args([server.address(), "-qAtc", statement]);
    client
}

fn mariadb(server: &Server, statement: &str) -> Command {
    let mut client = Command::new(path("mariadb"));
    client
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
        .arg(format!("--port={}", server.port()))
        .args(["--user=root", "--batch", "--skip-column-names"])
        .args(["--execute", statement, "mysql"]);
    client
}

fn run(mut client: Command) -> String {
    let output = client.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{text} {output:?}");
    text
}

fn begin(mut client: Command) -> Child {
    client.stdout(Stdio::piped()).spawn().unwrap()
}

fn a_server_lives_through_all_that_befalls_it(server: &Server, client: Client) {
    run(client(server, "CREATE TABLE kept (n int)"));
    run(client(server, "INSERT INTO kept VALUES (1)"));
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(run(client(server, "SELECT n FROM kept")), "1");
    server.freeze().unwrap();
    let mut waiting = begin(client(server, "SELECT n + 1 FROM kept"));
    assert!(waiting.try_wait().unwrap().is_none());
    server.thaw().unwrap();
    let told = waiting.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "2");
    server.stop().unwrap();
    server.start_again().unwrap();
    server.freeze().unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(run(client(server, "SELECT n FROM kept")), "1");
    server.freeze().unwrap();
}

#[test]
fn postgresql_lives_through_all_that_befalls_it() {
    if is_here(Postgres::missing(), "psql") {
        let server = Postgres::start_with(&[("deadlock_timeout", "200ms")]).unwrap();
        assert_eq!(run(psql(&server, "SHOW fsync")), "on");
        assert_eq!(run(psql(&server, "SHOW deadlock_timeout")), "200ms");
        a_server_lives_through_all_that_befalls_it(&server, psql);
        let folder = server.folder().to_owned();
        drop(server);
        assert!(!folder.exists());
    }
}

#[test]
fn mariadb_lives_through_all_that_befalls_it() {
    if is_here(MariaDb::missing(), "mariadb") {
        let server = MariaDb::start_with(&["--sql-mode="]).unwrap();
        let setting = "SELECT @@innodb_flush_log_at_trx_commit, @@sql_mode = ''";
        assert_eq!(run(mariadb(&server, setting)), "1\t1");
        a_server_lives_through_all_that_befalls_it(&server, mariadb);
        let folder = server.folder().to_owned();
        drop(server);
        assert!(!folder.exists());
    }
}
