//! What end-to-end tests need of the machine: programs of databases, which they start and strike themselves, and the
//! library that sets a server's wall clock wrong. Addresses of servers that somebody gives are of no use to them.
//!
//! It installs what is missing where that is possible. What stays missing is printed as skipped, or is a failure under
//! `CI=true`.

use anyhow::Result;
use seata_test_servers::{FAKETIME_PACKAGE, faketime_library};

use crate::packages::install;
use crate::servers::{Kind, report};

/// Something that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    /// What can't be tested without it.
    tests: &'static str,
    /// The program or library.
    what: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
}

const CLOCKS: Need = Need {
    tests: "clocks that are apart",
    what: "libfaketimeMT.so.1",
    package: FAKETIME_PACKAGE,
};

/// Installs what is missing, before anything is tested: apt is asked once, and a machine that lacks something says so
/// early.
pub(crate) fn install_all() -> Result<()> {
    let mut packages: Vec<_> = missing().iter().map(|need| need.package).collect();
    // Invariant: those that share a package are neighbours.
    packages.dedup();
    let installed = install(&packages);
    let lines: Vec<String> = missing()
        .into_iter()
        .map(|need| need.advice(&installed))
        .collect();
    report(&lines)
}

fn missing() -> Vec<Need> {
    let databases = Kind::ALL.into_iter().filter_map(|kind| {
        let what = kind.missing()?;
        Some(Need {
            tests: kind.name(),
            what,
            package: kind.package(),
        })
    });
    databases
        .chain(faketime_library().is_none().then_some(CLOCKS))
        .collect()
}

impl Need {
    fn advice(self, installed: &Result<()>) -> String {
        let why = match installed {
            Ok(()) => String::new(),
            Err(error) => format!(" ({error:#})"),
        };
        let Self {
            tests,
            what,
            package,
        } = self;
        format!("{tests}: {what} is missing{why}: install the package {package}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_cannot_be_installed_is_named_with_its_package() {
        let refused = Err(anyhow::anyhow!(
            "only root may run: apt-get install faketime"
        ));
        assert_eq!(
            CLOCKS.advice(&refused),
            "clocks that are apart: libfaketimeMT.so.1 is missing (only root may run: apt-get install faketime): \
             install the package faketime"
        );
    }
}
