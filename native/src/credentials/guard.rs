//! The one place where known values are taken out of what comes back: around the HTTP client and
//! around the tools, whatever they are made of.

use std::{mem, ops::Deref, sync::Arc};
use tau_core::{
    credential::Flow,
    ids::EffectId,
    session::{HttpError, HttpHead, HttpRequest},
    tool::{ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{Body, HostTools, Http};

use super::Vault;

/// The longest piece of a body.
const CHUNK_BYTES: usize = 64 * 1024;
/// The tool whose headers take handles.
const HTTP_TOOL: &str = "http";

/// An adapter, and the credentials that nothing from it may show.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    inner: T,
    vault: Arc<Vault>,
}

impl<T> Guarded<T> {
    /// Guards `inner`.
    pub(crate) fn new(inner: T, vault: Arc<Vault>) -> Self {
        Self { inner, vault }
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<H: Http> Http for Guarded<H> {
    type Body = GuardedBody<H::Body>;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, Self::Body), HttpError> {
        let sent = self.inner.send(request).await;
        let (mut head, body) = sent.map_err(|error| clean(error, &self.vault))?;
        for (_, value) in &mut head.headers {
            self.vault.redact(value);
        }
        let body = GuardedBody {
            inner: body,
            vault: Arc::clone(&self.vault),
            flow: Flow::default(),
            ready: Vec::new(),
            ended: false,
        };
        Ok((head, body))
    }
}

/// The body of a response of a [`Guarded`] client.
pub(crate) struct GuardedBody<B> {
    inner: B,
    vault: Arc<Vault>,
    flow: Flow,
    /// Clean and not yet given out.
    ready: Vec<u8>,
    ended: bool,
}

impl<B: Body> Body for GuardedBody<B> {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        while self.ready.is_empty() {
            if self.ended {
                return Ok(None);
            }
            let next = self.inner.chunk().await;
            let next = next.map_err(|error| clean(error, &self.vault))?;
            let redactor = self.vault.redactor();
            self.ready = match next {
                Some(piece) => self.flow.push(&redactor, &piece),
                None => {
                    self.ended = true;
                    self.flow.end(&redactor)
                }
            };
        }
        let rest = match self.ready.len() > CHUNK_BYTES {
            true => self.ready.split_off(CHUNK_BYTES),
            false => Vec::new(),
        };
        Ok(Some(mem::replace(&mut self.ready, rest)))
    }
}

impl<T: HostTools> HostTools for Guarded<T> {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = self.inner.specs();
        let handles = self.vault.handles();
        if let Some(http) = specs.iter_mut().find(|spec| spec.name == HTTP_TOOL)
            && !handles.is_empty()
        {
            let handles: Vec<String> = handles
                .iter()
                .map(|(handle, host)| format!("{handle} for {host}"))
                .collect();
            http.description += &format!(
                " Credentials for a header's value, sent to their own host only: {}.",
                handles.join(", ")
            );
        }
        specs
    }

    async fn run(&self, id: EffectId, run: ToolRun) -> ToolOutput {
        let mut output = self.inner.run(id, run).await;
        self.vault.redact(&mut output.text);
        output
    }
}

fn clean(mut error: HttpError, vault: &Vault) -> HttpError {
    match &mut error {
        HttpError::Connect { detail, .. }
        | HttpError::Reset { detail }
        | HttpError::Protocol { detail }
        | HttpError::Request { detail } => {
            vault.redact(detail);
        }
        HttpError::Timeout { .. } => {}
    }
    error
}
