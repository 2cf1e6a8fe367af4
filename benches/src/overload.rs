//! What becomes of the server when more comes than it can take, when participants are slow, when it may open few files,
//! and when its disk is slow. Each part is a ratio within one run.
//!
//! A part fails if an answer turns out to be untrue: what was accepted ends well and is called once, and of what was refused
//! there is no trace.

mod flood;
mod scene;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use rustix::process::{Resource, getrlimit};

use self::flood::Pace;
use self::scene::{Fast, Scene};
use crate::figures::{count, median};
use crate::report::{Aim, Figure, mebibytes};

/// How long each load lasts, and how often the parts with ratios are repeated.
const LASTS: Duration = Duration::from_secs(3);
const ROUNDS: u32 = 3;

/// How many slow calls there are at once, and how many files the server must be allowed to open for that.
const SLOW: u64 = 10_000;
const FILES_FOR_SLOW: u64 = 40_000;

/// The same where fewer files may be open.
const SLOW_WITH_FEWER_FILES: u64 = 5_000;

/// How many slow sagas come where few files may be open.
const SLOW_UNDER_FEW_FILES: u64 = 8_000;

/// More connections than the server has places for, where few files may be open.
const CROWD: usize = 400;

/// How much later a sync of the slow disk ends.
const SYNC_DELAY_US: u32 = 200_000;

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Requests: twice as many as the server can take.
    Double,
    /// The same where few transactions may be active.
    DoubleSmall,
    /// Participants that take 30 s.
    Slow,
    /// Slow sagas where 1024 files may be open.
    Files,
    /// Requests for a disk that takes 200 ms to sync.
    Disk,
}

/// Measures these parts.
///
/// # Errors
/// A process can't be started, or the server gave an answer that is not true.
pub(crate) async fn measure(parts: &[Part], binary: &Path, within: &Path) -> Result<Vec<Figure>> {
    let program = Program { binary, within };
    let mut figures = Vec::new();
    for part in parts {
        eprintln!("measuring overload: {part:?}");
        figures.extend(match part {
            Part::Double => program.double("2x", "").await?,
            Part::DoubleSmall => {
                let few = "export SEATA_ACTIVE_MAX=2000; ";
                program.double("2x, 2000 active at most", few).await?
            }
            Part::Slow => program.slow().await?,
            Part::Files => program.few_files().await?,
            Part::Disk => program.slow_disk().await?,
        });
    }
    Ok(figures)
}

fn slow_at_once() -> u64 {
    let files = getrlimit(Resource::Nofile).maximum;
    match files {
        Some(max) if max < FILES_FOR_SLOW => SLOW_WITH_FEWER_FILES,
        Some(_) | None => SLOW,
    }
}

struct Program<'a> {
    binary: &'a Path,
    within: &'a Path,
}

