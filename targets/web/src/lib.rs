//! Tau's adapters for what every JavaScript runtime has: fetch, timers, random values.
//!
//! Invariant: nothing here needs a window. The same code runs in a page, in a dedicated Web Worker
//! and in workerd; where they differ, what the runtime has is looked at, never which one it is.

mod clock;
mod egress;
mod entropy;
mod global;
mod http;
mod timeout;

pub use clock::WebClock;
pub use egress::FetchEgress;
pub use entropy::WebEntropy;
pub use http::{FetchBody, FetchHttp};
