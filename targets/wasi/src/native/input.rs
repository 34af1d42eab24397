//! Standard input that comes when it comes. A thread reads it, as a read cannot be given up: at the
//! deadline the program ends and the thread waits on, holding nothing but the reader.

use crate::{Errno, Input};
use alloc::{boxed::Box, vec::Vec};
use std::{
    io::{ErrorKind, Read},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Input from a reader that may block. It is read from only once the program reads.
pub struct Piped {
    source: Option<Box<dyn Read + Send>>,
    pieces: Option<Receiver<Result<Vec<u8>, Errno>>>,
    piece: Vec<u8>,
    position: usize,
}

impl Piped {
    /// Input from `source`.
    pub fn new(source: impl Read + Send + 'static) -> Self {
        Self {
            source: Some(Box::new(source)),
            pieces: None,
            piece: Vec::new(),
            position: 0,
        }
    }

    /// Where pieces come from, started by the first who asks.
    fn pieces(&mut self) -> Option<&Receiver<Result<Vec<u8>, Errno>>> {
        if let Some(source) = self.source.take() {
            let (sender, receiver) = sync_channel(1);
            self.pieces = Some(receiver);
            thread::spawn(move || pump(source, &sender));
        }
        self.pieces.as_ref()
    }
}

/// Reads to the end, or until nobody wants more.
fn pump(mut source: Box<dyn Read + Send>, sender: &SyncSender<Result<Vec<u8>, Errno>>) {
    loop {
        let mut piece = alloc::vec![0; PIECE_BYTES];
        let read = match source.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => Err(Errno::Io),
        };
        let is_failure = read.is_err();
        if sender.send(read).is_err() || is_failure {
            return;
        }
    }
}

impl Input for Piped {
    fn read(&mut self, buffer: &mut [u8], wait_ns: u64) -> Result<usize, Errno> {
        if self.position == self.piece.len() {
            let Some(pieces) = self.pieces() else {
                return Ok(0);
            };
            self.piece = match pieces.recv_timeout(Duration::from_nanos(wait_ns)) {
                Ok(piece) => piece?,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => return Err(Errno::Again),
            };
            self.position = 0;
        }
        let rest = &self.piece[self.position..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}
