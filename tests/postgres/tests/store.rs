//! The suite of every store, over TLS, and what is special about a server.

use std::cell::RefCell;
use tau_platform::conformance;
use tau_test_postgres::cluster;

#[tokio::test]
async fn a_server_is_a_store() {
    let address = RefCell::new(String::new());
    conformance::storage::run(
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
    let facts = cluster()
        .store(&address.borrow())
        .facts()
        .await
        .expect("facts");
    assert!(facts.encrypted, "{facts:?}");
}
