//! The runner's side of the load: gives orders to that process and reads what came of them.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::order::{Checked, Order, Report, Saga, Submitted, Until};
use crate::process;

/// A load of some connections. It remembers what it submitted.
pub(crate) struct Loader {
    /// Killed when it is dropped.
    _child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Loader {
    pub(crate) fn start(connections: usize) -> Result<Self> {
        let count = connections.to_string();
        let mut child = process::role(&["load", "--connections", &count])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the load")?;
        let orders = child.stdin.take().context("holding the load's input")?;
        let reports = child.stdout.take().context("holding the load's output")?;
        Ok(Self {
            _child: child,
            orders,
            reports: BufReader::new(reports).lines(),
        })
    }

    pub(crate) async fn submit(
        &mut self,
        target: SocketAddr,
        saga: Saga,
        until: Until,
    ) -> Result<Submitted> {
        let order = Order::Submit {
            target,
            saga,
            until,
        };
        match self.obey(&order).await? {
            Report::Submitted(submitted) => Ok(submitted),
            Report::Checked(_) => bail!("the load misunderstood"),
            Report::Failed(why) => bail!("the load failed: {why}"),
        }
    }

    /// Reads the final state of each transaction that was accepted.
    ///
    /// # Errors
    /// One of them isn't there, or isn't COMMITTED.
    pub(crate) async fn check(&mut self, target: SocketAddr, accepted: u64) -> Result<()> {
        let order = Order::Check {
            target,
            status: "COMMITTED".to_owned(),
        };
        match self.obey(&order).await? {
            Report::Checked(checked) => judge(&checked, accepted),
            Report::Submitted(_) => bail!("the load misunderstood"),
            Report::Failed(why) => bail!("the load failed: {why}"),
        }
    }

    async fn obey(&mut self, order: &Order) -> Result<Report> {
        let mut line = serde_json::to_vec(order).context("writing an order")?;
        line.push(b'\n');
        let sent = self.orders.write_all(&line).await;
        sent.context("ordering the load")?;
        let report = self.reports.next_line().await;
        let report = report.context("hearing the load")?;
        let report = report.context("the load ended")?;
        serde_json::from_str(&report).context("reading a report")
    }
}

fn judge(checked: &Checked, accepted: u64) -> Result<()> {
    if checked.wrong > 0 {
        let example = checked.example.as_deref().unwrap_or_default();
        bail!(
            "{} transactions are not COMMITTED, for example {example}",
            checked.wrong
        );
    }
    if checked.checked != accepted {
        bail!(
            "{accepted} transactions were accepted, but {} read",
            checked.checked
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(checked: u64, wrong: u64) -> Checked {
        let example = (wrong > 0).then(|| "a is ABORTED".to_owned());
        Checked {
            checked,
            wrong,
            example,
        }
    }

    #[test]
    fn one_transaction_in_another_state_or_unread_fails_the_run() {
        assert!(judge(&checked(9, 0), 9).is_ok());
        assert!(judge(&checked(9, 1), 9).is_err());
        assert!(judge(&checked(8, 0), 9).is_err());
    }
}
