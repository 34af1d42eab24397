//! From a name to its addresses.

use std::{
    future::Future,
    io,
    net::{IpAddr, ToSocketAddrs},
};

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync {
    /// All of them, in the order they are to be tried. A name nobody has is an error, not nothing.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The system's resolver, with its hosts file and its search domains.
///
/// Needs a tokio runtime. A look-up that nobody waits for any more goes on in its thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let name = name.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            (name, 0_u16)
                .to_socket_addrs()
                .map(|found| found.map(|address| address.ip()).collect::<Vec<_>>())
        });
        let mut addresses = found.await.map_err(io::Error::other)??;
        // A name is told once for every kind of socket.
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        Ok(addresses)
    }
}
