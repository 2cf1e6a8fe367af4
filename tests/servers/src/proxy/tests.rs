//! The proxy, before a server that repeats what it is told.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Direction, Proxy, place};

/// How long nothing must come until it counts as silence.
const SILENCE: Duration = Duration::from_millis(50);

/// Answers the address of a server that repeats; it lives as long as the process.
fn repeater() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut piece = [0; 64];
                while let Ok(length @ 1..) = client.read(&mut piece) {
                    client.write_all(&piece[..length])?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    Ok(address)
}

fn proxied() -> Result<Proxy> {
    Proxy::to(&repeater()?)
}

fn connect(proxy: &Proxy) -> Result<TcpStream> {
    let client = TcpStream::connect(proxy.address()).context("connecting")?;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(client)
}

/// Says four letters and answers what comes; fails if the connection ends.
fn say(client: &mut TcpStream, text: &str) -> Result<String> {
    client.write_all(text.as_bytes())?;
    let mut answer = [0; 4];
    client.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn is_silent(client: &mut TcpStream) -> Result<bool> {
    client.set_read_timeout(Some(SILENCE))?;
    let read = client.read(&mut [0; 4]);
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock))
}

fn eventually(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "never: {what}");
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

#[test]
fn what_is_sent_and_answered_is_forwarded() -> Result<()> {
    let proxy = proxied()?;
    let (mut one, mut two) = (connect(&proxy)?, connect(&proxy)?);
    assert_eq!(say(&mut one, "left")?, "left");
    assert_eq!(say(&mut two, "more")?, "more");
    assert_eq!(proxy.connections(), 2);
    drop(one);
    eventually("one is gone", || proxy.connections() == 1)
}

#[test]
fn a_reply_that_is_slowed_down_comes_whole_and_later() -> Result<()> {
    let proxy = proxied()?;
    let mut client = connect(&proxy)?;
    proxy.slow_down(Direction::Replies, SILENCE);
    let begun = Instant::now();
    assert_eq!(say(&mut client, "slow")?, "slow");
    // However slow the machine is: never sooner.
    assert!(begun.elapsed() >= SILENCE);
    proxy.restore();
    assert_eq!(say(&mut client, "fast")?, "fast");
    Ok(())
}

#[test]
fn a_cut_ends_what_is_there_and_welcomes_what_comes() -> Result<()> {
    let proxy = proxied()?;
    let mut old = connect(&proxy)?;
    say(&mut old, "here")?;
    proxy.cut();
    assert!(say(&mut old, "gone").is_err());
    assert_eq!(say(&mut connect(&proxy)?, "here")?, "here");
    Ok(())
}

#[test]
fn a_refusing_proxy_keeps_what_is_there_and_refuses_what_comes_until_it_is_restored() -> Result<()>
{
    let proxy = proxied()?;
    let mut old = connect(&proxy)?;
    say(&mut old, "here")?;
    for _ in 0..20 {
        proxy.refuse();
        let refused = TcpStream::connect(proxy.address())
            .err()
            .map(|error| error.kind());
        assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(say(&mut old, "stay")?, "stay");
        proxy.restore();
        assert_eq!(say(&mut connect(&proxy)?, "back")?, "back");
    }
    Ok(())
}

#[test]
fn what_is_swallowed_is_lost_and_nobody_is_told() -> Result<()> {
    for direction in [Direction::Requests, Direction::Replies, Direction::Both] {
        let proxy = proxied()?;
        let mut old = connect(&proxy)?;
        say(&mut old, "here")?;
        proxy.swallow(direction);
        let mut new = connect(&proxy)?;
        for client in [&mut old, &mut new] {
            client.write_all(b"lost")?;
            assert!(is_silent(client)?, "{direction:?}");
        }
        eventually("both are swallowed", || proxy.pieces_swallowed() == 2)?;
        proxy.restore();
        assert_eq!(say(&mut old, "told")?, "told");
        assert_eq!(say(&mut new, "told")?, "told");
    }
    Ok(())
}

#[test]
fn the_reply_of_one_request_is_lost_with_its_connection() -> Result<()> {
    let proxy = proxied()?;
    let (mut one, mut two) = (connect(&proxy)?, connect(&proxy)?);
    say(&mut one, "here")?;
    say(&mut two, "here")?;
    proxy.lose_reply_of(3);
    assert_eq!(say(&mut one, "1st.")?, "1st.");
    assert_eq!(say(&mut two, "2nd.")?, "2nd.");
    assert!(say(&mut one, "3rd.").is_err());
    assert_eq!(proxy.replies_lost(), 1);
    assert_eq!(say(&mut two, "4th.")?, "4th.");
    assert_eq!(say(&mut connect(&proxy)?, "5th.")?, "5th.");
    Ok(())
}

#[test]
fn the_reply_of_a_request_with_certain_bytes_is_lost() -> Result<()> {
    let proxy = proxied()?;
    let mut client = connect(&proxy)?;
    proxy.lose_reply_to(b"MM");
    assert_eq!(say(&mut client, "MAM.")?, "MAM.");
    assert!(say(&mut client, "COMM").is_err());
    assert_eq!(proxy.replies_lost(), 1);
    Ok(())
}

#[test]
fn a_proxy_that_is_dropped_cuts_and_refuses() -> Result<()> {
    let proxy = proxied()?;
    let mut client = connect(&proxy)?;
    say(&mut client, "here")?;
    let address = proxy.address().to_owned();
    drop(proxy);
    assert!(say(&mut client, "gone").is_err());
    assert!(TcpStream::connect(address).is_err());
    Ok(())
}

#[test]
fn the_place_is_found_in_any_address() {
    assert_eq!(place("127.0.0.1:6379"), Some("127.0.0.1:6379"));
    let url = "postgres://me:secret@localhost:5432/db?x=1:2";
    assert_eq!(place(url), Some("localhost:5432"));
    assert_eq!(place("redis-cluster://a:1?node=b:2"), Some("a:1"));
    assert_eq!(place("mysql://localhost/db"), None);
}
