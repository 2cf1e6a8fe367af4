//! A proxy between a client and a server that loses what a test wants lost.
//!
//! It knows bytes only: a *request* is what the client sent in one piece, a *reply* what the server did.

mod pump;
mod rules;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::port::Port;
pub use rules::Direction;
use rules::{Door, Shared, Which};

/// Stands between a client and a server, at an address of its own, until it is dropped.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    port: Port,
    doorman: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Stands before the server with this address: `host:port`, or a URL with both.
    ///
    /// # Errors
    /// The address names no port, or no port is free.
    pub fn to(address: &str) -> Result<Self> {
        let place = place(address)
            .context("the address has no host and port, such as 127.0.0.1:5432, to stand before")?;
        let port = Port::free()?;
        let own = format!("127.0.0.1:{}", port.number());
        let shared = Arc::new(Shared::new(place.to_owned()));
        let doorman = {
            let (shared, port) = (Arc::clone(&shared), port.number());
            thread::spawn(move || keep_door(&shared, port))
        };
        let proxy = Self {
            address: address.replacen(place, &own, 1),
            shared,
            port,
            doorman: Some(doorman),
        };
        proxy.restore();
        Ok(proxy)
    }

    /// Answers the server's address with the proxy's place in it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Cuts all connections that are there now. New ones are welcome.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Refuses new connections, as where nobody listens. Those that are there stay.
    pub fn refuse(&self) {
        self.shared.want(Door::Shut);
        self.wake();
        self.shared.await_door(Door::Shut);
    }

    /// Takes connections and what is sent, and forwards nothing in this direction, in connections that are there and in
    /// new ones: nobody is told that anything is wrong.
    pub fn swallow(&self, direction: Direction) {
        self.shared.swallow(direction);
    }

    /// Answers how many pieces were swallowed since the start. Whoever restores before one is counted may find it
    /// forwarded.
    #[must_use]
    pub fn pieces_swallowed(&self) -> usize {
        self.shared.pieces_swallowed()
    }

    /// Forwards each piece in this direction so much later, as a server does whose disk is slow or which is far away.
    pub fn slow_down(&self, direction: Direction, by: Duration) {
        self.shared.slow_down(direction, by);
    }

    /// Lets the nth request from now pass, in whichever connection, and cuts that connection when the next reply comes
    /// instead of forwarding it; then all is as before. 1 is the next request.
    pub fn lose_reply_of(&self, nth: usize) {
        self.shared.lose_reply(Which::Nth(nth.max(1)));
    }

    /// Loses the reply of the next request that holds these bytes, as [`Proxy::lose_reply_of`] does.
    pub fn lose_reply_to(&self, bytes: &[u8]) {
        self.shared.lose_reply(Which::Holding(bytes.to_vec()));
    }

    /// Answers how many replies were lost since the start by [`Proxy::lose_reply_of`] and [`Proxy::lose_reply_to`].
    #[must_use]
    pub fn replies_lost(&self) -> usize {
        self.shared.replies_lost()
    }

    /// Answers how many connections there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Forwards all again. What was swallowed stays lost.
    pub fn restore(&self) {
        self.shared.forward();
        self.shared.want(Door::Open);
        self.shared.await_door(Door::Open);
    }

    /// Lets the thread at the door look at what is wanted.
    fn wake(&self) {
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number()));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.want(Door::Gone);
        self.wake();
        if let Some(doorman) = self.doorman.take() {
            // A panic there was told already.
            let _ = doorman.join();
        }
        self.shared.cut();
    }
}

/// Listens while the door is open, and only then: nothing else refuses as a server does that is not there.
fn keep_door(shared: &Arc<Shared>, port: u16) {
    while shared.await_open() {
        // It was free, and is ours: it can be taken again as soon as the last listener is gone.
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
            thread::yield_now();
            continue;
        };
        shared.tell(Door::Open);
        for client in listener.incoming() {
            if !shared.wants_open() {
                break;
            }
            if let Ok(client) = client {
                pump::join(shared, client);
            }
        }
        drop(listener);
        shared.tell(Door::Shut);
    }
}

/// Answers the `host:port` of an address.
fn place(address: &str) -> Option<&str> {
    let behind_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = behind_scheme.split(['/', '?']).next()?;
    let place = authority.rsplit('@').next()?;
    let (_, port) = place.rsplit_once(':')?;
    port.parse::<u16>().ok().map(|_| place)
}

#[cfg(test)]
mod tests;
