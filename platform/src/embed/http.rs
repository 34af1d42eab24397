//! Embedding by a server that speaks like OpenAI.
//!
//! Invariant: texts go to the endpoint that was given and nowhere else (no redirect is followed), and a request is
//! sent again only where the server's answer says that it may work.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    memory::{EmbedError, EmbeddingModel},
    session::{HttpError, HttpHead, HttpRequest, Retry},
    wire::embeddings::{BODY_BYTES, EmbeddingEndpoint, EmbeddingsError, batches},
};

use super::Embedder;
use crate::{
    clock::Clock,
    http::{Body, Http},
};

/// How often a batch is sent, and how long is waited between: somebody may wait for what is searched.
const RETRY: Retry = Retry {
    attempts: 3,
    base_ms: 500,
    max_ms: 10_000,
};

/// A model behind a server.
#[derive(Clone, Debug)]
pub struct HttpEmbedder<H, C> {
    http: H,
    clock: C,
    endpoint: EmbeddingEndpoint,
    retry: Retry,
}

/// What an attempt failed with.
enum Failed {
    /// Nothing came, or not all of it.
    Http(HttpError),
    Answer(HttpHead, EmbeddingsError),
}

impl<H: Http, C: Clock> HttpEmbedder<H, C> {
    /// Asks `endpoint` by way of `http`, which knows the value of the key.
    pub fn new(http: H, clock: C, endpoint: EmbeddingEndpoint) -> Self {
        Self {
            http,
            clock,
            endpoint,
            retry: RETRY,
        }
    }

    /// The same with other patience.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// Where it asks.
    pub fn endpoint(&self) -> &EmbeddingEndpoint {
        &self.endpoint
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let request = self.endpoint.encode(texts);
        let mut attempt = 1;
        loop {
            let failed = match self.ask(texts.len(), request.clone()).await {
                Ok(vectors) => return Ok(vectors),
                Err(failed) => failed,
            };
            let Some(wait_ms) = self.wait_ms(attempt, &failed) else {
                return Err(self.explain(failed));
            };
            attempt += 1;
            let deadline = self.clock.now().plus(wait_ms);
            self.clock.sleep_until(deadline).await;
        }
    }

    async fn ask(&self, count: usize, request: HttpRequest) -> Result<Vec<Vec<f32>>, Failed> {
        let (head, mut body) = self.http.send(request).await.map_err(Failed::Http)?;
        let mut bytes = Vec::new();
        while let Some(piece) = body.chunk().await.map_err(Failed::Http)? {
            bytes.extend(piece);
            if bytes.len() > BODY_BYTES {
                let detail = format!("more than {} MiB", BODY_BYTES >> 20);
                return Err(Failed::Answer(head, EmbeddingsError::Unreadable { detail }));
            }
        }
        let answer = match head.status {
            200..=299 => self.endpoint.decode(count, &bytes),
            _ => Err(self.endpoint.failure(&head, &bytes)),
        };
        answer.map_err(|error| Failed::Answer(head, error))
    }

    /// How long to wait before the next attempt; none if there is to be none.
    fn wait_ms(&self, attempt: u32, failed: &Failed) -> Option<u64> {
        if attempt >= self.retry.attempts {
            return None;
        }
        let doubled = 1_u64.checked_shl(attempt - 1).unwrap_or(u64::MAX);
        let own = self.retry.base_ms.saturating_mul(doubled);
        let wait_ms = match failed {
            // A server that is not there, or silent, keeps a person waiting once.
            Failed::Http(HttpError::Reset { .. }) => own,
            Failed::Http(_) => return None,
            Failed::Answer(_, error) if !error.is_retryable() => return None,
            Failed::Answer(head, error) => match error.retry_after_ms() {
                Some(after_ms) => after_ms.saturating_sub(self.clock.now().since(head.at)),
                None => own,
            },
        };
        (wait_ms <= self.retry.max_ms).then_some(wait_ms)
    }

    fn explain(&self, failed: Failed) -> EmbedError {
        let model = &self.endpoint.model;
        match failed {
            Failed::Http(error) => EmbedError::Failed {
                // A request that cannot be sent, such as one without its key, cannot be sent later.
                retry: !matches!(error, HttpError::Request { .. }),
                detail: format!("{model}: {error}"),
            },
            Failed::Answer(_, error) => EmbedError::Failed {
                retry: error.is_retryable(),
                detail: match error.retry_after_ms() {
                    Some(after_ms) if error.is_retryable() => {
                        format!("{model}: {error} (it asks to wait {after_ms} ms)")
                    }
                    _ => match error {
                        EmbeddingsError::Dimensions { .. } => error.to_string(),
                        _ => format!("{model}: {error}"),
                    },
                },
            },
        }
    }
}

impl<H: Http, C: Clock> Embedder for HttpEmbedder<H, C> {
    fn model(&self) -> Option<EmbeddingModel> {
        Some(self.endpoint.space())
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in batches(&texts) {
            vectors.extend(self.batch(texts.get(batch).unwrap_or_default()).await?);
        }
        Ok(vectors)
    }
}

#[cfg(test)]
mod tests;
