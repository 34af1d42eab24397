//! The network of a confined program: a proxy outside, reached through a socket in the file system.
//!
//! ```text
//!  sandbox (its network has nothing but `lo`)    │  Tau
//!  program ─ HTTPS_PROXY=127.0.0.1:PORT          │
//!     └─> Forwarder ──────────── unix socket ────┼─> Proxy ─ relay ─> Outgoing ─> Egress ─> server
//!                                                │     └ told: every decision
//! ```
//!
//! Invariants: every request is seen in the clear, decided about by [`tau_core::tool::http::relay`]
//! and sent by [`Egress`], which is also what the tool `http` goes through; nothing is tunnelled.
//! What comes back has no known value in it. When the [`Proxy`] is dropped, so are its connections,
//! its socket and its folder.

mod authority;
mod connection;
pub mod forward;
mod patience;
mod request;
mod response;
mod told;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use tau_core::{credential::Redactor, egress::Grant, policy::http::HttpLimits};
use tokio::{net::UnixListener, sync::Semaphore, task::JoinHandle};

use crate::egress::{Egress, Resolve};
use authority::Authority;
pub use forward::Forwarder;
pub use told::{Decision, Outcome};

/// The socket's name in the proxy's folder.
pub const SOCKET: &str = "proxy.sock";
/// The authority's certificate in the proxy's folder.
pub const AUTHORITY: &str = "authority.pem";

/// Connections at a time; more wait.
const CONNECTIONS: usize = 256;
/// Bodies of requests that are held at a time, in KiB; more wait.
const HELD_KIB: usize = 64 * 1024;

/// What a proxy is started with.
pub struct Setup<R> {
    /// Made for the proxy alone, and removed with it: nothing may be there. Whoever can reach it can
    /// send requests, so it is for this user and for the sandbox that it is bound into.
    pub folder: PathBuf,
    /// The hosts that are reached.
    pub grant: Grant,
    /// What the policy says of requests: each has so much time, and its answer so many bytes.
    pub limits: HttpLimits,
    /// Sends what was decided about, and puts credentials in.
    pub egress: Egress<R>,
    /// What may not leave and is taken out of what comes back, as it is at that time.
    pub known: Arc<dyn Fn() -> Arc<Redactor> + Send + Sync>,
    /// Is told of every request.
    pub told: Arc<dyn Fn(Decision) + Send + Sync>,
}

impl<R> std::fmt::Debug for Setup<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("folder", &self.folder)
            .field("grant", &self.grant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    folder: PathBuf,
    authority_pem: String,
    server: JoinHandle<()>,
}

/// What every connection needs.
struct Shared<R> {
    setup: Setup<R>,
    authority: Authority,
    held: Semaphore,
}

impl Proxy {
    /// Makes the folder and begins to listen. Needs a tokio runtime with IO and timer, and works as
    /// long as that does.
    pub fn start<R: Resolve + 'static>(setup: Setup<R>) -> io::Result<Self> {
        let authority = Authority::new()?;
        let authority_pem = authority.pem();
        let folder = setup.folder.clone();
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let listener = listen(&folder, &authority_pem).inspect_err(|_| remove(&folder))?;
        let shared = Arc::new(Shared {
            setup,
            authority,
            held: Semaphore::new(HELD_KIB),
        });
        Ok(Self {
            folder,
            authority_pem,
            server: tokio::spawn(connection::accept(listener, shared, CONNECTIONS)),
        })
    }

    /// The folder to bind into the sandbox; read-only is enough. It holds [`SOCKET`] and
    /// [`AUTHORITY`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate that a program has to trust, as it stands in the folder.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        remove(&self.folder);
    }
}

fn listen(folder: &Path, authority_pem: &str) -> io::Result<UnixListener> {
    fs::write(folder.join(AUTHORITY), authority_pem)?;
    let socket = folder.join(SOCKET);
    let listener = UnixListener::bind(&socket)?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What is not removed here is a file that nobody listens to.
fn remove(folder: &Path) {
    for name in [SOCKET, AUTHORITY] {
        let _ = fs::remove_file(folder.join(name));
    }
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests;
