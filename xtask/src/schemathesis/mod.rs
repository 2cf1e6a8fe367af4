//! Schemathesis against a running server: it makes requests from the OpenAPI document, right and wrong ones, and checks
//! that each answer is a documented one.
//!
//! Where it can't be had the step is SKIPPED, which is printed; under `CI=true` that is a failure. It must not touch
//! anything outside the target folder, nor call anything but this machine.

mod document;
mod participants;
mod server;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::run::{is_ci, program, target};
use document::Names;
use participants::Participants;
use server::Server;

const PACKAGE: &str = "schemathesis==4.32.5";

/// What every answer must pass: no 500, and nothing that the document does not say.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,\
    unsupported_method,allow_header_conformance";

/// So that a run can be repeated. With it and the number of requests the time is bounded.
const SEED: &str = "20260101";
const REQUESTS_PER_ROUTE: &str = "100";

/// Streams never end by themselves: their tests read them.
const STREAMS: &str = "/watch$";

/// Runs it against the server at a path.
pub(crate) fn check(server: PathBuf) -> Result<()> {
    match find() {
        Found::Tool(tool) => run(&tool, server),
        Found::NotInstallable if !is_ci() => skip("there is no python3 that can make a venv"),
        Found::InstallFailed(error) if !is_ci() => skip(&format!("{error:#}")),
        Found::NotInstallable => bail!("{PACKAGE} needs python3 with venv: install python3-venv"),
        Found::InstallFailed(error) => Err(error.context(format!("installing {PACKAGE}"))),
    }
}

fn run(tool: &Path, server: PathBuf) -> Result<()> {
    let participants = Participants::listen()?;
    let server = Server::start(server)?;
    let document = server.get("/api/openapi.json")?;
    let wrong_ones_too = Requests {
        names: Names::Any,
        mode: "all",
        phases: "examples,coverage,fuzzing",
    };
    let right_ones_that_meet = Requests {
        names: Names::Few,
        mode: "positive",
        phases: "fuzzing",
    };
    for requests in [wrong_ones_too, right_ones_that_meet] {
        let narrowed = document::narrowed(&document, participants.port(), requests.names)?;
        requests.make(tool, &server, &narrowed)?;
    }
    server.stop()
}

/// What is asked.
struct Requests {
    names: Names,
    mode: &'static str,
    phases: &'static str,
}

impl Requests {
    fn make(&self, tool: &Path, server: &Server, document: &str) -> Result<()> {
        let file = target().join("tools/openapi.json");
        fs::write(&file, document).with_context(|| format!("writing {}", file.display()))?;
        program(tool)
            .args(["run"])
            .args([&file])
            .args(["--url", &server.url()])
            .args(["--mode", self.mode, "--phases", self.phases])
            .args(["--checks", CHECKS, "--exclude-path-regex", STREAMS])
            .args(["--max-examples", REQUESTS_PER_ROUTE, "--seed", SEED])
            .args(["--generation-database", "none", "--warnings", "off"])
            .args(["--request-timeout", "20", "--continue-on-failure"])
            .args(["--no-color"])
            .run()
    }
}

enum Found {
    Tool(PathBuf),
    /// There is no Python that could make a folder of its own for it.
    NotInstallable,
    InstallFailed(anyhow::Error),
}

fn find() -> Found {
    let folder = target().join("tools/schemathesis");
    let own = folder.join("bin/st");
    // Another version may stand there.
    let marker = folder.join(PACKAGE);
    if marker.exists() {
        return Found::Tool(own);
    }
    if !has_python() && !install_python() {
        return Found::NotInstallable;
    }
    match install(&folder).and_then(|()| Ok(fs::write(&marker, "")?)) {
        Ok(()) => Found::Tool(own),
        Err(error) => Found::InstallFailed(error),
    }
}

fn has_python() -> bool {
    program("python3")
        .args(["-c", "import venv, ensurepip"])
        .succeeds()
}

/// In CI a machine may be changed, where we may: elsewhere that is for its owner to do.
fn install_python() -> bool {
    is_ci() && packages::install(&["python3-venv"]).is_ok() && has_python()
}

fn install(folder: &Path) -> Result<()> {
    program("python3")
        .args(["-m", "venv", "--clear"])
        .args([folder])
        .run()?;
    program(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", PACKAGE])
        .run()
}

fn skip(why: &str) -> Result<()> {
    println!("SKIPPED: {PACKAGE} can't be had: {why}");
    Ok(())
}
