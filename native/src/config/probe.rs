//! Servers on this machine that offer models.

use futures_util::future::join_all;
use serde::Deserialize;
use std::sync::Arc;
use tau_core::{
    model::{Api, ModelConfig, Pricing},
    session::HttpRequest,
};
use tau_platform::{Body, Http};

/// Where programs that serve models listen unless told otherwise.
const PLACES: [(&str, u16); 4] = [
    ("Ollama", 11_434),
    ("llama.cpp", 8_080),
    ("LM Studio", 1_234),
    ("vLLM", 8_000),
];
/// A server on this machine answers at once or is none.
const TIMEOUT_MS: u64 = 300;
/// A longer list of models is none.
const LIST_BYTES: usize = 1 << 20;
/// What a model is taken to accept when its server does not say: some load it with as little.
const CONTEXT_TOKENS: u32 = 8_192;

/// A server that answered, and what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// The program that usually listens there.
    pub(crate) name: &'static str,
    /// Up to and including the version.
    pub(crate) base_url: String,
    /// Never empty.
    pub(crate) models: Vec<Offered>,
}

/// A model of a [`Server`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    /// As the server calls it.
    pub(crate) name: String,
    /// What it accepts, where the server says so.
    pub(crate) context_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    /// vLLM.
    max_model_len: Option<u32>,
    /// llama.cpp.
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    n_ctx: Option<u32>,
}

impl Server {
    /// The model called `name`, or the first, ready to be asked.
    pub(crate) fn model(&self, name: Option<&str>) -> Option<ModelConfig> {
        let offered = match name {
            Some(name) => self.models.iter().find(|model| model.name == name)?,
            None => self.models.first()?,
        };
        let context_tokens = offered.context_tokens.unwrap_or(CONTEXT_TOKENS).max(4);
        Some(ModelConfig {
            name: offered.name.clone(),
            api: Api::OpenAi,
            base_url: self.base_url.clone(),
            secret: None,
            context_tokens,
            max_output_tokens: context_tokens / 4,
            pricing: Pricing::default(),
            images: false,
            temperature_milli: None,
        })
    }
}

/// The servers of this machine, all asked at once.
pub(crate) async fn local_servers(http: &impl Http) -> Vec<Server> {
    let asked = PLACES.map(|(name, port)| ask(http, name, port));
    join_all(asked).await.into_iter().flatten().collect()
}

async fn ask(http: &impl Http, name: &'static str, port: u16) -> Option<Server> {
    let base_url = format!("http://127.0.0.1:{port}/v1");
    let request = HttpRequest {
        method: "GET".into(),
        url: format!("{base_url}/models"),
        headers: Vec::new(),
        body: Arc::from([]),
        idle_timeout_ms: TIMEOUT_MS,
    };
    let (head, mut body) = http.send(request).await.ok()?;
    if head.status != 200 {
        return None;
    }
    let mut bytes = Vec::new();
    while let Some(piece) = body.chunk().await.ok()? {
        bytes.extend(piece);
        if bytes.len() > LIST_BYTES {
            return None;
        }
    }
    let models = offered(&bytes)?;
    Some(Server {
        name,
        base_url,
        models,
    })
}

fn offered(bytes: &[u8]) -> Option<Vec<Offered>> {
    let list: List = serde_json::from_slice(bytes).ok()?;
    let models: Vec<Offered> = list
        .data
        .into_iter()
        .map(|item| Offered {
            context_tokens: item.max_model_len.or(item.meta.and_then(|meta| meta.n_ctx)),
            name: item.id,
        })
        .collect();
    (!models.is_empty()).then_some(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_models_are_read() {
        let names = |text: &str| offered(text.as_bytes());
        let vllm = names(r#"{"object":"list","data":[{"id":"a","max_model_len":4096}]}"#).unwrap();
        assert_eq!(vllm[0].context_tokens, Some(4096));
        let llama = names(r#"{"data":[{"id":"a","meta":{"n_ctx":2048,"n_vocab":1}}]}"#).unwrap();
        assert_eq!(llama[0].context_tokens, Some(2048));
        assert_eq!(names(r#"{"data":[]}"#), None);
        assert_eq!(names("<html>"), None);
    }

    #[test]
    fn a_model_is_taken_by_name_or_the_first() {
        let offer = |name: &str| Offered {
            name: name.into(),
            context_tokens: None,
        };
        let server = Server {
            name: "Ollama",
            base_url: "http://127.0.0.1:11434/v1".into(),
            models: vec![offer("a"), offer("b")],
        };
        assert_eq!(server.model(None).unwrap().name, "a");
        assert_eq!(server.model(Some("b")).unwrap().max_output_tokens, 2_048);
        assert!(server.model(Some("c")).is_none());
    }
}
