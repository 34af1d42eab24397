//! The network of one program, where no engine that could have one runs.

use std::{io, sync::Arc};
use tau_core::policy::programs::Network as Granted;
use tau_target_process::Job;

use crate::credentials::Vault;

/// Never made.
#[derive(Debug)]
pub(super) enum Network {}

impl Network {
    /// Fails: the way to the proxy is a socket of Unix.
    pub(super) fn open(
        _: &Granted,
        _: &Arc<Vault>,
        _: impl Fn(String) + Send + Sync + 'static,
        _: &mut Job,
    ) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
