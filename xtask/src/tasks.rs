//! The commands: which steps each consists of, and in which order.

use anyhow::{Result, bail};

use crate::run::{Run, cargo, step, target};
use crate::servers::{Kind, Servers};
use crate::{deny, edges, needs, proto, schemathesis, tidy};

/// What is tested by itself: the simulation because its build plants bugs, the end-to-end tests because they need the server.
const EXCEPT_BY_ITSELF: &str = "--workspace --exclude seata-tests --exclude seata-sim";

/// Optimised, with assertions: the simulation, and the server under end-to-end load.
pub(crate) const PROFILE: &str = "sim";

/// Fast checks that write nothing.
pub(crate) fn check() -> Result<()> {
    checks()?;
    step("documentation", || {
        cargo("doc --locked --workspace --no-deps --quiet")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    })?;
    step("quick tests", || {
        tests(&format!("--lib --bins {EXCEPT_BY_ITSELF}"), "dev").run()
    })
}

/// Writes what can be written by a machine.
pub(crate) fn fix() -> Result<()> {
    step("generated code", proto::write)?;
    step("lints", || {
        cargo("clippy --locked --workspace --all-targets --fix --allow-dirty --allow-staged").run()
    })?;
    step("formatting", || cargo("fmt --all").run())
}

/// Everything, in the order of what fails fastest.
pub(crate) fn test() -> Result<()> {
    step("all of it", || {
        step("programs that tests need", needs::install_all)?;
        checks()?;
        step("unit and integration tests", || {
            let servers = Servers::start(&Kind::ALL)?;
            tests(EXCEPT_BY_ITSELF, "dev")
                .envs(servers.variables())
                .run()
        })?;
        step("documentation and its examples", || {
            cargo("doc --locked --workspace --no-deps --quiet")
                .env("RUSTDOCFLAGS", "-D warnings")
                .run()?;
            cargo(&format!("test --locked --doc {EXCEPT_BY_ITSELF}")).run()
        })?;
        // By itself: nothing else may see the planted bugs that it compiles in.
        step("simulation", || tests("-p seata-sim", PROFILE).run())?;
        step("the server", build_server)?;
        step("requests made from the document", || {
            schemathesis::check(server(PROFILE))
        })?;
        step("end to end", || {
            tests("-p seata-tests", "dev")
                .env("SEATA_SERVER_BIN", server(PROFILE))
                .run()
        })
    })
}

fn checks() -> Result<()> {
    step("tidiness", tidy::check)?;
    step("crate edges", edges::check)?;
    step("generated code is current", proto::check)?;
    step("formatting", || cargo("fmt --all --check").run())?;
    step("lints", || {
        cargo("clippy --locked --workspace --exclude seata-sim --all-targets -- -D warnings").run()
    })?;
    // By itself: with the planted bugs compiled in, the crates below it are other code.
    step("lints of the simulation", || {
        cargo("clippy --locked -p seata-sim --all-targets -- -D warnings").run()
    })?;
    step("licences, sources and duplicates", deny::check)
}

/// Runs tests with cargo-nextest where it is installed, else with cargo's own runner.
fn tests(selection: &str, profile: &str) -> Run {
    if cargo("nextest --version").succeeds() {
        cargo(&format!(
            "nextest run --locked --no-fail-fast --cargo-profile {profile} {selection}"
        ))
    } else if selection.contains("--lib") {
        cargo(&format!(
            "test --locked --no-fail-fast --profile {profile} {selection}"
        ))
    } else {
        cargo(&format!(
            "test --locked --no-fail-fast --profile {profile} --tests {selection}"
        ))
    }
}

fn server(profile: &str) -> std::path::PathBuf {
    target().join(profile).join("seata-server")
}

/// Runs the simulation with the arguments as they are.
pub(crate) fn sim(arguments: &[String]) -> Result<()> {
    cargo(&format!(
        "run --locked --quiet --profile {PROFILE} -p seata-sim --bin seata-sim --"
    ))
    .args(arguments)
    .run()
}

fn build_server() -> Result<()> {
    cargo(&format!(
        "build --locked --profile {PROFILE} -p seata-server"
    ))
    .run()
}

/// Asks a server as the document says it, and otherwise.
pub(crate) fn schemathesis() -> Result<()> {
    build_server()?;
    schemathesis::check(server(PROFILE))
}

/// Generates the code of the stored records, or compares it.
pub(crate) fn proto(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => proto::write(),
        [flag] if flag == "--check" => proto::check(),
        _ => bail!("usage: cargo xtask proto [--check]"),
    }
}
