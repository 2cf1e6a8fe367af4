//! A private Redis Cluster: three masters, each with one replica.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::ask::{ask, probe};
use crate::folder::Folder;
use crate::port::Port;
use crate::redis::{KIND, RedisOptions, answers, command};
use crate::server::Server;

const NODES: usize = 6;
const MASTERS: usize = 3;
const SLOTS: u16 = 16_384;

/// How long the cluster may take to be whole, after its start or after a node went away.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// How often it is asked.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// `cluster-node-timeout`: after this the others begin to say that a node is away. Until the cluster is formed, and where
/// masters are killed.
const NODE_TIMEOUT_MS: &str = "2000";

/// The same where nobody is killed: no busy machine keeps a master from its word for so long.
const STEADY_NODE_TIMEOUT_MS: &str = "60000";

/// What each node is told. A replica copies at once instead of waiting for others that might want to, nobody changes
/// masters by itself, and slots that are well are served while others are not.
const SETTINGS: [(&str, &str); 7] = [
    ("cluster-enabled", "yes"),
    ("cluster-config-file", "nodes.conf"),
    ("cluster-node-timeout", NODE_TIMEOUT_MS),
    ("cluster-require-full-coverage", "no"),
    ("cluster-allow-replica-migration", "no"),
    ("repl-diskless-sync-delay", "0"),
    ("repl-ping-replica-period", "1"),
];

/// A private Redis Cluster. Its nodes end when this is dropped, and when its process ends in whatever way.
pub struct RedisCluster {
    nodes: Vec<Node>,
    address: String,
}

struct Node {
    server: Server,
    /// At which the nodes speak with each other.
    bus: Port,
}

/// A line of `CLUSTER NODES`.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    port: u16,
    flags: Vec<String>,
    slots: Vec<RangeInclusive<u16>>,
}

