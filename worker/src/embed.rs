//! What makes the vectors of a principal's memory: a model of Workers AI by its binding, a server that speaks like
//! OpenAI, or nothing.
//!
//! Invariant: text goes to the binding or to the address the Worker is set up with, and nowhere else; the key of the
//! one for embeddings is sent there alone.

use futures_util::future::{Either, select};
use js_sys::{JSON, Promise, futures::JsFuture};
use std::pin::pin;
use tau_core::{
    json::{self, object_of},
    memory::{EmbedError, EmbeddingModel},
    wire::embeddings::{EmbeddingEndpoint, EmbeddingsError, IDLE_TIMEOUT_MS, batches, cut},
};
use tau_platform::{Clock, Embedder, HttpEmbedder};
use tau_target_web::{FetchHttp, WebClock};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::Error;

use crate::{
    config::{AI, AI_PREFIX, Settings},
    errors::ApiError,
};

/// The secret with the key of the server for embeddings.
const KEY: &str = "TAU_EMBEDDINGS_KEY";

/// Numbers of a vector of the models of Workers AI.
/// <https://developers.cloudflare.com/workers-ai/models/?tasks=Text+Embeddings>
const LENGTHS: [(&str, u32); 7] = [
    ("@cf/baai/bge-small-en-v1.5", 384),
    ("@cf/baai/bge-base-en-v1.5", 768),
    ("@cf/baai/bge-large-en-v1.5", 1_024),
    ("@cf/baai/bge-m3", 1_024),
    ("@cf/google/embeddinggemma-300m", 768),
    ("@cf/qwen/qwen3-embedding-0.6b", 1_024),
    ("@cf/pfnet/plamo-embedding-1b", 2_048),
];

#[wasm_bindgen]
extern "C" {
    /// What stands behind the binding.
    type Binding;

    #[wasm_bindgen(method, catch)]
    fn run(this: &Binding, model: &str, input: &JsValue) -> Result<Promise, JsValue>;
}

/// The embedder of a Worker.
pub(crate) enum WorkerEmbedder {
    /// None is set.
    None,
    /// By the binding.
    Bound(Bound),
    /// By HTTP.
    Endpoint(HttpEmbedder<FetchHttp, WebClock>),
}

/// A model behind the binding.
pub(crate) struct Bound {
    settings: Settings,
    model: EmbeddingEndpoint,
}

impl WorkerEmbedder {
    /// What `TAU_EMBEDDINGS` and its companions say.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ApiError> {
        let Some(model) = settings.text("TAU_EMBEDDINGS") else {
            return Ok(Self::None);
        };
        let base_url = settings.text("TAU_EMBEDDINGS_URL");
        let known = LENGTHS.iter().find(|(name, _)| *name == model);
        let set = settings.embedding_dimensions()?;
        let Some(dimensions) = set.or(known.map(|(_, length)| *length)) else {
            return Err(ApiError::misconfigured(
                "TAU_EMBEDDINGS_DIMENSIONS is not set, and nobody knows how long the vectors of TAU_EMBEDDINGS are",
            ));
        };
        let model = EmbeddingEndpoint {
            secret: settings.text(KEY).map(|_| KEY.into()),
            base_url: base_url.unwrap_or_default(),
            model,
            dimensions,
            is_shortened: false,
        };
        if model.model.starts_with(AI_PREFIX) && model.base_url.is_empty() {
            let settings = settings.clone();
            return Ok(Self::Bound(Bound { settings, model }));
        }
        if !model.base_url.starts_with("https://") && !model.base_url.starts_with("http://") {
            return Err(ApiError::misconfigured(
                "TAU_EMBEDDINGS_URL is not set to the address of a server",
            ));
        }
        let secrets = settings.clone();
        let http = FetchHttp::new(move |name| (name == KEY).then(|| secrets.text(name))?);
        Ok(Self::Endpoint(HttpEmbedder::new(http, WebClock, model)))
    }
}

impl Embedder for WorkerEmbedder {
    fn model(&self) -> Option<EmbeddingModel> {
        match self {
            Self::None => None,
            Self::Bound(bound) => Some(bound.model.space()),
            Self::Endpoint(endpoint) => endpoint.model(),
        }
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        match self {
            Self::None => Err(EmbedError::Unavailable {
                detail: "TAU_EMBEDDINGS is not set".into(),
            }),
            Self::Endpoint(endpoint) => endpoint.embed(texts).await,
            Self::Bound(bound) => {
                let mut vectors = Vec::with_capacity(texts.len());
                for batch in batches(&texts) {
                    let texts = texts.get(batch).unwrap_or_default();
                    vectors.extend(bound.batch(texts).await?);
                }
                Ok(vectors)
            }
        }
    }
}

impl Bound {
    async fn batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let binding = self.settings.binding(AI);
        if binding.is_undefined() {
            return Err(EmbedError::Unavailable {
                detail: format!("the Worker has no binding {AI}"),
            });
        }
        let texts: Vec<json::Value> = texts.iter().map(|text| cut(text).0.into()).collect();
        let count = texts.len();
        let input = json::to_string(&object_of([("text", texts.into())]));
        let input = JSON::parse(&input).map_err(|thrown| self.failed(thrown))?;
        let binding: &Binding = binding.unchecked_ref();
        let asked = binding.run(&self.model.model, &input);
        let asked = asked.map_err(|thrown| self.failed(thrown))?;
        let deadline = WebClock.now().plus(IDLE_TIMEOUT_MS);
        let silence = WebClock.sleep_until(deadline);
        let answer = match select(pin!(JsFuture::from(asked)), pin!(silence)).await {
            Either::Left((answer, _)) => answer.map_err(|thrown| self.failed(thrown))?,
            Either::Right(((), _)) => {
                return Err(EmbedError::Failed {
                    detail: format!("Workers AI said nothing for {IDLE_TIMEOUT_MS} ms"),
                    retry: true,
                });
            }
        };
        let answer = JSON::stringify(&answer).map(String::from);
        let answer = answer.map_err(|thrown| self.failed(thrown))?;
        let vectors = self.model.decode_bound(count, answer.as_bytes());
        vectors.map_err(|error: EmbeddingsError| error.into())
    }

    /// What the binding throws: its own number and words.
    fn failed(&self, thrown: JsValue) -> EmbedError {
        let message = match Error::from(thrown) {
            Error::UnknownJsError { message, .. } => message,
            other => other.to_string(),
        };
        let message: String = message.chars().take(300).collect();
        EmbedError::Failed {
            // Capacity and failures of the service, by their numbers; a model that is not there stays away.
            retry: ["3040", "3007", "3008"]
                .iter()
                .any(|number| message.contains(number)),
            detail: format!("{}: {message}", self.model.model),
        }
    }
}
