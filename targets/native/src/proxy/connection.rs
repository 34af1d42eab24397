//! Connections of a program: plain ones, and tunnels, which end here.

use hyper::{
    Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tau_core::{
    egress::{Host, Origin},
    tool::http::relay::open_tunnel,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Shared,
    patience::Patient,
    request::{self, Answer, Through},
    response::{self, Stop},
    told::Pending,
};
use crate::egress::Resolve;

/// From one request to the head of the next.
const IDLE: Duration = Duration::from_secs(60);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Of a head; also what is buffered of a body that nobody reads yet.
const HEAD_BYTES: usize = 64 * 1024;

/// A tunnel that was let through and has yet to begin.
struct Opened {
    origin: Origin,
    upgrade: OnUpgrade,
}

/// Serves who connects, at most `most` at a time. Ends with the task: so do the connections.
pub(super) async fn accept<R: Resolve + 'static>(
    listener: UnixListener,
    shared: Arc<Shared<R>>,
    most: usize,
) {
    let room = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    serve(stream, shared).await;
                    drop(permit);
                });
            }
            // Out of descriptors, most likely: others end.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve<R: Resolve + 'static>(stream: UnixStream, shared: Arc<Shared<R>>) {
    let opened = Arc::new(Mutex::new(None));
    let service = service_fn(|asked: Request<Incoming>| {
        let (shared, opened) = (Arc::clone(&shared), Arc::clone(&opened));
        async move {
            Ok::<_, Infallible>(match *asked.method() {
                Method::CONNECT => connect(&shared, &opened, asked),
                _ => request::answer(shared, asked, None).await,
            })
        }
    });
    let patience = Duration::from_millis(shared.setup.limits.timeout_ms);
    let stream = TokioIo::new(Patient::new(stream, patience));
    let connection = http().serve_connection(stream, service);
    // What is wrong with a connection is the program's to know: it gets an answer, or its end.
    let _ = connection.with_upgrades().await;
    let opened = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(opened) = opened {
        tunnel(opened, shared).await;
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(HEAD_BYTES);
    http
}

/// Answers a `CONNECT`; one that is let through goes on when the answer was sent.
fn connect<R: Resolve + 'static>(
    shared: &Arc<Shared<R>>,
    opened: &Mutex<Option<Opened>>,
    mut asked: Request<Incoming>,
) -> Answer {
    let authority = asked.uri().to_string();
    let setup = &shared.setup;
    match open_tunnel(&authority, &setup.grant, &setup.limits.rules) {
        Ok(origin) => {
            let upgrade = hyper::upgrade::on(&mut asked);
            *opened.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Opened { origin, upgrade });
            Response::new(response::nothing())
        }
        Err(refusal) => {
            Pending::new(Arc::clone(shared), "CONNECT", &authority).refused(refusal.clone());
            response::stopped(shared, &Stop::from(refusal))
        }
    }
}

/// Speaks TLS as the host that the tunnel leads to, and answers the requests within.
async fn tunnel<R: Resolve + 'static>(opened: Opened, shared: Arc<Shared<R>>) {
    let Opened { origin, upgrade } = opened;
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let stream = TokioIo::new(upgraded);
    let greeting = handshake(&shared, &origin, stream);
    let tls = match timeout(HANDSHAKE, greeting).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => {
            let reason = format!(
                "the TLS handshake with the program failed: {error}; it has to speak https and to \
                 trust the proxy's authority"
            );
            return Pending::new(shared, "CONNECT", &origin.to_string()).failed(reason);
        }
        Err(_) => {
            let reason = "the program began no TLS handshake";
            return Pending::new(shared, "CONNECT", &origin.to_string()).failed(reason);
        }
    };
    let server_name = tls.get_ref().1.server_name().map(str::to_owned);
    let through = Arc::new(Through {
        origin,
        server_name,
    });
    let service = service_fn(|asked: Request<Incoming>| {
        let (shared, through) = (Arc::clone(&shared), Arc::clone(&through));
        async move { Ok::<_, Infallible>(request::answer(shared, asked, Some(through)).await) }
    });
    // As above.
    let _ = http().serve_connection(TokioIo::new(tls), service).await;
}

async fn handshake<R, S>(shared: &Shared<R>, origin: &Origin, stream: S) -> io::Result<TlsStream<S>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let host = match origin.host() {
        Host::Address(address) => address.to_string(),
        name @ Host::Name(_) => name.to_plain_name(),
    };
    let server = shared.authority.server(&host)?;
    TlsAcceptor::from(server).accept(stream).await
}
