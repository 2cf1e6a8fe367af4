//! The one test that takes all descriptors of its process.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seata_serving::accepted;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

fn may_open(files: u64) {
    let limit = Rlimit {
        current: Some(files),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn a_client_that_comes_while_no_descriptor_is_left_is_taken_when_there_is_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let last = u64::try_from(client.as_raw_fd()).unwrap();
    may_open(last + 1);
    let taken = timeout(Duration::from_millis(300), accepted(&listener)).await;
    assert!(taken.is_err(), "no descriptor is left");
    let mut taking = Box::pin(accepted(&listener));
    assert!(timeout(Duration::ZERO, &mut taking).await.is_err());
    may_open(last + 10);
    timeout(Duration::from_secs(60), taking).await.unwrap();
}
