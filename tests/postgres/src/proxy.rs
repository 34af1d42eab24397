//! A way to the server that can be cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// Passes bytes on to the server, until it is told to cut.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    open: Mutex<Vec<TcpStream>>,
    /// New connections are closed at once.
    is_closed: AtomicBool,
    /// The server's next answers are swallowed, and then the connection is cut: so many times.
    cuts: AtomicUsize,
    /// Connections that were cut so.
    cut: AtomicUsize,
}

impl Proxy {
    /// A proxy to `port` of this machine.
    pub fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        // Ends with the process: it waits for connections that do not come.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.is_closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                pass(&state, &client, &server);
                let mut open = state.open.lock().expect("the list");
                open.extend([client, server]);
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts the connections there are, and takes new ones only if `reopen`.
    pub fn cut(&self, reopen: bool) {
        self.shared.is_closed.store(!reopen, Ordering::SeqCst);
        for stream in self.shared.open.lock().expect("the list").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.shared.is_closed.store(false, Ordering::SeqCst);
    }

    /// Swallows the server's next answer and cuts its connection, `times` times.
    pub fn swallow(&self, times: usize) {
        self.shared.cuts.store(times, Ordering::SeqCst);
    }

    /// How many answers were swallowed.
    pub fn swallowed(&self) -> usize {
        self.shared.cut.load(Ordering::SeqCst)
    }
}

/// Starts the two directions of one connection.
fn pass(state: &Arc<Shared>, client: &TcpStream, server: &TcpStream) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a handle");
    let (mut from, mut to) = (clone(client), clone(server));
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (clone(server), clone(client));
    let state = Arc::clone(state);
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let take = |cuts: usize| cuts.checked_sub(1);
            let cut = state
                .cuts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
            if cut.is_ok() {
                state.cut.fetch_add(1, Ordering::SeqCst);
                break;
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