impl RedisCluster {
    /// Starts six nodes that sync each write, and waits until all slots are served and all replicas are in step. At
    /// first nodes 0, 1 and 2 are the masters, in the order of their slots, and node `3 + i` is the replica of node `i`.
    /// No replica takes its master's place for a minute: see [`RedisCluster::promote_soon`].
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(&RedisOptions::default())
    }

    /// Starts one whose nodes have these options.
    ///
    /// # Errors
    /// A program is missing, or it does not start.
    pub fn start_with(options: &RedisOptions) -> Result<Self> {
        let starts: Vec<_> = thread::scope(|scope| {
            let starting: Vec<_> = (0..NODES)
                .map(|_| scope.spawn(|| start_node(options)))
                .collect();
            starting
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect()
        });
        let nodes = starts
            .into_iter()
            .map(|start| start.unwrap_or_else(|_| bail!("a thread that starts a node panicked")))
            .collect::<Result<Vec<_>>>()?;
        let address = address(&nodes);
        let cluster = Self { nodes, address };
        cluster.form().context("forming a Redis Cluster")?;
        cluster.set_node_timeout(STEADY_NODE_TIMEOUT_MS)?;
        Ok(cluster)
    }

    /// Lets a replica take the place of its master as soon as nobody has heard of that for some seconds, for a test that
    /// kills or freezes masters.
    ///
    /// # Errors
    /// A node does not answer.
    pub fn promote_soon(&self) -> Result<()> {
        self.set_node_timeout(NODE_TIMEOUT_MS)
    }

    /// Answers its URL, as fred reads it: all nodes are in it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers one of its nodes, 0 to 5, with all that may befall a server.
    ///
    /// # Panics
    /// There are six.
    #[must_use]
    pub fn node(&self, index: usize) -> &Server {
        &self.nodes[index].server
    }

    /// Answers all nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Server> {
        self.nodes.iter().map(|node| &node.server)
    }

    /// Answers which node is the master of a key, as the nodes that answer see it. None: nobody, since its master is
    /// away and no replica has taken its place yet.
    ///
    /// # Errors
    /// No node answers.
    pub fn master_of(&self, key: &str) -> Result<Option<usize>> {
        let slot = self.ask_any(&format!("CLUSTER KEYSLOT {key}"))?;
        self.master_of_slot(slot.parse().context("reading a slot")?)
    }

    /// Answers which node is the master of a slot; see [`RedisCluster::master_of`].
    ///
    /// # Errors
    /// No node answers.
    pub fn master_of_slot(&self, slot: u16) -> Result<Option<usize>> {
        let seen = self.seen()?;
        let master = seen
            .iter()
            .find(|node| node.is_well() && node.slots.iter().any(|slots| slots.contains(&slot)));
        Ok(master.and_then(|master| self.at_port(master.port)))
    }

    /// Answers which nodes are masters now, in the order of their slots.
    ///
    /// # Errors
    /// No node answers.
    pub fn masters(&self) -> Result<Vec<usize>> {
        let mut masters = self.seen()?;
        masters.retain(|node| node.is_well() && !node.slots.is_empty());
        masters.sort_by_key(|node| node.slots.first().map(|slots| *slots.start()));
        let indexes = masters.iter().filter_map(|node| self.at_port(node.port));
        Ok(indexes.collect())
    }

    /// Kills the master of the first, second or third part of the slots (0 to 2), and answers which node it was. Its
    /// replica takes its place after some two node timeouts, soon if [`RedisCluster::promote_soon`] was called;
    /// [`RedisCluster::await_whole`] waits for that.
    ///
    /// # Errors
    /// No node answers, or that part has no master now.
    pub fn kill_master(&self, part: usize) -> Result<usize> {
        let masters = self.masters()?;
        let master = *masters
            .get(part)
            .with_context(|| format!("there is no master {part} among {masters:?}"))?;
        self.node(master).kill()?;
        Ok(master)
    }

    /// Waits until all nodes that answer agree that every slot has a master that is well, and serve it.
    ///
    /// # Errors
    /// It is not so within a minute.
    pub fn await_whole(&self) -> Result<()> {
        eventually("all slots are served", || {
            let mut views = self.views().peekable();
            views.peek().is_some() && views.all(|(port, seen)| is_whole(port, &seen))
        })
    }

    /// Waits until each replica that answers is in step with its master.
    ///
    /// # Errors
    /// It is not so within a minute.
    pub fn await_replicas(&self) -> Result<()> {
        eventually("all replicas are in step", || {
            self.ports().all(|port| {
                let told = probe(port, "INFO replication");
                told.is_ok_and(|told| {
                    told.contains("role:master") || told.contains("master_link_status:up")
                })
            })
        })
    }

    /// Hands out the slots and makes the nodes known to each other.
    fn form(&self) -> Result<()> {
        for (part, port) in (0..MASTERS).zip(self.ports()) {
            ask(port, &format!("CLUSTER ADDSLOTSRANGE {}", slots_of(part)))?;
        }
        let first = self.node(0).port();
        for node in &self.nodes {
            let (port, bus) = (node.server.port(), node.bus.number());
            ask(first, &format!("CLUSTER MEET 127.0.0.1 {port} {bus}"))?;
        }
        eventually("each node knows each", || {
            self.views().filter(|(_, seen)| knows_all(seen)).count() == NODES
        })?;
        for (master, replica) in self.ports().zip(self.ports().skip(MASTERS)) {
            let id = ask(master, "CLUSTER MYID")?;
            ask(replica, &format!("CLUSTER REPLICATE {id}"))?;
        }
        self.await_replicas()?;
        eventually("all see the replicas", || {
            let views: Vec<_> = self.views().collect();
            views.len() == NODES && views.iter().all(|(_, seen)| has_replicas(seen))
        })?;
        self.await_whole()
    }

    fn set_node_timeout(&self, ms: &str) -> Result<()> {
        for port in self.ports() {
            ask(port, &format!("CONFIG SET cluster-node-timeout {ms}"))?;
        }
        Ok(())
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        self.nodes().map(Server::port)
    }

    fn at_port(&self, port: u16) -> Option<usize> {
        self.ports().position(|of_node| of_node == port)
    }

    /// Answers what each node that answers sees, with its port.
    fn views(&self) -> impl Iterator<Item = (u16, Vec<Seen>)> {
        self.ports().filter_map(|port| {
            let lines = probe(port, "CLUSTER NODES").ok()?;
            Some((port, lines.lines().filter_map(Seen::read).collect()))
        })
    }

    fn seen(&self) -> Result<Vec<Seen>> {
        let (_, seen) = self.views().next().context("no node answers")?;
        Ok(seen)
    }

    fn ask_any(&self, command: &str) -> Result<String> {
        self.ports()
            .find_map(|port| probe(port, command).ok())
            .context("no node answers")
    }
}

