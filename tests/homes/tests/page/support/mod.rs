//! A browser, the page it shows, and the model the page talks to.

pub(crate) mod browser;
pub(crate) mod http;
pub(crate) mod provider;
pub(crate) mod site;
