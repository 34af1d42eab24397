//! A response's body, pulled from its stream.

use js_sys::{Reflect, Uint8Array, futures::JsFuture};
use tau_core::{
    credential::{Flow, Redactor},
    session::HttpError,
};
use tau_platform::Body;
use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, ReadableStreamDefaultReader};

use super::Abort;
use crate::{global::words, timeout::within};

/// The longest piece that is taken of a body: with what was held back of the one before, it is
/// within the 64 KiB that may be given out.
const CHUNK_BYTES: u32 = 48 * 1024;

/// The body of a response of [`FetchHttp`](super::FetchHttp).
pub struct FetchBody {
    /// Gone when the body has ended.
    reader: Option<ReadableStreamDefaultReader>,
    /// A read that was asked for and not answered: it goes on when nobody waits for it.
    asked: Option<JsFuture>,
    /// Received, still the runtime's, and given out up to `given`.
    piece: Uint8Array,
    given: u32,
    redactor: Redactor,
    flow: Flow,
    idle_timeout_ms: u64,
    _abort: Abort,
}

impl std::fmt::Debug for FetchBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchBody").finish_non_exhaustive()
    }
}

impl FetchBody {
    pub(super) fn new(
        stream: Option<ReadableStream>,
        abort: Abort,
        idle_timeout_ms: u64,
        redactor: Redactor,
    ) -> Self {
        Self {
            reader: stream.map(|stream| stream.get_reader().unchecked_into()),
            asked: None,
            piece: Uint8Array::new_with_length(0),
            given: 0,
            redactor,
            flow: Flow::default(),
            idle_timeout_ms,
            _abort: abort,
        }
    }

    /// Waits for the stream's next piece; `None` at its end.
    async fn read(&mut self) -> Result<Option<Uint8Array>, HttpError> {
        let Some(reader) = &self.reader else {
            return Ok(None);
        };
        let asked = self
            .asked
            .get_or_insert_with(|| JsFuture::from(reader.read()));
        let result = within(self.idle_timeout_ms, asked)
            .await
            .ok_or(HttpError::Timeout {
                after_ms: self.idle_timeout_ms,
            })?;
        self.asked = None;
        let reset = |thrown: JsValue| HttpError::Reset {
            detail: words(&thrown),
        };
        let result = result.map_err(reset)?;
        if Reflect::get(&result, &"done".into()).map_err(reset)? == JsValue::TRUE {
            self.reader = None;
            return Ok(None);
        }
        let piece = Reflect::get(&result, &"value".into()).map_err(reset)?;
        piece.dyn_into().map(Some).map_err(reset)
    }
}

impl Body for FetchBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        loop {
            let clean = if self.given < self.piece.length() {
                let end = self.given.saturating_add(CHUNK_BYTES);
                let end = end.min(self.piece.length());
                let part = self.piece.subarray(self.given, end).to_vec();
                self.given = end;
                self.flow.push(&self.redactor, &part)
            } else if let Some(piece) = self.read().await? {
                (self.piece, self.given) = (piece, 0);
                continue;
            } else {
                let rest = self.flow.end(&self.redactor);
                return Ok((!rest.is_empty()).then_some(rest));
            };
            if !clean.is_empty() {
                return Ok(Some(clean));
            }
        }
    }
}

impl Drop for FetchBody {
    fn drop(&mut self) {
        // Aborting ends the exchange, but not everywhere what was received of it already.
        if let Some(reader) = self.reader.take() {
            // As a future its refusal is heard, and nobody is told of an unhandled one.
            drop(JsFuture::from(reader.cancel()));
        }
    }
}
