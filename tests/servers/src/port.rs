//! Ports that stay a server's own, also while it is down.
//!
//! A port among those that the system lends to outgoing connections could be lent while its server restarts, even to the
//! very client that tries to reach it. So ports come from below that range, and are reserved among all our processes.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::{Context, Result};

/// The lowest port that is taken.
const FIRST: u16 = 10_000;

/// With fewer ports than these below the lent ones, lent ones are taken.
const ENOUGH: u16 = 2_000;

/// A port, reserved until this is dropped or its process ends.
pub(crate) struct Port {
    number: u16,
    // Held: the system gives an abstract name to one process at a time, and takes it back when that ends.
    _reserved: UnixListener,
}

impl Port {
    /// Reserves a port that nobody listens at.
    pub(crate) fn free() -> Result<Self> {
        let range = candidates();
        let span = u64::from(range.end - range.start);
        // Somewhere in the middle, so that processes that start together rarely meet.
        let begin = RandomState::new().build_hasher().finish() % span;
        (0..span)
            .filter_map(|step| u16::try_from((begin + step) % span).ok())
            .find_map(|step| Self::reserve(range.start + step))
            .with_context(|| format!("all ports from {} to {} are taken", range.start, range.end))
    }

    pub(crate) const fn number(&self) -> u16 {
        self.number
    }

    fn reserve(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("seata-port-{number}")).ok()?;
        let reserved = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self {
            number,
            _reserved: reserved,
        })
    }
}

fn candidates() -> Range<u16> {
    let lent = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first_lent = lent.split_whitespace().next();
    let first_lent = first_lent.and_then(|number| number.parse::<u16>().ok());
    match first_lent {
        Some(end) if end > FIRST + ENOUGH => FIRST..end,
        Some(_) | None => FIRST..u16::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_until_it_is_given_back() -> Result<()> {
        let port = Port::free()?;
        assert!(Port::reserve(port.number()).is_none());
        let number = port.number();
        drop(port);
        assert!(Port::reserve(number).is_some());
        Ok(())
    }

    #[test]
    fn a_port_at_which_somebody_listens_is_not_given() -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        assert!(Port::reserve(listener.local_addr()?.port()).is_none());
        Ok(())
    }
}
