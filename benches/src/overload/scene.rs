//! A server on a core of its own, with participants and loads on another, where there are two: else a load of twice the
//! server's capacity would take from the server what it is measured by.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::process::Command;
use tokio::time::sleep;

use crate::figures::{count, percentile};
use crate::lane::Lane;
use crate::overload::flood::{Answers, Flood, Pace, Until};
use crate::participants::Participants;
use crate::procfs;
use crate::server::{Home, POLL, Server};
use crate::wire::Wire;

/// What may pass until the last transaction has ended.
const ENDED_WITHIN: Duration = Duration::from_secs(300);

/// How long each slow call takes, as its path says it.
pub(crate) const SLOW_TAKES: Duration = Duration::from_secs(30);
const SLOW_PATH: &str = "slow_30000ms";

/// A server, and those whom it calls.
pub(crate) struct Scene {
    pub(crate) server: Server,
    fast: Participants,
    slow: Participants,
    /// What each slow saga calls besides: it would come between the calls of a fast load.
    beside: Participants,
    _home: Home,
}

/// What a load on fast participants came to.
pub(crate) struct Fast {
    pub(crate) answers: Answers,
    /// Transactions that ended a second, while the load lasted.
    pub(crate) rate: f64,
    /// The server's, for each transaction that was accepted.
    pub(crate) cpu_us: f64,
}

impl Fast {
    pub(crate) fn refused_share(&self) -> f64 {
        let refused = self.answers.refused.len();
        let all = refused + self.answers.accepted.len() + self.answers.unsure.len();
        count(refused as u64) / count(all.max(1) as u64)
    }
}

impl Scene {
    /// Starts a server by a command of the shell, in which `"$0"` is its program.
    pub(crate) async fn set(shell: &str, binary: &Path, within: &Path) -> Result<Self> {
        Core::Others.take()?;
        let fast = Participants::start(Wire::Http).await?;
        let slow = Participants::start(Wire::Http).await?;
        let beside = Participants::start(Wire::Http).await?;
        let home = Home::new(binary, within)?;
        let mut command = Command::new("sh");
        command.args(["-c", shell]);
        Core::Server.take()?;
        let server = home.start_below(command).await;
        Core::Others.take()?;
        Ok(Self {
            server: server?,
            fast,
            slow,
            beside,
            _home: home,
        })
    }

    fn target(&self) -> SocketAddr {
        self.server.process.address
    }

    /// Loads it with sagas on fast participants, and waits until all of them have ended.
    pub(crate) async fn fast(
        &mut self,
        connections: usize,
        pace: Pace,
        lasts: Duration,
    ) -> Result<Fast> {
        let pid = self.server.process.pid()?;
        let flood = Flood::open(self.target(), connections).await?;
        let at = self.fast.address();
        let actions = ["debit", "credit"].map(|name| format!("http://{at}/{name}"));
        let called = self.fast.calls().await?.all();
        let (cpu, before) = (procfs::cpu(pid)?, self.server.meters().await?.ended);
        let begun = Instant::now();
        let answers = flood.submit(actions, pace, Until::After(lasts)).await?;
        let ended = self.server.meters().await?.ended - before;
        let rate = ended / begun.elapsed().as_secs_f64();
        let accepted = answers.accepted.len() as u64;
        let all = before + count(accepted);
        self.server.ended(all, ENDED_WITHIN).await?;
        let cpu = procfs::cpu(pid)?.saturating_sub(cpu);
        answers.are_true(self.target()).await?;
        let calls = self.fast.calls().await?.all() - called;
        let unsure = answers.unsure.len() as u64;
        if !(2 * accepted..=2 * (accepted + unsure)).contains(&calls) {
            bail!("{accepted} sagas were accepted, and participants were called {calls} times");
        }
        Ok(Fast {
            answers,
            rate,
            cpu_us: cpu.as_secs_f64() * 1e6 / count(accepted.max(1)),
        })
    }

    /// Submits sagas of which one branch is slow. Their number is a multiple of that of the connections.
    pub(crate) async fn begin_slow(&self, connections: usize, sagas: u64) -> Result<Answers> {
        let flood = Flood::open(self.target(), connections).await?;
        let (slow, beside) = (self.slow.address(), self.beside.address());
        let actions = [
            format!("http://{slow}/{SLOW_PATH}"),
            format!("http://{beside}/fast"),
        ];
        flood
            .submit(actions, Pace::Unbroken, Until::Sent(sagas))
            .await
    }

    /// Answers how many slow calls came so far.
    pub(crate) async fn slow_calls(&mut self) -> Result<u64> {
        Ok(self.slow.calls().await?.all())
    }

    /// Waits until so many slow calls came.
    ///
    /// # Errors
    /// The first of them will have ended by then.
    pub(crate) async fn slow_called(&mut self, times: u64) -> Result<()> {
        self.slow.called(times, SLOW_TAKES).await
    }

    /// Waits until nothing is active.
    pub(crate) async fn at_rest(&mut self) -> Result<()> {
        let begun = Instant::now();
        while self.server.meters().await?.active > 0.0 {
            if begun.elapsed() > ENDED_WITHIN {
                bail!("after {ENDED_WITHIN:?} not all transactions have ended");
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Answers whether those answers were true.
    pub(crate) async fn judge(&self, answers: &Answers) -> Result<()> {
        answers.are_true(self.target()).await
    }

    /// Answers how much processor time it takes while nothing comes.
    pub(crate) async fn idle_ms_a_second(&self) -> Result<f64> {
        const SPAN: Duration = Duration::from_secs(3);
        let pid = self.server.process.pid()?;
        let before = procfs::cpu(pid)?;
        sleep(SPAN).await;
        let spent = procfs::cpu(pid)?.saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e3 / SPAN.as_secs_f64())
    }

    /// Answers the longest time in which a client on a new connection learned how it is.
    pub(crate) async fn health_ms(&self) -> Result<f64> {
        let mut took_us = Vec::new();
        for _ in 0..100 {
            let begun = Instant::now();
            let mut lane = Lane::open(self.target(), Wire::Http).await?;
            let (status, _) = lane.get("/health").await?;
            if !status.is_success() {
                bail!("/health answered {status}");
            }
            took_us.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        took_us.sort_unstable();
        Ok(f64::from(percentile(&took_us, 100)) / 1e3)
    }

    /// Counts the files and sockets that it has open.
    pub(crate) fn open_files(&self) -> Result<u64> {
        let pid = self.server.process.pid()?;
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).context("counting open files")?;
        Ok(open.count() as u64)
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.server.process.pid()?)
    }

    pub(crate) fn resident_bytes_max(&self) -> Result<u64> {
        procfs::resident_bytes_max(self.server.process.pid()?)
    }
}

/// What is started from now on may use this core, if there are two.
#[derive(Clone, Copy)]
enum Core {
    Server,
    Others,
}

impl Core {
    fn take(self) -> Result<()> {
        static AT_START: OnceLock<CpuSet> = OnceLock::new();
        let now = sched_getaffinity(None).context("asking for cores")?;
        let all = AT_START.get_or_init(|| now);
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (Some(first), Some(second)) = (cores.next(), cores.next()) else {
            return Ok(());
        };
        let mut own = CpuSet::new();
        own.set(match self {
            Self::Server => first,
            Self::Others => second,
        });
        sched_setaffinity(None, &own).context("choosing a core")
    }
}
