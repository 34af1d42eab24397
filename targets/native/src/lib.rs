//! Tau's adapters for a native program: one module per outside thing, no decisions.

#![expect(
    async_fn_in_trait,
    reason = "homes name their concrete types, so Send is inferred where it holds"
)]

pub mod clock;
pub mod egress;
pub mod entropy;
pub mod http;
pub mod listener;
pub mod lock;
#[cfg(unix)]
pub mod proxy;
pub mod secrets;
pub mod sqlite;
pub mod tools;
pub mod workers;

pub use clock::TokioClock;
pub use entropy::SystemEntropy;
pub use http::{ReqwestBody, ReqwestHttp};
pub use lock::{LockError, SessionLock};
pub use secrets::Secrets;
pub use sqlite::{RepairReport, SqliteStorage};
pub use workers::ThreadWorkers;
