//! What every store does.

use tau_platform::Storage;
use tau_test_postgres::{cluster, conformance};

use crate::put;

#[tokio::test]
async fn a_server_is_a_store() {
    conformance().await;
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
