//! The runner's side of the load: gives orders to that process and reads what came of them.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::coordinator::Coordinator;
use crate::order::{Checked, Order, Report, Submitted, Until, Work};
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

    pub(crate) async fn submit(&mut self, work: Work, until: Until) -> Result<Submitted> {
        match self.obey(&Order::Submit { work, until }).await? {
            Report::Submitted(submitted) => Ok(submitted),
            Report::Checked(_) => bail!("the load misunderstood"),
            Report::Failed(why) => bail!("the load failed: {why}"),
        }
    }

    /// Looks at the stored state of each transaction that was accepted.
    pub(crate) async fn check(&mut self, target: SocketAddr, who: Coordinator) -> Result<Checked> {
        match self.obey(&Order::Check { target, who }).await? {
            Report::Checked(checked) => Ok(checked),
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
