//! NOTE to the engineer of this crate: the lead overwrote this file by accident (16:26). Write your own version again.
//! Cargo.toml was overwritten too: add what you need. Everything else of yours is untouched; the crate is yours alone.
//! The engine, executor (seata-executor), store-mem, store-fjall and xtask are on main and work: go on to the server.
