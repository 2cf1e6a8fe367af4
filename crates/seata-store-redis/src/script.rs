//! The scripts, and commands as they are sent.

use std::sync::LazyLock;

use fred::types::Value;
use fred::util::sha1_hash;

/// A script under the name by which servers keep it.
pub(crate) struct Script {
    pub(crate) text: &'static str,
    pub(crate) sha1: String,
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            let text = concat!(
                include_str!("scripts/common.lua"),
                include_str!(concat!("scripts/", $file))
            );
            Script {
                text,
                sha1: sha1_hash(text),
            }
        });
    };
}

script!(APPEND, "append.lua");
script!(CLAIM, "claim.lua");
script!(DUE, "due.lua");
script!(LAYOUT, "layout.lua");
script!(REMOVE, "remove.lua");
script!(RENEW, "renew.lua");
script!(WALK, "walk.lua");

/// One command to one server.
#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<Value>,
    pub(crate) script: Option<&'static Script>,
}

impl Command {
    pub(crate) fn plain(name: &'static str, args: &[&str]) -> Self {
        Self {
            name,
            args: args.iter().map(|arg| Value::from(*arg)).collect(),
            script: None,
        }
    }

    /// All keys are named, so that a server that lost the slot refuses before it runs the script.
    pub(crate) fn script(script: &'static Script, keys: Vec<String>, args: Vec<Value>) -> Self {
        let count = keys.len().to_string();
        let mut all = Vec::with_capacity(2 + keys.len() + args.len());
        all.push(Value::from(script.sha1.as_str()));
        all.push(Value::from(count));
        all.extend(keys.into_iter().map(Value::from));
        all.extend(args);
        Self {
            name: "EVALSHA",
            args: all,
            script: Some(script),
        }
    }
}
