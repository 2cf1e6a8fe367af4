//! The benchmark: builds what is measured, installs the peers that are asked for, and hands on the arguments as they are.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{cargo, program, step, target};

/// A coordinator that others made.
struct Peer {
    /// As `--peer` and its registry name it.
    name: &'static str,
    version: &'static str,
    /// Of its features what its stores need.
    features: &'static str,
    /// Tells the bench where it is.
    variable: &'static str,
}

const PEERS: [Peer; 1] = [Peer {
    name: "dtmrs",
    version: "0.13.0",
    features: "redis",
    variable: "SEATA_BENCH_DTMRS",
}];

/// The server to measure, if it is not to be built.
const SERVER: &str = "SEATA_SERVER_BIN";

/// Measures against a null coordinator and, where it is asked for, against peers.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let server = match std::env::var_os(SERVER) {
        Some(given) => given.into(),
        None => built("seata-server")?,
    };
    let bench = built("seata-bench")?;
    // However this ends, the bench ends too, and with it all that it started.
    let mut run = program("setpriv")
        .args(["--pdeathsig", "KILL"])
        .args([bench])
        .args(arguments)
        .env(SERVER, server);
    for peer in PEERS.iter().filter(|peer| peer.is_asked_for(arguments)) {
        run = run.env(peer.variable, peer.installed()?);
    }
    run.run()
}

fn built(package: &str) -> Result<PathBuf> {
    step(package, || {
        cargo(&format!("build --locked --release -p {package}")).run()
    })?;
    Ok(target().join("release").join(package))
}

impl Peer {
    fn is_asked_for(&self, arguments: &[String]) -> bool {
        let after = |argument: &String| argument.strip_prefix("--peer").map(str::to_owned);
        let mut words = arguments
            .iter()
            .skip_while(|argument| after(argument).is_none());
        match words.next().and_then(after).as_deref() {
            Some("") => words.next().is_some_and(|name| name == self.name),
            Some(named) => named.strip_prefix('=') == Some(self.name),
            None => false,
        }
    }

    /// Installs it from its registry unless that was done.
    fn installed(&self) -> Result<PathBuf> {
        let Self {
            name,
            version,
            features,
            ..
        } = self;
        let root = target().join("peers");
        step(&format!("{name} {version}"), || {
            cargo(&format!("install {name}@{version} --features {features}"))
                .args(["--root".into(), root.clone()])
                .args(["--target-dir".into(), root.join("build")])
                .run()
        })?;
        let path = root.join("bin").join(name);
        path.canonicalize()
            .with_context(|| format!("finding {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_installed_only_for_its_flag() {
        let is_asked_for = |words: &str| {
            let arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
            PEERS.iter().any(|peer| peer.is_asked_for(&arguments))
        };
        assert!(is_asked_for("--store all --peer dtmrs"));
        assert!(is_asked_for("--peer=dtmrs --quick"));
        assert!(!is_asked_for("--peer none"));
        assert!(!is_asked_for("--peer"));
        assert!(!is_asked_for("--store dtmrs"));
    }
}
