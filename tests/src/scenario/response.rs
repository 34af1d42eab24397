//! Turns a written answer into what a server does with one request.

use tau_core::model::Api;
use tau_platform::sim::Exchange;

use super::{Head, Reply, Setup};
use crate::wire::{self, Frame, Piece};

/// What a server does with one request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The host that must be asked.
    pub host: String,
    /// How it begins.
    pub head: Head,
    /// How long the head takes, in virtual ms.
    pub late_ms: u64,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, piece by piece as it arrives.
    pub frames: Vec<Frame>,
}

impl Reply {
    /// What the server of its model does; none for the model in the process.
    #[must_use]
    pub fn response(&self, setup: &Setup) -> Option<Response> {
        let model = setup.model(self.model.as_deref())?;
        let api = match model.api() {
            Api::Embedded => return None,
            api => api,
        };
        let is_answer = self.head == Head::Status(200);
        let frames = match self.head {
            Head::Refused | Head::Hangs => Vec::new(),
            Head::Status(200) => wire::stream(api, &self.pieces, self.tokens),
            Head::Status(_) => self.error_frames(api),
        };
        let mut headers = Vec::new();
        if !self.headers.iter().any(|(name, _)| name == "content-type") {
            let kind = if is_answer {
                "text/event-stream"
            } else {
                "application/json"
            };
            headers.push(("content-type".into(), kind.into()));
        }
        headers.extend(self.headers.iter().cloned());
        Some(Response {
            host: model.host(),
            head: self.head,
            late_ms: self.late_ms,
            headers,
            frames: split(cut(frames, self.cut), self.split),
        })
    }

    /// The body beside an error status: text as it is, errors in the provider's format.
    fn error_frames(&self, api: Api) -> Vec<Frame> {
        let frame = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Raw(text) => Some(Frame::Bytes(text.as_bytes().to_vec())),
            Piece::Error { kind, message } => Some(Frame::Bytes(
                wire::error_body(api, kind, message).into_bytes(),
            )),
            Piece::Wait(millis) => Some(Frame::Wait(*millis)),
            Piece::Hang => Some(Frame::Hang),
            Piece::Reset => Some(Frame::Reset),
            _ => None,
        };
        self.pieces.iter().filter_map(frame).collect()
    }
}

impl Response {
    /// The same for the simulated network.
    pub(super) fn exchange(&self) -> Exchange {
        let exchange = match self.head {
            Head::Refused => Exchange::refused(),
            Head::Hangs => Exchange::hanging(),
            Head::Status(status) => Exchange::status(status),
        };
        let mut exchange = exchange.to(&self.host).late(self.late_ms);
        for (name, value) in &self.headers {
            exchange = exchange.header(name, value);
        }
        for frame in &self.frames {
            exchange = match frame {
                Frame::Bytes(bytes) => exchange.bytes(bytes.clone()),
                Frame::Wait(millis) => exchange.wait(*millis),
                Frame::Hang => exchange.stall(),
                Frame::Reset => exchange.reset(),
            };
        }
        exchange
    }
}

/// Drops what comes after the first `length` bytes; a silence or a dead connection at the end is
/// then there.
fn cut(frames: Vec<Frame>, length: Option<usize>) -> Vec<Frame> {
    let Some(mut left) = length else {
        return frames;
    };
    let end = frames
        .last()
        .filter(|frame| matches!(frame, Frame::Hang | Frame::Reset))
        .cloned();
    let mut kept = Vec::new();
    for frame in frames {
        if left == 0 {
            break;
        }
        kept.push(match frame {
            Frame::Bytes(mut bytes) => {
                bytes.truncate(left);
                left -= bytes.len();
                Frame::Bytes(bytes)
            }
            other => other,
        });
    }
    if kept.last() != end.as_ref() {
        kept.extend(end);
    }
    kept
}

/// Cuts bytes into pieces of `length`, wherever that is.
fn split(frames: Vec<Frame>, length: Option<usize>) -> Vec<Frame> {
    let Some(length) = length else {
        return frames;
    };
    let pieces = |frame: Frame| match frame {
        Frame::Bytes(bytes) => bytes
            .chunks(length.max(1))
            .map(|piece| Frame::Bytes(piece.to_vec()))
            .collect(),
        other => vec![other],
    };
    frames.into_iter().flat_map(pieces).collect()
}
