//! The store in a server: the suite of every store over TLS, who is trusted, many writers, and
//! everything that can break between here and there.

mod faults;
mod logins;
mod suite;
mod tables;
mod writers;

use tau_core::session::Batch;

/// A batch that puts one row.
fn put(key: &str, value: &[u8]) -> Batch {
    Batch {
        put: vec![(key.into(), value.to_vec())],
        ..Batch::default()
    }
}

/// A batch that puts a row which must not be there.
fn claim(key: &str, value: &[u8]) -> Batch {
    Batch {
        require_absent: vec![key.into()],
        ..put(key, value)
    }
}
