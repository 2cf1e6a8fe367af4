//! Carries the bytes of one connection, in a thread for each direction.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use super::rules::{Direction, Id, Shared, Verdict};

/// The most bytes that are read in one piece.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Connects a client with the server. Where that is down, the client's connection is closed.
pub(super) fn join(shared: &Arc<Shared>, client: TcpStream) {
    let shared = Arc::clone(shared);
    // In a thread of its own: a server that doesn't accept must not hold up other clients.
    thread::spawn(move || {
        let Some((server, client_too, server_too)) = sides(&shared.place, &client) else {
            return;
        };
        let Ok(held) = client
            .try_clone()
            .and_then(|own| Ok([own, server.try_clone()?]))
        else {
            return;
        };
        let id = shared.begin(held);
        let replies = Arc::clone(&shared);
        thread::spawn(move || pump(&replies, id, Direction::Replies, server_too, client_too));
        pump(&shared, id, Direction::Requests, client, server);
    });
}

fn sides(place: &str, client: &TcpStream) -> Option<(TcpStream, TcpStream, TcpStream)> {
    let server = TcpStream::connect(place).ok()?;
    // Latency is not what it wants to lose.
    let _ = server.set_nodelay(true);
    let _ = client.set_nodelay(true);
    let (client_too, server_too) = (client.try_clone().ok()?, server.try_clone().ok()?);
    Some((server, client_too, server_too))
}

fn pump(shared: &Shared, id: Id, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
    let mut piece = vec![0; PIECE_BYTES_MAX];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let bytes = piece.get(..length).unwrap_or_default();
        thread::sleep(shared.delay(direction));
        match shared.judge(id, direction, bytes) {
            Verdict::Forward if to.write_all(bytes).is_ok() => {}
            Verdict::Swallow => {}
            Verdict::Forward | Verdict::Cut => break,
        }
    }
    shared.end(id);
}
