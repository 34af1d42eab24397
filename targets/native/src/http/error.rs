//! reqwest's errors in the words of the platform. Whose fault it was decides the variant.

use std::{error::Error, io};
use tau_core::session::HttpError;

/// Of a request that got no head; `authority` is the server's host and port.
pub(crate) fn of_request(error: reqwest::Error, authority: &str) -> HttpError {
    let error = error.without_url();
    let detail = deepest(&error);
    if chain(&error).any(is_tls) {
        HttpError::Protocol { detail }
    } else if error.is_connect() {
        HttpError::Connect {
            host: authority.to_owned(),
            detail,
        }
    } else if error.is_builder() {
        HttpError::Request { detail }
    } else {
        of_exchange(&error, detail)
    }
}

/// Of a body that was being read.
pub(super) fn of_body(error: reqwest::Error) -> HttpError {
    let error = error.without_url();
    let detail = deepest(&error);
    of_exchange(&error, detail)
}

fn of_exchange(error: &reqwest::Error, detail: String) -> HttpError {
    let parse = chain(error)
        .filter_map(|e| e.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_parse);
    if parse {
        HttpError::Protocol { detail }
    } else {
        HttpError::Reset { detail }
    }
}

/// The cause that has no further cause: its words are the system's or the library's own.
pub(crate) fn deepest(error: &(dyn Error + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    // An `io::Error` hides what it wraps from `source`, and is wrapped in another one itself.
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}
