//! What the profile says of memory: `memory = false`, or a table with more to set.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;
use tau_core::{
    memory::EmbeddingModel,
    wire::embeddings::{EmbeddingEndpoint, space_of},
};

use super::{check_key, lookup, lookup::Env, providers};
use crate::exit::Error;

/// Estimated tokens recalled at the beginning of a turn where nothing else is set.
const RECALL_TOKENS: u32 = 300;

/// What the profile says of memory; `memory = false` is short for `enabled`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Memory {
    /// Whether the agent is offered its memory tools.
    pub(crate) enabled: bool,
    /// Estimated tokens of what is recalled at the beginning of a turn; 0 recalls nothing.
    pub(crate) recall_tokens: u32,
    /// What makes the vectors.
    pub(crate) embeddings: Embeddings,
}

impl Default for Memory {
    fn default() -> Self {
        Fields::default().into()
    }
}

/// What makes the vectors that memory is searched by, beside words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Embeddings {
    /// The model in this program: `"local"`.
    #[default]
    Local,
    /// Nothing; memory is searched by words alone: `"off"`.
    Off,
    /// A server that speaks like OpenAI: the table `[memory.embeddings]`.
    Endpoint(EmbeddingProvider),
}

/// A model for embeddings and where it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EmbeddingProvider {
    /// Up to and including the version.
    pub(crate) base_url: String,
    /// As the server calls it.
    pub(crate) model: String,
    /// The environment variable with the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_env: Option<String>,
    /// The stored credential with the key, `secret:NAME`, in the place of a variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// Numbers of a vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dimensions: Option<u32>,
}

/// The most numbers of a vector that any model makes, with room.
const DIMENSIONS: u32 = 8_192;

/// Numbers of a vector of models that people name most, without what follows a colon (`:latest`).
const LENGTHS: [(&str, u32); 14] = [
    ("text-embedding-3-small", 1_536),
    ("text-embedding-3-large", 3_072),
    ("text-embedding-ada-002", 1_536),
    ("nomic-embed-text", 768),
    ("mxbai-embed-large", 1_024),
    ("snowflake-arctic-embed", 1_024),
    ("snowflake-arctic-embed2", 1_024),
    ("all-minilm", 384),
    ("bge-m3", 1_024),
    ("bge-large", 1_024),
    ("BAAI/bge-m3", 1_024),
    ("BAAI/bge-small-en-v1.5", 384),
    ("BAAI/bge-base-en-v1.5", 768),
    ("BAAI/bge-large-en-v1.5", 1_024),
];

impl EmbeddingProvider {
    /// What the types do not say.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let bad = |what: &str, why: &str| Error::config(format!("memory.embeddings.{what}: {why}"));
        let url = &self.base_url;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(bad("base_url", "begins with http:// or https://"));
        }
        if self.model.trim().is_empty() {
            return Err(bad("model", "is needed with base_url"));
        }
        check_key(&self.key, self.key_env.is_some(), "memory.embeddings")?;
        lookup::check_url(&self.base_url, &self.model).map_err(|error| Error {
            hint: error.hint.clone(),
            ..bad("base_url", &error.message)
        })?;
        match self.dimensions.or(self.known_dimensions()) {
            Some(1..=DIMENSIONS) => Ok(()),
            Some(_) => Err(bad("dimensions", &format!("between 1 and {DIMENSIONS}"))),
            None => Err(bad(
                "dimensions",
                &format!("is needed with {:?}: how many numbers its vectors have", self.model),
            )
            .hint(
                "`tau model embed NAME --base-url URL` asks the server and writes it into the profile",
            )),
        }
    }

    fn known_dimensions(&self) -> Option<u32> {
        let name = self.model.split(':').next().unwrap_or_default();
        let known = LENGTHS.iter().find(|(known, _)| *known == name);
        known.map(|(_, length)| *length)
    }

    /// The space of its vectors.
    pub(crate) fn space(&self) -> EmbeddingModel {
        space_of(&self.base_url, &self.model, self.length())
    }

    fn length(&self) -> u32 {
        let known = self.dimensions.or(self.known_dimensions());
        known.unwrap_or_default()
    }

    /// The endpoint, whose key is looked for in the environment by name. Fails if it is not there.
    pub(crate) fn endpoint(&self, env: Env<'_>) -> Result<EmbeddingEndpoint, Error> {
        let base_url = self.base_url.trim_end_matches('/');
        let secret = match (&self.key, &self.key_env) {
            (Some(stored), _) => Some(stored.clone()),
            (None, Some(name)) => Some(lookup::needed(env, name)?),
            // The key of a provider that is known goes to that provider alone.
            (None, None) => match providers::known(None, Some(base_url)) {
                Some(known) => Some(lookup::needed(env, known.key_env)?),
                None => None,
            },
        };
        let dimensions = self.length();
        let known = self.known_dimensions();
        Ok(EmbeddingEndpoint {
            base_url: base_url.into(),
            model: self.model.clone(),
            secret,
            dimensions,
            is_shortened: known.is_some_and(|known| known != dimensions),
        })
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    enabled: bool,
    recall_tokens: u32,
    embeddings: Embeddings,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            enabled: true,
            recall_tokens: RECALL_TOKENS,
            embeddings: Embeddings::default(),
        }
    }
}

