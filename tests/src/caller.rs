//! Finds out which of our processes is at the other end of a connection: deliveries bear no name of the server.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::OnceCell;

/// Whoever is at the other end of a connection. Finding out takes a while on a busy machine, and holds nothing up but
/// answers: for so long the other end stays open.
#[derive(Clone)]
pub(crate) struct Caller {
    ends: (SocketAddr, SocketAddr),
    found: Arc<OnceCell<Option<u32>>>,
}

impl Caller {
    /// Begins to find out.
    pub(crate) fn of(near: SocketAddr, far: SocketAddr) -> Self {
        let caller = Self {
            ends: (near, far),
            found: Arc::default(),
        };
        let looking = caller.clone();
        tokio::spawn(async move { looking.pid().await });
        caller
    }

    /// Answers the child process that had the far end when it was looked for.
    pub(crate) async fn pid(&self) -> Option<u32> {
        let (near, far) = self.ends;
        let look = async || {
            let looked = tokio::task::spawn_blocking(move || look(near, far));
            looked.await.unwrap()
        };
        *self.found.get_or_init(look).await
    }
}

fn look(near: SocketAddr, far: SocketAddr) -> Option<u32> {
    let socket = format!("socket:[{}]", inode(far.port(), near.port())?);
    children().find(|pid| holds(*pid, &socket))
}

/// Looks up the socket with these ports in the system's table.
fn inode(local: u16, remote: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    // Both ends are on 127.0.0.1, which the table writes backwards.
    let ends = format!(" 0100007F:{local:04X} 0100007F:{remote:04X} ");
    let line = table.lines().find(|line| line.contains(&ends))?;
    line.split_whitespace().nth(9)?.parse().ok()
}

/// Answers our children, by the threads that started them.
fn children() -> impl Iterator<Item = u32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids: Vec<u32> = lists
        .flat_map(|list| {
            let words = list.split_whitespace();
            words.filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect();
    pids.into_iter()
}

fn holds(pid: u32, socket: &str) -> bool {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|link| link.as_os_str() == socket)
}
