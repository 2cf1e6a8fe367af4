//! The map of slots, as the nodes of a cluster tell it.

use std::cmp::Reverse;
use std::time::Duration;

use fred::error::{Error, ErrorKind};
use fred::types::Value;
use fred::types::config::{Config, Server, ServerConfig};

use crate::connection::Recipe;
use crate::error::Fault;
use crate::node::{Call, Node};
use crate::script::Command;

/// Slots from the first to the last, and their master.
pub(crate) type Range = (u16, u16, Server);

/// How clients of this server are made.
pub(crate) fn of_server(recipe: &Recipe, server: &Server) -> Recipe {
    Recipe {
        config: Config {
            server: ServerConfig::Centralized {
                server: server.clone(),
            },
            ..recipe.config.clone()
        },
        ..recipe.clone()
    }
}

pub(crate) fn slots_command() -> Command {
    Command::plain("CLUSTER", &["SLOTS"])
}

/// Asks the nodes that the address names, one after another.
pub(crate) async fn first_slots(recipe: &Recipe, each: Duration) -> Result<Vec<Range>, Error> {
    let mut last = Error::new(ErrorKind::Config, "SEATA_REDIS_URL names no node");
    for server in recipe.config.server.hosts() {
        let one = Recipe {
            connections: 1,
            ..of_server(recipe, &server)
        };
        let node = match Node::connect(one).await {
            Ok(node) => node,
            Err(error) => {
                last = error;
                continue;
            }
        };
        match node.call(Call::begin(0, each), slots_command()).await {
            Ok(value) => match slots(&value, Some(&server.host)) {
                Some(ranges) => return Ok(ranges),
                None => last = Error::new(ErrorKind::Cluster, "no node of the cluster has slots"),
            },
            Err(Fault::Refused(text)) if text.contains("cluster support disabled") => {
                let why = "this is no node of a Redis Cluster: use redis:// or rediss://";
                return Err(Error::new(ErrorKind::Config, why));
            }
            Err(Fault::Refused(why) | Fault::Unsent(why) | Fault::Lost(why)) => {
                last = Error::new(ErrorKind::Cluster, why);
            }
        }
    }
    Err(last)
}

/// Answers what most nodes say: one that slept may still take itself for a master.
pub(crate) fn most_told(mut views: Vec<Vec<Range>>) -> Option<Vec<Range>> {
    let of = |view: &Vec<Range>| views.iter().filter(|other| *other == view).count();
    let (at, _) = views
        .iter()
        .enumerate()
        .max_by_key(|(at, view)| (of(view), Reverse(*at)))?;
    Some(views.swap_remove(at))
}

/// Reads what `CLUSTER SLOTS` answers. Nothing that can be read is no map.
pub(crate) fn slots(value: &Value, host: Option<&str>) -> Option<Vec<Range>> {
    let mut ranges = Vec::new();
    for range in list(value)? {
        let [first, last, master, ..] = list(range)? else {
            return None;
        };
        let [name, port, ..] = list(master)? else {
            return None;
        };
        let name = name
            .as_string()
            .filter(|name| !name.is_empty() && name != "?");
        let name = name.or_else(|| host.map(str::to_owned))?;
        let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok());
        let server = Server::new(name, number(port)?);
        ranges.push((number(first)?, number(last)?, server));
    }
    (!ranges.is_empty()).then_some(ranges)
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values),
        Value::Boolean(_)
        | Value::Integer(_)
        | Value::Double(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::Null
        | Value::Queued
        | Value::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(first: i64, last: i64, host: Value, port: i64) -> Value {
        Value::Array(vec![
            Value::Integer(first),
            Value::Integer(last),
            Value::Array(vec![host, Value::Integer(port), Value::from("id")]),
            Value::Array(vec![Value::from("replica"), Value::Integer(1)]),
        ])
    }

    #[test]
    fn each_slot_is_kept_by_its_master() {
        let answer = Value::Array(vec![
            master(0, 99, Value::from("a"), 1),
            master(100, 16_383, Value::Null, 2),
        ]);
        let ranges = slots(&answer, Some("asked"));
        let expected = vec![
            (0, 99, Server::new("a", 1)),
            (100, 16_383, Server::new("asked", 2)),
        ];
        assert_eq!(ranges, Some(expected));
    }

    #[test]
    fn the_view_of_most_nodes_holds() {
        let view = |host: &str| vec![(0, 99, Server::new(host, 1))];
        let told = |hosts: &[&str]| most_told(hosts.iter().map(|host| view(host)).collect());
        assert_eq!(told(&["slept", "new", "new"]), Some(view("new")));
        assert_eq!(told(&["new", "new", "slept"]), Some(view("new")));
        assert_eq!(told(&["one"]), Some(view("one")));
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn what_names_no_master_is_no_map() {
        assert_eq!(slots(&Value::Array(Vec::new()), None), None);
        assert_eq!(slots(&Value::from("OK"), None), None);
        let unnamed = Value::Array(vec![master(0, 1, Value::Null, 2)]);
        assert_eq!(slots(&unnamed, None), None);
    }
}
