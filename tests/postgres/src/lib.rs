//! A PostgreSQL server of a test's own: a cluster in a temporary folder, TLS on, a password for
//! everybody, gone with the process that started it, however that ends.
//!
//! Nothing is skipped where there is no server to start: the test fails with the command that
//! installs one.

mod certificates;
mod cluster;
mod proxy;

pub use cluster::{Cluster, PASSWORD, USER, cluster};
pub use proxy::Proxy;
