//! What every store does.

use std::cell::RefCell;
use tau_platform::{Storage, conformance};
use tau_test_postgres::cluster;

use crate::put;

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
    let facts = cluster().new_store().facts().await.expect("facts");
    assert!(facts.encrypted, "{facts:?}");
}

#[tokio::test]
async fn a_large_value_is_kept_and_a_key_no_index_takes_is_told() {
    let store = cluster().new_store();
    let scattered = |n: u32| n.wrapping_mul(2_654_435_761).to_be_bytes()[0];
    let large: Vec<u8> = (0..64 << 20).map(scattered).collect();
    store.commit(put("large", &large)).await.expect("a commit");
    let read = store.get("large".into()).await.expect("a read");
    assert!(read.is_some_and(|read| read == large));
    for key in ["k".repeat(3_000), "with\0zero".to_owned()] {
        let told = store.commit(put(&key, b"")).await.expect_err("no commit");
        assert!(told.to_string().contains("cannot be stored"), "{told}");
    }
    let longest = "k".repeat(2_600);
    store.commit(put(&longest, b"1")).await.expect("a commit");
}
