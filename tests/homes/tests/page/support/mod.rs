//! A browser, the page it shows, and the model the page talks to.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

pub(crate) mod browser;
pub(crate) mod http;
pub(crate) mod provider;
pub(crate) mod site;
