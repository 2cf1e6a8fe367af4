//! The client against a coordinator that is a script: what it sends, what it reads, what it sends again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod coordinator;
mod repeats;
mod sagas;
mod tccs;
mod watches;

/// All that the SDK does may be spawned: these lines compile or they don't.
#[test]
fn futures_go_from_thread_to_thread() {
    fn spawned<T: Send>(_: T) {}
    let client = coordinator::client("http://127.0.0.1:1");
    let gid = coordinator::gid();
    spawned(client.get(&gid));
    spawned(client.wait(&gid, coordinator::PATIENT));
    spawned(client.submit(&gid));
    spawned(client.watch(&gid).next());
    let saga = seata_client::Saga::new(gid.clone());
    spawned(saga.submit_and_wait(&client, coordinator::PATIENT));
    let tcc = seata_client::Tcc::new(gid.clone());
    spawned(tcc.run(&client, coordinator::PATIENT));
    spawned(seata_client::SagaKit::new(saga.clone()).run());
}
