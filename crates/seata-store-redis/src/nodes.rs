//! All servers, and which of them keeps a partition.
//!
//! fred's own client of a cluster stops for all nodes while it reconnects to one, and gives up where a command with one
//! attempt is redirected. So each master has a client of its own, and the map of slots is kept here: a node that is gone
//! fails its own partitions only.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fred::error::Error;
use fred::types::Value;
use fred::types::config::Server;
use futures_util::future::join_all;

use crate::connection::Recipe;
use crate::error::{Fault, is_away};
use crate::node::{Call, Node};
use crate::script::Command;
use crate::slots::{Range, first_slots, most_told, of_server, slots, slots_command};

/// Between two questions for the map of slots.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Clones are one set of servers.
#[derive(Clone)]
pub(crate) struct Nodes {
    inner: Arc<Inner>,
}

struct Inner {
    recipe: Recipe,
    map: RwLock<Map>,
    is_looking: AtomicBool,
    /// How often slots were asked for.
    looks: AtomicUsize,
    /// Whether what was taken for one server keeps slots apart: a node of a cluster that has all of them, or a proxy.
    is_apart: AtomicBool,
}

/// Which keys one command may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Any: one server keeps all.
    OneServer,
    /// Those of one slot: a cluster moves slots one by one.
    Slots,
}

/// Who keeps which slots: sorted, each until its last one. A single server keeps all.
#[derive(Default)]
struct Map {
    ranges: Vec<Range>,
    nodes: BTreeMap<Server, Arc<Node>>,
}

impl Map {
    fn of(&self, slot: u16) -> Option<Arc<Node>> {
        let (_, _, server) = self
            .ranges
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&slot))?;
        self.nodes.get(server).cloned()
    }
}

impl Nodes {
    /// Connects to the server, or to all masters of a cluster.
    pub(crate) async fn connect(recipe: Recipe) -> Result<Self, Error> {
        let mut map = Map::default();
        if recipe.config.server.is_clustered() {
            let ranges = first_slots(&recipe, recipe.timeout).await?;
            for (_, _, server) in &ranges {
                if !map.nodes.contains_key(server) {
                    let node = connect_or_wait(&of_server(&recipe, server)).await?;
                    map.nodes.insert(server.clone(), Arc::new(node));
                }
            }
            map.ranges = ranges;
        } else {
            let only = Server::new("", 0);
            let node = Node::connect(recipe.clone()).await?;
            map.nodes.insert(only.clone(), Arc::new(node));
            map.ranges.push((0, u16::MAX, only));
        }
        let inner = Inner {
            recipe,
            map: RwLock::new(map),
            is_looking: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            is_apart: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Sends a command to whoever keeps this slot. One that another node must execute goes there: the first has
    /// refused it unseen.
    pub(crate) async fn call(
        &self,
        call: Call,
        slot: u16,
        command: Command,
    ) -> Result<Value, Fault> {
        let Some(node) = self.of(slot) else {
            self.look();
            return Err(Fault::Unsent(format!("no node serves slot {slot}")));
        };
        let again = self.is_cluster().then(|| command.clone());
        let answer = node.call(call, command).await;
        match (answer, again) {
            (Err(fault), Some(again)) if fault.is("MOVED") => {
                self.look();
                match self.moved(&fault) {
                    Some(node) => node.call(call, again).await,
                    None => Err(fault),
                }
            }
            (Err(fault), _) => {
                if fault.is("READONLY") {
                    node.give_up();
                }
                if !matches!(fault, Fault::Refused(_)) || fault.is("READONLY") {
                    self.look();
                }
                Err(fault)
            }
            (Ok(value), _) => Ok(value),
        }
    }

    /// Sends a command to the first server that is connected.
    pub(crate) async fn call_any(&self, call: Call, command: Command) -> Result<Value, Fault> {
        let node = self.masters().into_iter().find(|node| node.is_connected());
        match node {
            Some(node) => node.call(call, command).await,
            None => {
                self.look();
                Err(Fault::Unsent("not connected".to_owned()))
            }
        }
    }

    pub(crate) fn masters(&self) -> Vec<Arc<Node>> {
        self.map().nodes.values().cloned().collect()
    }

    pub(crate) fn spread(&self) -> Spread {
        if self.is_cluster() || self.inner.is_apart.load(Ordering::Relaxed) {
            Spread::Slots
        } else {
            Spread::OneServer
        }
    }

    /// Names the keys of one slot alone in each command from now on.
    pub(crate) fn keep_slots_apart(&self) {
        self.inner.is_apart.store(true, Ordering::Relaxed);
    }

    fn is_cluster(&self) -> bool {
        self.inner.recipe.config.server.is_clustered()
    }

    fn map(&self) -> std::sync::RwLockReadGuard<'_, Map> {
        self.inner
            .map
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, slot: u16) -> Option<Arc<Node>> {
        self.map().of(slot)
    }

    fn moved(&self, fault: &Fault) -> Option<Arc<Node>> {
        let Fault::Refused(text) = fault else {
            return None;
        };
        let server = text.split_whitespace().nth(2)?;
        let (host, port) = server.rsplit_once(':')?;
        let server = Server::new(host.to_owned(), port.parse().ok()?);
        self.map().nodes.get(&server).cloned()
    }

    /// Asks for the map of slots in the background, unless somebody does so already.
    fn look(&self) {
        if !self.is_cluster() || self.inner.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            let Some(inner) = weak.upgrade() else { return };
            let nodes = Self { inner };
            // The connections tell once that servers are lost; this is asked again and again.
            if let Err(error) = nodes.look_now().await {
                tracing::debug!(%error, "the slots of the redis cluster could not be asked for");
            }
            drop(nodes);
            tokio::time::sleep(LOOK_EVERY).await;
            if let Some(inner) = weak.upgrade() {
                inner.is_looking.store(false, Ordering::Release);
            }
        });
    }

    async fn look_now(&self) -> Result<(), Error> {
        let recipe = &self.inner.recipe;
        let number = self.inner.looks.fetch_add(1, Ordering::Relaxed);
        let call = Call::begin(number, recipe.timeout / 2);
        let known = self.map().nodes.clone();
        let asked = known.iter().map(|(server, node)| async move {
            let value = node.call(call, slots_command()).await;
            slots(&value.ok()?, Some(&server.host))
        });
        let views = join_all(asked).await.into_iter().flatten().collect();
        let ranges = match most_told(views) {
            Some(ranges) => ranges,
            None => first_slots(recipe, recipe.timeout / 2).await?,
        };
        self.follow(ranges);
        Ok(())
    }

    fn follow(&self, ranges: Vec<Range>) {
        let mut map = self
            .inner
            .map
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut nodes = BTreeMap::new();
        for (_, _, server) in &ranges {
            if nodes.contains_key(server) {
                continue;
            }
            let node = match map.nodes.get(server) {
                Some(node) => Arc::clone(node),
                None => {
                    tracing::info!(%server, "a master of the redis cluster is new");
                    Arc::new(Node::connecting(&of_server(&self.inner.recipe, server)))
                }
            };
            nodes.insert(server.clone(), node);
        }
        *map = Map { ranges, nodes };
    }
}

/// One master that is away fails its own partitions only, also where the store is opened meanwhile.
async fn connect_or_wait(recipe: &Recipe) -> Result<Node, Error> {
    match Node::connect(recipe.clone()).await {
        Err(error) if is_away(&error) => Ok(Node::connecting(recipe)),
        answer => answer,
    }
}