impl Program<'_> {
    async fn scene(&self, shell: &str) -> Result<Scene> {
        let mut scene = Scene::set(shell, self.binary, self.within).await?;
        scene.fast(64, Pace::Unbroken, LASTS / 3).await?;
        Ok(scene)
    }

    async fn double(&self, name: &str, variables: &str) -> Result<Vec<Figure>> {
        let mut scene = self.scene(&format!("{variables}exec \"$0\"")).await?;
        let (mut best, mut ratios, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let few = scene.fast(64, Pace::Unbroken, LASTS).await?;
            let more = scene.fast(128, Pace::Unbroken, LASTS).await?;
            let rate = few.rate.max(more.rate);
            let double = scene.fast(768, Pace::Rate(2.0 * rate), LASTS).await?;
            best.push(rate);
            ratios.push(double.rate / rate);
            doubles.push(double);
        }
        let of = |what: fn(&Fast) -> f64| median(doubles.iter().map(what));
        let titled = |what: &str, value, unit| Figure::new(format!("{name}: {what}"), value, unit);
        let peak = mebibytes(scene.resident_bytes_max()?);
        Ok(vec![
            titled("best at lower load", median(best), "a second"),
            titled("ended, over best", median(ratios), "").aim(Aim::AtLeast(0.9)),
            titled("refused", of(Fast::refused_share), "of all"),
            titled(
                "accepted, p50",
                of(|fast| fast.answers.accepted_ms(50)),
                "ms",
            ),
            titled(
                "accepted, p99",
                of(|fast| fast.answers.accepted_ms(99)),
                "ms",
            ),
            titled("refused, p50", of(|fast| fast.answers.refused_ms(50)), "ms"),
            titled("refused, p99", of(|fast| fast.answers.refused_ms(99)), "ms"),
            titled(
                "processor time for each accepted",
                of(|fast| fast.cpu_us),
                "µs",
            ),
            titled("resident memory, most", peak, "MiB"),
        ])
    }

    async fn slow(&self) -> Result<Vec<Figure>> {
        let slow = slow_at_once();
        let shell = "export SEATA_CALLS_IN_FLIGHT_MAX=15000; \
                     export SEATA_CALLS_IN_FLIGHT_PER_DESTINATION=10000; exec \"$0\"";
        let mut scene = self.scene(shell).await?;
        let before = scene.fast(32, Pace::Unbroken, LASTS).await?;
        let (bytes, files) = (scene.resident_bytes()?, scene.open_files()?);
        let waiting = scene.begin_slow(50, slow).await?;
        scene.slow_called(slow).await?;
        let full = scene.resident_bytes()?.saturating_sub(bytes);
        let sockets = scene.open_files()?.saturating_sub(files);
        let idle = scene.idle_ms_a_second().await?;
        let during = scene.fast(32, Pace::Unbroken, LASTS).await?;
        if scene.server.meters().await?.active < count(slow) {
            bail!("slow calls ended before the fast ones were measured");
        }
        scene.at_rest().await?;
        let after = scene.fast(32, Pace::Unbroken, LASTS).await?;
        scene.judge(&waiting).await?;
        let (calls, accepted) = (scene.slow_calls().await?, waiting.accepted.len() as u64);
        if calls != accepted {
            bail!("{calls} slow calls came for {accepted} sagas");
        }
        let beside = |of: fn(&Fast) -> f64| of(&during) / f64::midpoint(of(&before), of(&after));
        let titled = |what: &str, value, unit| Figure::new(format!("slow: {what}"), value, unit);
        let rate = beside(|fast| fast.rate);
        let p50 = beside(|fast| fast.answers.accepted_ms(50));
        let p99 = beside(|fast| fast.answers.accepted_ms(99));
        Ok(vec![
            titled("calls of 30 s in flight", count(slow), ""),
            titled("rate of fast ones, beside over alone", rate, "").aim(Aim::AtLeast(0.9)),
            titled("p50 of fast ones, beside over alone", p50, "").aim(Aim::AtMost(1.1)),
            titled("p99 of fast ones, beside over alone", p99, ""),
            titled("memory of each", count(full) / count(slow), "bytes"),
            titled("files of each", count(sockets) / count(slow), ""),
            titled("processor time meanwhile", idle, "ms a second"),
        ])
    }

    async fn few_files(&self) -> Result<Vec<Figure>> {
        let mut scene = self.scene("ulimit -n 1024; exec \"$0\"").await?;
        let before = scene.fast(32, Pace::Unbroken, LASTS).await?;
        let waiting = scene.begin_slow(CROWD, SLOW_UNDER_FEW_FILES).await?;
        let during = scene.fast(32, Pace::Unbroken, LASTS).await?;
        let health = scene.health_ms().await?;
        let (calls, files) = (scene.slow_calls().await?, scene.open_files()?);
        let titled =
            |what: &str, value, unit| Figure::new(format!("1024 files: {what}"), value, unit);
        let rate = during.rate / before.rate;
        let accepted = count(waiting.accepted.len() as u64);
        let refused = count(waiting.refused.len() as u64);
        Ok(vec![
            titled("slow sagas accepted", accepted, ""),
            titled("slow sagas refused, connections and all", refused, ""),
            titled("connections that broke", count(waiting.broken), ""),
            titled("slow calls in flight", count(calls), ""),
            titled("open", count(files), "").aim(Aim::AtMost(1_024.0)),
            titled("rate of fast ones, beside over alone", rate, "").aim(Aim::AtLeast(0.9)),
            titled("/health on a new connection, most", health, "ms"),
        ])
    }

    async fn slow_disk(&self) -> Result<Vec<Figure>> {
        let has_strace = std::process::Command::new("strace").arg("-V").output();
        if !has_strace.is_ok_and(|output| output.status.success()) {
            return Ok(Vec::new());
        }
        let shell = format!(
            "exec strace -f --seccomp-bpf -qq -o /dev/null -e trace=fdatasync,fsync \
             -e inject=fdatasync,fsync:delay_exit={SYNC_DELAY_US} \"$0\""
        );
        let mut scene = self.scene(&shell).await?;
        let fast = scene.fast(768, Pace::Unbroken, LASTS * 2).await?;
        let titled =
            |what: &str, value, unit| Figure::new(format!("disk of 200 ms: {what}"), value, unit);
        let unsure = count(fast.answers.unsure.len() as u64);
        Ok(vec![
            titled("ended", fast.rate, "a second"),
            titled("accepted, p50", fast.answers.accepted_ms(50), "ms"),
            titled("accepted, p99", fast.answers.accepted_ms(99), "ms"),
            titled("refused", fast.refused_share(), "of all"),
            titled("refused, p99", fast.answers.refused_ms(99), "ms"),
            titled("answered 503", unsure, ""),
        ])
    }
}
