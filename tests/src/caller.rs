//! Finds out which of our processes is at the other end of a connection: deliveries bear no name of the server.

use std::fs;
use std::net::SocketAddr;

/// Answers the child process that has the far end of a connection, if one of them still has it.
pub(crate) fn of(near: SocketAddr, far: SocketAddr) -> Option<u32> {
    let socket = format!("socket:[{}]", inode(far.port(), near.port())?);
    children().find(|pid| holds(*pid, &socket))
}

/// Looks up the socket with these ports in the system's table.
fn inode(local: u16, remote: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let has_port = |address: &str, port: u16| {
        let (_, written) = address.split_once(':').unwrap_or_default();
        u16::from_str_radix(written, 16) == Ok(port)
    };
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = has_port(fields.get(1)?, local) && has_port(fields.get(2)?, remote);
        is_it.then(|| fields.get(9)?.parse().ok()).flatten()
    })
}

fn children() -> impl Iterator<Item = u32> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid| parent(*pid) == Some(own))
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; behind it come state and parent.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(1)?.parse().ok()
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