impl From<Fields> for Memory {
    fn from(fields: Fields) -> Self {
        let Fields {
            enabled,
            recall_tokens,
            embeddings,
        } = fields;
        Self {
            enabled,
            recall_tokens,
            embeddings,
        }
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Memory;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a table")
            }

            fn visit_bool<E: de::Error>(self, enabled: bool) -> Result<Memory, E> {
                Ok(Memory {
                    enabled,
                    ..Memory::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Memory, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Embeddings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Local => serializer.serialize_str("local"),
            Self::Off => serializer.serialize_str("off"),
            Self::Endpoint(provider) => provider.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Embeddings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Embeddings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"local\", \"off\" or a table with base_url and model")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Embeddings, E> {
                match text {
                    "local" => Ok(Embeddings::Local),
                    "off" => Ok(Embeddings::Off),
                    other => Err(E::unknown_variant(other, &["local", "off"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Embeddings, A::Error> {
                let provider = EmbeddingProvider::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Embeddings::Endpoint(provider))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Profile, parse};
    use super::*;

    fn table(text: &str) -> Memory {
        parse(text, "p").unwrap().memory
    }

    fn why(text: &str) -> String {
        parse(text, "p").unwrap_err().message
    }

    fn endpoint(text: &str, env: &[(&str, &str)]) -> Result<EmbeddingEndpoint, String> {
        let Embeddings::Endpoint(provider) = table(text).embeddings else {
            panic!("no endpoint in {text}");
        };
        let env = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        provider.endpoint(&env).map_err(|error| error.message)
    }

    const SERVER: &str = "[memory.embeddings]\nbase_url = \"http://h/v1/\"\nmodel = ";

    #[test]
    fn memory_is_a_switch_or_a_table() {
        assert_eq!(table(""), Memory::default());
        assert!(table("memory = true").enabled);
        assert!(!table("memory = false").enabled);
        assert!(!table("[memory]\nenabled = false").enabled);
        let off = table("[memory]\nembeddings = \"off\"");
        assert_eq!((off.enabled, off.embeddings), (true, Embeddings::Off));
        assert_eq!(table("[memory]\nembeddings = \"local\""), Memory::default());
    }

    #[test]
    fn what_is_set_is_written_back() {
        for text in [
            "memory = false".to_owned(),
            "memory.embeddings = \"off\"".into(),
            format!("{SERVER}\"all-minilm:latest\"\nkey = \"secret:embed\""),
        ] {
            let profile = parse(&text, "p").unwrap();
            let written = toml::to_string(&profile).unwrap();
            assert_eq!(parse(&written, "written"), Ok(profile), "{written}");
        }
    }

    #[test]
    fn the_key_goes_where_the_profile_says() {
        let keys = &[
            ("OPENAI_API_KEY", "k"),
            ("OTHER", "o"),
            ("TAU_API_KEY", "t"),
        ];
        let local = endpoint(&format!("{SERVER}\"nomic-embed-text:latest\""), keys).unwrap();
        assert_eq!((local.secret, local.dimensions), (None, 768));
        assert_eq!(
            (local.base_url.as_str(), local.is_shortened),
            ("http://h/v1", false)
        );

        let text = format!("{SERVER}\"mine\"\ndimensions = 10\nkey_env = \"OTHER\"");
        let named = endpoint(&text, keys).unwrap();
        assert_eq!(
            (named.secret.as_deref(), named.dimensions),
            (Some("OTHER"), 10)
        );
        assert!(!named.is_shortened);
        assert!(endpoint(&text, &[]).unwrap_err().contains("no OTHER"));

        let openai = "[memory.embeddings]\nbase_url = \"https://api.openai.com/v1\"\nmodel = \"text-embedding-3-small\"\ndimensions = 256";
        let known = endpoint(openai, keys).unwrap();
        assert_eq!(known.secret.as_deref(), Some("OPENAI_API_KEY"));
        assert_eq!((known.dimensions, known.is_shortened), (256, true));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_line() {
        for (text, told) in [
            ("memory = 3", "true, false or a table"),
            ("[memory]\nembedings = \"off\"", "unknown field `embedings`"),
            (
                "[memory]\nembeddings = \"remote\"",
                "unknown variant `remote`",
            ),
            ("[memory]\nembeddings = 3", "\"local\", \"off\" or a table"),
            (
                "[memory.embeddings]\nmodel = \"m\"",
                "embeddings.base_url: begins with",
            ),
            (
                "[memory.embeddings]\nbase_url = \"http://h\"",
                "embeddings.model: is needed",
            ),
            (
                "[memory.embeddings]\nbase_url = \"http://u:p@h\"\nmodel = \"bge-m3\"",
                "has a user",
            ),
        ] {
            let why = why(text);
            assert!(
                why.contains(told) && why.starts_with("p line "),
                "{text}: {why}"
            );
        }
        for (rest, told) in [
            ("\"mine\"", "embeddings.dimensions: is needed with \"mine\""),
            ("\"mine\"\ndimensions = 0", "between 1 and 8192"),
            (
                "\"bge-m3\"\nkey = \"sk-1\"",
                "embeddings.key: is not secret:NAME",
            ),
            (
                "\"bge-m3\"\nkey = \"secret:a\"\nkey_env = \"B\"",
                "not beside it",
            ),
        ] {
            let why = why(&format!("{SERVER}{rest}"));
            assert!(why.contains(told), "{rest}: {why}");
        }
        assert_eq!(Profile::default().memory.embeddings, Embeddings::Local);
    }
}
