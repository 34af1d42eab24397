//! The stores and the clock of this crate pass the suites that every other adapter passes.

use tau_core::session::{Batch, StoreError};
use tau_platform::{MemoryStorage, Storage, conformance, sim::SimHost};

#[test]
fn memory_conforms() {
    SimHost::new().block_on(conformance::storage::run(
        async || MemoryStorage::new(),
        async |store| store,
    ));
}

#[test]
fn the_simulated_store_conforms() {
    let home = SimHost::new();
    home.block_on(conformance::storage::run(
        async || {
            let storage = SimHost::new().storage().clone();
            assert_eq!(storage.commits(), 0);
            storage
        },
        async |store| store,
    ));
}

#[test]
fn the_simulated_clock_conforms() {
    let home = SimHost::new();
    home.block_on(conformance::clock::run(home.clock()));
}

#[test]
fn a_failing_commit_stores_nothing() {
    let home = SimHost::new();
    home.storage().fail(2, StoreError::Full);
    let commit = |key: &str| {
        home.block_on(home.storage().commit(Batch {
            put: vec![(key.into(), Vec::new())],
            ..Batch::default()
        }))
    };
    assert_eq!(commit("a"), Ok(()));
    assert_eq!(commit("b"), Err(StoreError::Full));
    assert_eq!(commit("c"), Ok(()));
    let keys: Vec<_> = home.storage().rows().into_iter().map(|row| row.0).collect();
    assert_eq!(keys, ["a", "c"]);
}

#[test]
#[should_panic(expected = "deadlock after 5 ms")]
fn waiting_for_nothing_is_told() {
    let home = SimHost::new();
    home.block_on(async {
        home.clock().sleep(5).await;
        std::future::pending::<()>().await;
    });
}
