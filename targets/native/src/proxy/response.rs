//! What a program gets back: a server's answer as it comes, or why there is none.

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    ext::ReasonPhrase,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use std::{io, sync::Arc};
use tau_core::{
    credential::Flow,
    policy::Refusal,
    session::{HttpError, HttpHead},
    tool::http::{
        Failure, Method,
        relay::{passed_back, too_long},
    },
};
use tau_platform::Body;
use tokio::time::{Instant, timeout_at};

use super::{Shared, request::Answer, told::Pending};
use crate::http::ReqwestBody;

/// Why a request was not answered by its server.
pub(super) enum Stop {
    /// Its body is too long.
    TooLong,
    /// Anything else.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Failure(refusal.into())
    }
}

impl Stop {
    fn failure(&self) -> Failure {
        match self {
            Self::TooLong => too_long().into(),
            Self::Failure(failure) => failure.clone(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Failure(Failure::Refused(_)) => StatusCode::FORBIDDEN,
            Self::Failure(
                Failure::TimedOut { .. }
                | Failure::Http {
                    error: HttpError::Timeout { .. },
                    ..
                },
            ) => StatusCode::GATEWAY_TIMEOUT,
            Self::Failure(Failure::Http { .. }) => StatusCode::BAD_GATEWAY,
        }
    }
}

/// Tells why there is no answer.
pub(super) fn told<R>(mut pending: Pending<R>, stop: &Stop) {
    pending.ended(&stop.failure());
}

/// The answer in place of a server's.
pub(super) fn stopped<R>(shared: &Shared<R>, stop: &Stop) -> Answer {
    let known = (shared.setup.known)();
    let clean = |text: String| known.redact(&text).unwrap_or(text);
    let failure = stop.failure();
    let body = Bytes::from(clean(failure.to_json().to_string()) + "\n");
    let mut answer = Response::new(
        Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *answer.status_mut() = stop.status();
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    // Of an answer to CONNECT most programs show nothing else.
    if let Ok(reason) =
        ReasonPhrase::try_from(format!("Tau: {}", clean(failure.reason())).into_bytes())
    {
        answer.extensions_mut().insert(reason);
    }
    answer
}

/// No body.
pub(super) fn nothing() -> UnsyncBoxBody<Bytes, io::Error> {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// The server's answer, without known values. Its body follows as it comes.
pub(super) fn passed_on<R: Send + Sync + 'static>(
    shared: Arc<Shared<R>>,
    mut pending: Pending<R>,
    method: Method,
    head: HttpHead,
    body: ReqwestBody,
    deadline: Instant,
) -> Answer {
    let most = shared.setup.limits.response_bytes;
    if let Some(stop) = unfit(&head, method, most) {
        told(pending, &stop);
        let mut answer = stopped(&shared, &stop);
        // The request was sent: it is the answer that is not passed on.
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        return answer;
    }
    pending.allowed(head.status);
    let known = (shared.setup.known)();
    let mut answer = Response::new(nothing());
    *answer.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in passed_back(&head, method) {
        let value = known.redact(&value).unwrap_or(value);
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            answer.headers_mut().append(name, value);
        }
    }
    if method == Method::Head || matches!(head.status, 204 | 304) {
        return answer;
    }
    let passing = Passing {
        shared,
        pending,
        body,
        flow: Flow::default(),
        left: most,
        deadline,
    };
    let pieces = unfold(Some(passing), |passing| async {
        let mut passing = passing?;
        match passing.next().await {
            Ok((piece, is_last)) => Some((Ok(Frame::data(piece)), (!is_last).then_some(passing))),
            Err(error) => Some((Err(error), None)),
        }
    });
    *answer.body_mut() = StreamBody::new(pieces).boxed_unsync();
    answer
}

/// Why an answer is not passed on at all.
fn unfit(head: &HttpHead, method: Method, most: u64) -> Option<Stop> {
    if !(200..=599).contains(&head.status) {
        return Some(Stop::from(Refusal {
            rule: "http: response".into(),
            reason: format!(
                "the server answers with status {}, which ends nothing",
                head.status
            ),
            hint: Some("no WebSocket goes through".into()),
        }));
    }
    let announced = head.header("content-length")?.parse::<u64>().ok()?;
    (method != Method::Head && announced > most).then(|| too_much(most).into())
}

fn too_much(most: u64) -> Refusal {
    Refusal {
        rule: "http: response".into(),
        reason: format!("the answer is longer than {most} bytes"),
        hint: Some("ask for less; a person can raise policy.http.response_bytes".into()),
    }
}

/// A body on its way. A program whose answer does not end well sees the connection break.
struct Passing<R> {
    shared: Arc<Shared<R>>,
    pending: Pending<R>,
    body: ReqwestBody,
    flow: Flow,
    /// Bytes that may still come.
    left: u64,
    deadline: Instant,
}

impl<R> Passing<R> {
    /// The next piece, and whether it is the last.
    async fn next(&mut self) -> io::Result<(Bytes, bool)> {
        loop {
            let next = match timeout_at(self.deadline, self.body.chunk()).await {
                Ok(Ok(next)) => next,
                Ok(Err(error)) => return Err(self.broken(error.to_string())),
                Err(_) => {
                    let after_ms = self.shared.setup.limits.timeout_ms;
                    return Err(self.broken(format!("it did not end within {after_ms} ms")));
                }
            };
            let known = (self.shared.setup.known)();
            let Some(piece) = next else {
                return Ok((self.flow.end(&known).into(), true));
            };
            let Some(left) = self.left.checked_sub(piece.len() as u64) else {
                let most = self.shared.setup.limits.response_bytes;
                return Err(self.broken(too_much(most).reason));
            };
            self.left = left;
            let clean = self.flow.push(&known, &piece);
            if !clean.is_empty() {
                return Ok((clean.into(), false));
            }
        }
    }

    fn broken(&mut self, reason: String) -> io::Error {
        self.pending.failed(reason.clone());
        io::Error::other(reason)
    }
}
