//! Installs Debian packages where that is possible, and leaves no standard service running.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use seata_test_servers::programs::{find, is_root};

use crate::run::program;

/// Asked by Debian's packages before they start a service; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs these packages, or says how a person does it.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!("this system has no apt-get");
    }
    if !is_root() {
        bail!("only root may run: {by_hand}");
    }
    let _policy = Policy::forbid_services()?;
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends"]
        .iter()
        .chain(packages)
        .copied()
        .collect::<Vec<_>>())
}

fn apt(arguments: &[&str]) -> Result<()> {
    program("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Speaks up for systems whose policy is not ours: the init scripts start nothing in a rescue level.
        .env("RUNLEVEL", "1")
        .run()
}

/// Forbids packages to start services, until it is dropped. A policy that the system already has is left alone.
struct Policy {
    ours: Option<&'static Path>,
}

impl Policy {
    fn forbid_services() -> Result<Self> {
        let path = Path::new(POLICY);
        if path.exists() {
            return Ok(Self { ours: None });
        }
        fs::write(path, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("writing {POLICY}"))?;
        Ok(Self { ours: Some(path) })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = self.ours {
            // It would keep later packages from starting services, so say it if it stays.
            if let Err(error) = fs::remove_file(path) {
                println!("remove {POLICY} by hand: {error}");
            }
        }
    }
}
