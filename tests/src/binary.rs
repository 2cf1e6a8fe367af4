//! Finds the server's binary: the one that `cargo xtask test` names, else the newest that was built, else it builds one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

const PROFILES: [&str; 3] = ["sim", "release", "debug"];

/// Answers the path of the binary.
pub(crate) fn server() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        std::env::var_os("SEATA_SERVER_BIN")
            .map(PathBuf::from)
            .or_else(newest)
            .unwrap_or_else(build)
    })
}

/// Answers the root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(named)
}

fn newest() -> Option<PathBuf> {
    PROFILES
        .iter()
        .map(|profile| target().join(profile).join("seata-server"))
        .filter_map(|path| Some((built_at(&path)?, path)))
        .max()
        .map(|(_, path)| path)
}

fn built_at(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--profile", "sim", "-p", "seata-server"])
        .current_dir(root())
        .status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "building the server failed"
    );
    target().join("sim").join("seata-server")
}
