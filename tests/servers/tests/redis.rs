//! Real Redis servers: what befalls them, and what of their data is left.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use seata_test_servers::{
    AppendFsync, Direction, Proxy, Redis, RedisCluster, RedisOptions, Server,
};

/// Whether Redis is here. Without it these tests are skipped, and fail under `CI=true`.
fn is_here() -> bool {
    let missing = Redis::missing();
    if let Some(program) = missing {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "{program} is missing: Redis could not be tested");
        eprintln!("SKIPPED: {program} is missing");
    }
    missing.is_none()
}

fn connect(port: u16) -> TcpStream {
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    client
}

fn say(client: &mut TcpStream, command: &str) -> std::io::Result<String> {
    client.write_all(format!("{command}\r\n").as_bytes())?;
    line(client)
}

fn line(client: &TcpStream) -> std::io::Result<String> {
    let mut line = String::new();
    match BufReader::new(client).read_line(&mut line)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn say_once(server: &Server, command: &str) -> String {
    say(&mut connect(server.port()), command).unwrap()
}

#[test]
fn a_killed_server_starts_again_with_what_it_acknowledged() {
    if !is_here() {
        return;
    }
    let server = Redis::start(RedisOptions::default()).unwrap();
    for round in 0..3 {
        assert_eq!(
            say_once(&server, &format!("INCRBY sum {round}"))
                .split_at(1)
                .0,
            ":"
        );
        server.kill().unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err());
        server.start_again().unwrap();
    }
    assert_eq!(say_once(&server, "INCR sum"), ":4");
    server.stop().unwrap();
    assert!(server.log().contains("bye bye"), "{}", server.log());
    server.start_again().unwrap();
    assert_eq!(say_once(&server, "INCR sum"), ":5");
}

#[test]
fn a_frozen_server_says_nothing_and_then_goes_on() {
    if !is_here() {
        return;
    }
    let server = Redis::start(RedisOptions::default()).unwrap();
    let mut client = connect(server.port());
    say(&mut client, "PING").unwrap();
    server.freeze().unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let silence = say(&mut client, "PING").unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    server.thaw().unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert_eq!(line(&client).unwrap(), "+PONG");
    server.freeze().unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
}

#[test]
fn several_servers_live_beside_each_other_as_they_were_ordered() {
    if !is_here() {
        return;
    }
    let synced = Redis::start(RedisOptions::default()).unwrap();
    let loose = Redis::start(RedisOptions {
        appendfsync: AppendFsync::WithoutLog,
        settings: vec![("maxmemory-policy".into(), "allkeys-lru".into())],
    })
    .unwrap();
    assert_ne!(synced.port(), loose.port());
    assert_ne!(synced.folder(), loose.folder());
    say_once(&synced, "SET a 1");
    assert_eq!(say_once(&loose, "EXISTS a"), ":0");
    say_once(&loose, "SET b 1");
    loose.kill().unwrap();
    loose.start_again().unwrap();
    assert_eq!(say_once(&loose, "EXISTS b"), ":0");
    let folder = loose.folder().to_owned();
    drop(loose);
    assert!(!folder.exists());
    assert_eq!(say_once(&synced, "EXISTS a"), ":1");
}

#[test]
fn a_lost_reply_was_applied_and_a_swallowed_request_was_not() {
    if !is_here() {
        return;
    }
    let server = Redis::start(RedisOptions::default()).unwrap();
    let proxy = Proxy::to(server.address()).unwrap();
    let port = proxy.address().rsplit(':').next().unwrap().parse().unwrap();
    proxy.lose_reply_to(b"INCR");
    assert!(say(&mut connect(port), "INCR a").is_err());
    assert_eq!(say_once(&server, "GET a"), "$1");
    proxy.swallow(Direction::Requests);
    let mut client = connect(port);
    client.write_all(b"INCR b\r\n").unwrap();
    eventually("it is swallowed", || proxy.pieces_swallowed() == 1);
    assert_eq!(say_once(&server, "EXISTS b"), ":0");
    proxy.restore();
    assert_eq!(say(&mut client, "INCR b").unwrap(), ":1");
}

#[test]
fn a_cluster_outlives_its_masters_and_takes_them_back() {
    if !is_here() {
        return;
    }
    let cluster = RedisCluster::start().unwrap();
    cluster.promote_soon().unwrap();
    assert_eq!(cluster.address().matches("127.0.0.1:").count(), 6);
    assert_eq!(cluster.masters().unwrap(), [0, 1, 2]);
    let home = cluster.master_of("a{tag}").unwrap().unwrap();
    assert_eq!(cluster.master_of("b{tag}").unwrap(), Some(home));
    say_once(cluster.node(home), "SET {tag} kept");
    cluster.await_replicas().unwrap();
    assert_eq!(cluster.kill_master(home).unwrap(), home);
    eventually("its replica takes its place", || {
        cluster.master_of("{tag}").unwrap() == Some(home + 3)
    });
    cluster.await_whole().unwrap();
    assert_eq!(say_once(cluster.node(home + 3), "EXISTS {tag}"), ":1");
    cluster.node(home).start_again().unwrap();
    cluster.await_whole().unwrap();
    cluster.await_replicas().unwrap();
    assert_eq!(cluster.master_of("{tag}").unwrap(), Some(home + 3));
    assert!(say_once(cluster.node(home), "SET {tag} lost").starts_with("-MOVED"));
}