impl Seen {
    /// Reads `<id> <ip>:<port>@<bus> <flags> <master> <sent> <received> <epoch> <link> <slots>…`.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ').skip(1);
        let (_, port) = words.next()?.split('@').next()?.rsplit_once(':')?;
        let flags = words.next()?.split(',').map(str::to_owned).collect();
        let slots = words.skip(5).filter_map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            Some(first.parse().ok()?..=last.parse().ok()?)
        });
        Some(Self {
            port: port.parse().ok()?,
            flags,
            slots: slots.collect(),
        })
    }

    fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }

    fn is_well(&self) -> bool {
        !["fail", "fail?", "handshake", "noaddr"]
            .iter()
            .any(|flag| self.is(flag))
    }
}

fn start_node(options: &RedisOptions) -> Result<Node> {
    let folder = Folder::new("redis-cluster")?;
    let (port, bus) = (Port::free()?, Port::free()?);
    let mut options = options.clone();
    let own = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    options.settings.extend(own);
    let at_bus = ("cluster-port".to_owned(), bus.number().to_string());
    options.settings.push(at_bus);
    let command = command(&folder, &port, &options);
    let probe = answers(port.number());
    let address = format!("redis://127.0.0.1:{}", port.number());
    let server = Server::start(&KIND, (folder, port), command, probe, address)?;
    Ok(Node { server, bus })
}

fn address(nodes: &[Node]) -> String {
    let places = nodes.iter().zip(
        ["", "?node="]
            .into_iter()
            .chain(std::iter::repeat("&node=")),
    );
    places.fold("redis-cluster://".to_owned(), |url, (node, joint)| {
        format!("{url}{joint}127.0.0.1:{}", node.server.port())
    })
}

/// Answers the first and the last slot of a part.
fn slots_of(part: usize) -> String {
    let at = |part: usize| part * usize::from(SLOTS) / MASTERS;
    format!("{} {}", at(part), at(part + 1) - 1)
}

fn knows_all(seen: &[Seen]) -> bool {
    seen.len() == NODES && seen.iter().all(Seen::is_well)
}

fn has_replicas(seen: &[Seen]) -> bool {
    seen.iter().filter(|node| node.is("slave")).count() == NODES - MASTERS
}

/// Answers whether this node serves, and sees that every slot has a master that is well.
fn is_whole(port: u16, seen: &[Seen]) -> bool {
    let served: BTreeSet<u16> = seen
        .iter()
        .filter(|node| node.is("master") && node.is_well())
        // One that has just died is a master that is well, until the others miss it.
        .filter(|node| probe(node.port, "PING").is_ok())
        .flat_map(|node| node.slots.iter().cloned().flatten())
        .collect();
    served.len() == usize::from(SLOTS)
        && probe(port, "CLUSTER INFO").is_ok_and(|info| info.contains("cluster_state:ok"))
}

fn eventually(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > WHOLE_WITHIN {
            bail!("not within {} s: {what}", WHOLE_WITHIN.as_secs());
        }
        sleep(ASKED_EVERY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_node_is_read() {
        let line = "07c37df 127.0.0.1:30004@31004,host master,fail - 0 1426238317239 4 connected 0-5460 7 [93-<-29]";
        let seen = Seen::read(line);
        let expected = Seen {
            port: 30_004,
            flags: vec!["master".to_owned(), "fail".to_owned()],
            slots: vec![0..=5460, 7..=7],
        };
        assert_eq!(seen.as_ref(), Some(&expected));
        assert!(!expected.is_well());
    }

    #[test]
    fn the_parts_of_the_masters_are_all_slots() {
        let parts: Vec<String> = (0..MASTERS).map(slots_of).collect();
        assert_eq!(parts, ["0 5460", "5461 10921", "10922 16383"]);
    }
}
