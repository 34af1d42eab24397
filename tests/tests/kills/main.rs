//! `kill -9` in a hundred places of each of these: imports, merges of branches, copies of stores,
//! merges of stores, and the moving of what was kept before there were scopes. `cargo xtask kills`
//! does so in five hundred of each, with what is written and with PostgreSQL's clients as well.
//!
//! Each child is this program again, at a real file. It says when it begins, when it first writes
//! and when it is done; the parent waits for one of these, then for a part of the time that the
//! rest usually takes, and kills it. What is left is then compared, row by row, with what may be
//! left. `TAU_TEST_KILLS` is another number than a hundred, `TAU_TEST_SEED` other places.

mod child;
mod killer;
mod sessions;
mod stores;

/// Keys and values.
type Rows = Vec<(String, Vec<u8>)>;
