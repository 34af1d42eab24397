//! One request: read, decided about, sent, answered.

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    http::request::Parts,
};
use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};
use tau_core::{
    egress::Origin,
    session::{HttpError, HttpHead},
    tool::http::{
        Failure, Method,
        relay::{Asked, BODY_BYTES, Encoding, Relay, Tunnel},
    },
};
use tau_platform::http_tool::{Outbound, OutboundError};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Shared,
    response::{self, Stop},
    told::Pending,
};
use crate::{egress::Resolve, http::ReqwestBody};

/// What a program gets.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// What is still read of the body of a request that was refused, so that the answer is, too.
const DRAINED_BYTES: usize = 256 * 1024;
const DRAINED_FOR: Duration = Duration::from_millis(500);

/// The tunnel that a request came through.
pub(super) struct Through {
    pub(super) origin: Origin,
    pub(super) server_name: Option<String>,
}

/// Answers a request with what a server says, or with why it was not asked.
pub(super) async fn answer<R: Resolve + 'static>(
    shared: Arc<Shared<R>>,
    asked: Request<Incoming>,
    through: Option<Arc<Through>>,
) -> Answer {
    let (head, mut body) = asked.into_parts();
    let target = head.uri.to_string();
    let shown = match &through {
        Some(through) if target.starts_with('/') => format!("{}{target}", through.origin),
        _ => target.clone(),
    };
    let pending = Pending::new(Arc::clone(&shared), head.method.as_str(), &shown);
    let deadline = Instant::now() + Duration::from_millis(shared.setup.limits.timeout_ms);
    let done = exchange(
        &shared,
        &head,
        &target,
        through.as_deref(),
        &mut body,
        deadline,
    )
    .await;
    match done {
        Ok((method, got, received)) => {
            response::passed_on(shared, pending, method, got, received, deadline)
        }
        Err(stop) => {
            response::told(pending, &stop);
            let rest = Limited::new(&mut body, DRAINED_BYTES).collect();
            // Whether it is all read makes no difference to the answer.
            let _ = timeout(DRAINED_FOR, rest).await;
            response::stopped(&shared, &stop)
        }
    }
}

/// Up to the head of the answer.
async fn exchange<R: Resolve + 'static>(
    shared: &Shared<R>,
    head: &Parts,
    target: &str,
    through: Option<&Through>,
    body: &mut Incoming,
    deadline: Instant,
) -> Result<(Method, HttpHead, ReqwestBody), Stop> {
    let setup = &shared.setup;
    let known = (setup.known)();
    let headers = headers(head);
    let asked = Asked {
        method: head.method.as_str(),
        target,
        headers: &headers,
        tunnel: through.map(|through| Tunnel {
            origin: &through.origin,
            server_name: through.server_name.as_deref(),
        }),
    };
    let relay = Relay::new(asked, &setup.grant, &setup.limits, &known)?;
    let (method, encoding) = (relay.method(), relay.encoding());
    let url = relay.url();
    let after_ms = setup.limits.timeout_ms;
    let timed_out = || Failure::TimedOut {
        url: url.clone(),
        method,
        after_ms,
    };
    let failed = |error: HttpError| Failure::Http {
        url: url.clone(),
        method,
        error,
        hint: None,
    };

    let reading = timeout_at(deadline, held(shared, body)).await;
    let (bytes, permit) = match reading.map_err(|_| timed_out())? {
        Ok(read) => read,
        Err(Unread::TooLong) => return Err(Stop::TooLong),
        Err(Unread::Broken(detail)) => return Err(failed(HttpError::Reset { detail }).into()),
    };
    let plain = match encoding {
        Some(encoding) if !bytes.is_empty() => match unpacked(&bytes, encoding) {
            Some(plain) if plain.len() > BODY_BYTES => return Err(Stop::TooLong),
            plain => plain,
        },
        _ => None,
    };
    let mut exchange = relay.with_body(bytes[..].into(), plain.as_deref(), &known)?;
    drop((bytes, plain));
    let outgoing = exchange.next_request()?;
    drop(exchange);

    let sent = timeout_at(deadline, setup.egress.send(outgoing)).await;
    drop(permit);
    match sent.map_err(|_| timed_out())? {
        Ok((head, body)) => Ok((method, head, body)),
        Err(OutboundError::Refused(refusal)) => Err(refusal.into()),
        Err(OutboundError::Http(error)) => Err(failed(error).into()),
    }
}

fn headers(head: &Parts) -> Vec<(String, String)> {
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    headers.collect()
}

enum Unread {
    TooLong,
    Broken(String),
}

/// The body, and the room that was made for it.
async fn held<'s, R>(
    shared: &'s Shared<R>,
    body: &mut Incoming,
) -> Result<(Bytes, Option<tokio::sync::SemaphorePermit<'s>>), Unread> {
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    let said = body.size_hint();
    if said.lower() > BODY_BYTES as u64 {
        return Err(Unread::TooLong);
    }
    // All of it at once: many that each wait for a little more would wait for each other.
    let most = said
        .upper()
        .unwrap_or(BODY_BYTES as u64)
        .min(BODY_BYTES as u64);
    let kib = u32::try_from(most.div_ceil(1024)).unwrap_or(u32::MAX);
    let permit = shared.held.acquire_many(kib).await;
    let permit = permit.map_err(|error| Unread::Broken(error.to_string()))?;
    match Limited::new(body, BODY_BYTES).collect().await {
        Ok(read) => Ok((read.to_bytes(), Some(permit))),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(error) => Err(Unread::Broken(error.to_string())),
    }
}

/// What `bytes` hold, or the beginning of it where that is already too long; `None` where they are
/// packed otherwise, or hold something beside.
fn unpacked(bytes: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    let most = BODY_BYTES as u64 + 1;
    let mut plain = Vec::new();
    match encoding {
        Encoding::Gzip => {
            MultiGzDecoder::new(bytes)
                .take(most)
                .read_to_end(&mut plain)
                .ok()?;
        }
        Encoding::Deflate => {
            let mut decoder = ZlibDecoder::new(bytes);
            (&mut decoder).take(most).read_to_end(&mut plain).ok()?;
            if plain.len() <= BODY_BYTES && decoder.total_in() != bytes.len() as u64 {
                return None;
            }
        }
    }
    Some(plain)
}
