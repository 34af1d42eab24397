//! The same conversations natively, in workerd and in Chromium, and both new homes from outside.
//!
//! ```text
//!                      ┌─ native    reqwest, SQLite                    threads of this process
//! Case ── Task ── Lane ┼─ workerd   fetch, Durable Object SQL          build/stage/workerd
//!    transcript, hash  └─ page      fetch, IndexedDB, in a Web Worker  build/stage/page
//!                              └────────> Server: scripted models on loopback
//! ```
//!
//! Invariant: all real parts are the ones that ship. What a home plays in is built by
//! `cargo xtask wasm`; what is missing is an error, never a scenario that is left out.

pub mod home;
pub mod lanes;
pub mod play;
pub mod server;
pub mod suites;
pub mod tools;
pub mod worker;
