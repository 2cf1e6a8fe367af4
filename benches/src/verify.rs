//! Reads what a coordinator has stored, and compares it with what was accepted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::coordinator::Coordinator;
use crate::lane::Lane;
use crate::order::Checked;
use crate::script::End;
use crate::wire::Wire;

/// What was accepted, and how it must end.
pub(crate) type Accepted = HashMap<String, End>;

/// How long a peer's last state may take after the last call of a participant.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);

const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How many ask a peer at the same time.
const LANES: usize = 32;

/// Looks at all of them.
///
/// # Errors
/// The coordinator can't be asked.
pub(crate) async fn stored(
    who: Coordinator,
    target: SocketAddr,
    accepted: Accepted,
) -> Result<Checked> {
    match who {
        Coordinator::Null => bail!("the null coordinator stores nothing"),
        Coordinator::Server => listed(target, accepted).await,
        Coordinator::Dtmrs => asked(target, accepted).await,
    }
}

/// What the store lists must be what was accepted, and nothing else. The list is read from the store: no memory of the
/// server's can stand in for it.
async fn listed(target: SocketAddr, accepted: Accepted) -> Result<Checked> {
    let mut lane = Lane::open(target, Wire::Http).await?;
    let (status, lines) = lane.get_as("application/x-ndjson", "/api/tx").await?;
    if status != StatusCode::OK {
        bail!("the list was answered {status}");
    }
    compare(&lines, accepted)
}

fn compare(lines: &Bytes, mut accepted: Accepted) -> Result<Checked> {
    #[derive(Deserialize)]
    struct Line<'a> {
        gid: &'a str,
        status: &'a str,
    }
    let mut checked = Checked::default();
    for line in lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let Line { gid, status } = serde_json::from_slice(line)
            .with_context(|| format!("reading the list: {}", String::from_utf8_lossy(line)))?;
        match (accepted.remove(gid), status) {
            (Some(End::Committed), "COMMITTED") | (Some(End::Aborted), "ABORTED") => {
                checked.found()
            }
            (Some(end), _) => checked.complain(|| format!("{gid} is {status}, not {end:?}")),
            (None, _) => checked.complain(|| {
                format!("{gid} is {status} and was never accepted, or is listed twice")
            }),
        }
    }
    for gid in accepted.into_keys() {
        checked.complain(|| format!("{gid} is missing"));
    }
    Ok(checked)
}

/// A peer that lists nothing whole is asked for each of them.
async fn asked(target: SocketAddr, accepted: Accepted) -> Result<Checked> {
    let until = Instant::now() + WRITTEN_WITHIN;
    let mut shares: Vec<Vec<(String, End)>> = (0..LANES).map(|_| Vec::new()).collect();
    for (at, one) in accepted.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(at % LANES) {
            share.push(one);
        }
    }
    let mut tasks = JoinSet::new();
    for share in shares {
        tasks.spawn(async move { ask(target, share, until).await });
    }
    let mut all = Checked::default();
    for done in tasks.join_all().await {
        let checked = done?;
        all.right += checked.right;
        all.wrong += checked.wrong;
        all.example = all.example.or(checked.example);
    }
    Ok(all)
}

async fn ask(target: SocketAddr, share: Vec<(String, End)>, until: Instant) -> Result<Checked> {
    let mut lane = Lane::open(target, Wire::Http).await?;
    let mut checked = Checked::default();
    for (gid, end) in share {
        let expected = match end {
            End::Committed => "succeed",
            End::Aborted => "failed",
        };
        let mut status = dtmrs_status(&mut lane, &gid).await?;
        while status != expected && Instant::now() < until {
            tokio::time::sleep(ASKED_AGAIN_AFTER).await;
            status = dtmrs_status(&mut lane, &gid).await?;
        }
        if status == expected {
            checked.found();
        } else {
            checked.complain(|| format!("{gid} is {status}, not {expected}"));
        }
    }
    Ok(checked)
}

async fn dtmrs_status(lane: &mut Lane, gid: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Transaction {
        status: String,
    }
    let (code, body) = lane.get(&format!("/api/dtmsvr/query?gid={gid}")).await?;
    let read = serde_json::from_slice(&body).map(|found: Transaction| found.status);
    Ok(read.unwrap_or_else(|_| code.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn compared(lines: &str) -> Checked {
        let accepted = [("a", End::Committed), ("b", End::Aborted)];
        let accepted = accepted.map(|(gid, end)| (gid.to_owned(), end));
        compare(&Bytes::copy_from_slice(lines.as_bytes()), accepted.into()).unwrap()
    }

    fn line(gid: &str, status: &str) -> String {
        format!("{{\"gid\":\"{gid}\",\"mode\":\"saga\",\"status\":\"{status}\"}}\n")
    }

    #[test]
    fn what_is_stored_must_be_what_was_accepted() {
        let both = line("a", "COMMITTED") + &line("b", "ABORTED");
        assert_eq!(
            compared(&both),
            Checked {
                right: 2,
                ..Checked::default()
            }
        );
        for wrong in [
            line("a", "COMMITTED"),
            line("a", "COMMITTED") + &line("b", "COMMITTED"),
            line("a", "SUBMITTED") + &line("b", "ABORTED"),
            both.clone() + &line("c", "COMMITTED"),
            both + &line("a", "COMMITTED"),
        ] {
            assert_eq!(compared(&wrong).wrong, 1, "{wrong}");
        }
    }

    #[test]
    fn a_list_that_breaks_off_is_no_list() {
        let broken = Bytes::from_static(
            br#"{"error":"the store does not answer","code":"STORE_UNAVAILABLE"}"#,
        );
        assert!(compare(&broken, Accepted::new()).is_err());
    }
}
