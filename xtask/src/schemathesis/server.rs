//! A server of its own, on any free port, with a data folder that is gone afterwards.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::run::target;

/// What it prints before its address.
const GREETING: &str = "listens on ";

pub(super) struct Server {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Server {
    /// Starts it and waits until it listens.
    pub(super) fn start(path: PathBuf) -> Result<Self> {
        let folder = target().join(format!("tools/schemathesis-data-{}", std::process::id()));
        let mut command = Command::new(&path);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEATA_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .env("SEATA_HTTP_PORT", "0")
            .env("SEATA_GRPC_PORT", "0")
            .env("SEATA_GRPC_PORT", "0")
            .env("SEATA_DATA_DIR", &folder)
            .env("SEATA_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", path.display()))?;
        let address = address(&mut child);
        let mut server = Self {
            child,
            address: String::new(),
            folder,
        };
        server.address = address?;
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks for a page and answers its body.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n",
            self.address
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.with_context(|| format!("the answer to {path} has no head"))?;
        if !answer.starts_with(b"HTTP/1.0 200") && !answer.starts_with(b"HTTP/1.1 200") {
            bail!(
                "{path} is answered with {}",
                String::from_utf8_lossy(&answer)
            );
        }
        Ok(answer.split_off(end + 4))
    }

    /// Fails if it has ended before, as it does after a failure of its store.
    pub(super) fn stop(mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the server ended by itself with {status}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Reads where it listens, and goes on reading so that it never waits for a reader.
fn address(child: &mut Child) -> Result<String> {
    let output = child.stdout.take().context("the server has no output")?;
    let mut lines = BufReader::new(output).lines();
    let found = loop {
        let line = lines
            .next()
            .context("the server ended before it listened")??;
        if let Some((_, rest)) = line.split_once(GREETING) {
            let url = rest.split_whitespace().next().unwrap_or_default();
            break url.trim_start_matches("http://").to_owned();
        }
    };
    thread::spawn(move || lines.for_each(drop));
    Ok(found)
}
