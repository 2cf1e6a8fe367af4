//! The one entry: `cargo xtask check|fix|test|conformance|sim|bench|proto|servers`. CI calls the same commands as a person.
//!
//! It is compiled before anything else on a fresh machine: dependencies stay few.
#![allow(
    clippy::print_stdout,
    reason = "a command line tool speaks on standard output"
)]

mod bench;
mod deny;
mod edges;
mod matrix;
mod needs;
mod packages;
mod proto;
mod run;
mod schemathesis;
mod servers;
mod tasks;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  check                       formatting, lints, tidiness, crate edges, licences, docs, quick tests; writes nothing
  fix                         formats, applies lints, generates code
  test                        everything, as CI does
  conformance [--store NAME] [--large]
                              the suite of storage adapters, on all or on one: mem, fjall, sled, redis, redis-cluster,
                              mysql, postgres, sharded, custom; --large makes 1,000,000 records
  sim --seeds N [--seed S] [--planted NAME] [--trace]
  bench [--store NAME,...|all] [--case NAME,...] [--peer dtmrs] [--quick] [...]
                              measures against a null coordinator; see docs/performance.md, and --help
  proto [--check]             generates the code of stored records, or checks that it is current
  servers -- <command>        runs a command with private PostgreSQL, MariaDB, Redis and Redis Cluster
  tidy | edges | deny         one step of check, alone: tidiness, crate edges, licences
  schemathesis                one step of test, alone: requests made from the OpenAPI document";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let done = match command {
        "check" => tasks::check(),
        "fix" => tasks::fix(),
        "test" => tasks::test(),
        "conformance" => matrix::conformance(rest),
        "sim" => tasks::sim(rest),
        "bench" => bench::bench(rest),
        "proto" => tasks::proto(rest),
        "servers" => servers::run(rest),
        "tidy" => tidy::check(),
        "edges" => edges::check(),
        "deny" => deny::check(),
        "schemathesis" => tasks::schemathesis(),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
