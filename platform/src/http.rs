//! HTTP, with bodies that are pulled: back-pressure and cancellation need no channel.

use alloc::vec::Vec;
use tau_core::session::{HttpError, HttpHead, HttpRequest};

/// The home's HTTP client.
pub trait Http {
    /// A response's body while it is read.
    type Body: Body;

    /// Sends and waits for the response's head. Redirects are not followed.
    ///
    /// Dropping the future closes the connection.
    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, Self::Body), HttpError>;
}

/// The body of one response.
pub trait Body {
    /// The next piece, at most 64 KiB; `None` when the peer ended the body cleanly.
    ///
    /// Dropping the future loses nothing: call again. Dropping the body closes the connection.
    /// Fails with [`HttpError::Reset`] when the peer closed before the end it had announced, and
    /// with [`HttpError::Timeout`] when nothing came for the request's idle timeout.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError>;
}
