//! Suites that every adapter's tests run: an adapter is right when its suite passes.
//!
//! They panic with the sentence that was broken, need no runtime of their own and assume nothing
//! about the home: an adapter's test is the one line that runs them on its executor.

pub mod clock;
pub mod http;
pub mod storage;
