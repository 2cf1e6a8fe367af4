//! Several servers on one shared store behind a balancer, and what may befall each of them.
//!
//! It notes what befell whom and when, for whoever judges the deliveries (see `Strike`).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::balancer::Balancer;
use crate::client::Client;
use crate::server::{Server, Setup};
use crate::shared::SharedStore;

/// What befell a server, or the store of all.
#[derive(Debug, Clone)]
pub struct Strike {
    /// The processes that it befell; empty: the store, and so all.
    pub pids: Vec<u32>,
    /// When it began.
    pub from: Instant,
    /// When it was over; none: it is not.
    pub until: Option<Instant>,
    /// What it was.
    pub what: &'static str,
}

/// All that befell a fleet. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Strikes(Arc<Mutex<Vec<Strike>>>);

impl Strikes {
    /// Notes the beginning, and answers its number.
    pub fn begin(&self, what: &'static str, pids: Vec<u32>) -> usize {
        let mut strikes = self.0.lock().unwrap();
        strikes.push(Strike {
            pids,
            from: Instant::now(),
            until: None,
            what,
        });
        strikes.len() - 1
    }

    /// Notes that it is over.
    pub fn end(&self, number: usize) {
        self.0.lock().unwrap()[number].until = Some(Instant::now());
    }

    /// Answers all.
    #[must_use]
    pub fn all(&self) -> Vec<Strike> {
        self.0.lock().unwrap().clone()
    }
}

/// The servers.
pub struct Fleet {
    servers: Vec<Server>,
    balancer: Balancer,
    strikes: Strikes,
    /// What has befallen a server and is not over.
    open: Vec<Option<usize>>,
}

/// How long a lease lasts in a fleet. Servers that get no processor for so long lose their leases, which the judge of
/// repeated calls can't see: shorter, and a busy machine fails tests.
pub const LEASE: Duration = Duration::from_secs(6);

impl Fleet {
    /// Starts three servers on a store.
    pub async fn start(store: &SharedStore) -> Self {
        Self::start_with(3, |_| store.used_by(Setup::new())).await
    }

    /// Starts so many servers, each as set up by its number from 0.
    pub async fn start_with(count: usize, setup: impl Fn(usize) -> Setup) -> Self {
        let setup = |index| {
            setup(index)
                .with("SEATA_LOG", "info")
                .with("SEATA_LEASE_SECS", LEASE.as_secs())
        };
        let mut servers = Vec::new();
        for index in 0..count {
            servers.push(setup(index).start().await);
        }
        Self::of(servers).await
    }

    /// Makes one of servers that run.
    pub async fn of(servers: Vec<Server>) -> Self {
        let count = servers.len();
        let ports = servers.iter().map(Server::port).collect();
        Self {
            open: vec![None; count],
            balancer: Balancer::start(ports).await,
            servers,
            strikes: Strikes::default(),
        }
    }

    /// Makes a client of all of them, by way of the balancer.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.balancer.port())
    }

    /// Answers how many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Answers whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Answers one of them.
    #[must_use]
    pub fn server(&self, index: usize) -> &Server {
        &self.servers[index]
    }

    /// Answers the processes that run now, in their order.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::pid).collect()
    }

    /// Answers what has befallen them.
    #[must_use]
    pub fn strikes(&self) -> &Strikes {
        &self.strikes
    }

    /// Kills one without warning. The balancer finds out by itself.
    pub fn kill_nine(&mut self, index: usize) {
        self.begin("kill -9", index);
        self.servers[index].kill_nine();
    }

    /// Suspends one. The balancer gives up on it, as one that asks for health does.
    pub fn suspend(&mut self, index: usize) {
        self.begin("suspension", index);
        self.servers[index].suspend();
        self.balancer.take_out(index);
    }

    /// Lets one go on that was suspended.
    pub fn resume(&mut self, index: usize) {
        self.servers[index].resume();
        self.balancer.take_in(index);
        self.end(index);
    }

    /// Asks one to stop, as a supervisor does. The balancer goes on sending: it is refused.
    pub fn terminate(&mut self, index: usize) {
        self.begin("stop", index);
        self.servers[index].terminate();
    }

    /// Waits until one that was asked to stop has ended.
    pub async fn ended(&mut self, index: usize) {
        let status = self.servers[index].ended().await;
        assert_eq!(status.code(), Some(0), "server {index}");
    }

    /// Starts one again that was killed or has ended.
    pub async fn start_again(&mut self, index: usize) {
        self.servers[index].start_again().await;
        self.end(index);
    }

    fn begin(&mut self, what: &'static str, index: usize) {
        let pids = vec![self.servers[index].pid()];
        self.open[index] = Some(self.strikes.begin(what, pids));
    }

    fn end(&mut self, index: usize) {
        if let Some(number) = self.open[index].take() {
            self.strikes.end(number);
        }
    }
}
