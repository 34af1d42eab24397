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

use std::cell::RefCell;
use tau_platform::conformance::storage;

/// Plays the suite of every store on this process's server. Panics where the store fails it.
pub async fn conformance() {
    let address = RefCell::new(String::new());
    storage::run(
        async || {
            let new = cluster().new_address();
            address.replace(new.clone());
            cluster().store(&new)
        },
        async |store| {
            drop(store);
            let same = address.borrow().clone();
            cluster().store(&same)
        },
    )
    .await;
}
