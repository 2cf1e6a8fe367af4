//! Counts what is asked of disks in order that data be durable, as the kernel sees it.
//!
//! A store says itself how often it syncs, or it doesn't. What reaches the disk is told for all of them alike.

use anyhow::{Context, Result};

/// The place of the flush requests among the words of a line of `/proc/diskstats`.
const FLUSHES: usize = 18;

/// Answers how many flush requests all disks have completed. Zero where they keep nothing that had to be flushed.
///
/// # Errors
/// The kernel doesn't tell.
pub(crate) fn flushes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/diskstats").context("reading /proc/diskstats")?;
    Ok(sum(&text))
}

fn sum(text: &str) -> u64 {
    let words = |line: &str| {
        line.split_ascii_whitespace()
            .nth(FLUSHES)?
            .parse::<u64>()
            .ok()
    };
    text.lines().filter_map(words).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushes_of_all_disks_are_added() {
        let text = "\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 11 12 13 14 21 22 23 24 0 31 32 41 42 43 44 1000 51
 253       0 vdb 11 12 13 14 21 22 23 24 0 31 32 41 42 43 44 7 51
   8       0 old 11 12 13 14 21 22 23 24 0 31 32
";
        assert_eq!(sum(text), 1_007);
    }
}
