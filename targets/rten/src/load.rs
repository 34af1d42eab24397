//! Loading from bytes that arrive in pieces: what a home without files does.
//!
//! A [`Manifest`] stands beside the converted files and names them. Invariant: no byte reaches the engine before its
//! file was compared, whole, with the hash the manifest gives.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::agent::Agent;
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::text::TextModel;
use crate::threads::Threads;

/// What a manifest is called, in the folder of its files.
pub const MANIFEST: &str = "manifest.json";
/// The version of the manifest's format.
const VERSION: u32 = 1;
/// Most bytes of one file: what a page's memory has room for beside the rest.
const FILE_LIMIT_BYTES: u64 = 1 << 30;

/// The files of the embedded model, as they lie in a folder or on a static server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version.
    pub v: u32,
    /// In the order in which they are best loaded; each [`Role`] once. The text model's may be missing.
    pub files: Vec<FileEntry>,
}

/// One file of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// What it is.
    pub role: Role,
    /// Its name in the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
}

/// What a file is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The text model's tokenizer.
    TextTokenizer,
    /// The text model's graph.
    Text,
    /// The embedder's tokenizer.
    EmbedderTokenizer,
    /// The embedder's graph.
    Embedder,
}

impl Role {
    /// A model's tokenizer before its graph, and the larger model first: what reading it left free then holds the other.
    pub(crate) const ORDER: [Self; 4] = [
        Self::TextTokenizer,
        Self::Text,
        Self::EmbedderTokenizer,
        Self::Embedder,
    ];
    /// What the embedder alone needs.
    pub(crate) const EMBEDDER: [Self; 2] = [Self::EmbedderTokenizer, Self::Embedder];
}

impl Manifest {
    /// A manifest of these files.
    pub fn new(files: Vec<FileEntry>) -> Self {
        Self { v: VERSION, files }
    }

    /// Reads a manifest. Fails with [`Error::Malformed`].
    pub fn read(json: &[u8]) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(json).map_err(malformed)?;
        if manifest.v != VERSION {
            let found = manifest.v;
            return Err(malformed(format!(
                "it is of version {found}, this is {VERSION}"
            )));
        }
        let roles: Vec<Role> = manifest.files.iter().map(|file| file.role).collect();
        if roles != Role::ORDER && roles != Role::EMBEDDER {
            return Err(malformed(format!(
                "it lists {roles:?}, not {:?} or {:?}",
                Role::ORDER,
                Role::EMBEDDER
            )));
        }
        for file in &manifest.files {
            let name = &file.name;
            let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':']) {
                return Err(malformed(format!("{name:?} is not the name of a file")));
            }
            if file.sha256.len() != 64 || !file.sha256.bytes().all(hex) {
                return Err(malformed(format!("{name} has no SHA-256")));
            }
            if file.bytes == 0 || file.bytes > FILE_LIMIT_BYTES {
                let bytes = file.bytes;
                return Err(malformed(format!("{name} has {bytes} bytes")));
            }
        }
        Ok(manifest)
    }

    /// The embedder's files alone.
    #[must_use]
    pub fn embedder(mut self) -> Self {
        self.files
            .retain(|file| Role::EMBEDDER.contains(&file.role));
        self
    }
}

fn malformed(detail: impl std::fmt::Display) -> Error {
    Error::Malformed {
        format: "manifest",
        detail: detail.to_string(),
    }
}

/// A model while its files arrive, in the manifest's order: for each file [`Self::begin`], [`Self::write`] as often as
/// pieces come, [`Self::end`]; then [`Self::finish`].
///
/// A file that failed can be begun again.
pub struct Loading {
    files: Vec<FileEntry>,
    threads: Threads,
    current: Option<Current>,
    done: usize,
    /// The tokenizer whose graph comes next.
    tokenizer: Vec<u8>,
    text: Option<TextModel>,
    embedder: Option<Embedder>,
}

struct Current {
    content: Vec<u8>,
    hash: Sha256,
}

impl Loading {
    /// A model of these files, to run on these threads.
    pub fn new(manifest: Manifest, threads: Threads) -> Self {
        Self {
            files: manifest.files,
            threads,
            current: None,
            done: 0,
            tokenizer: Vec::new(),
            text: None,
            embedder: None,
        }
    }

    /// The file whose turn it is; `None` when all are there.
    pub fn expected(&self) -> Option<&FileEntry> {
        self.files.get(self.done)
    }

    /// Begins the file whose turn it is, from its beginning. Fails with [`Error::Memory`].
    pub fn begin(&mut self) -> Result<()> {
        self.current = None;
        let file = self.expected().ok_or_else(out_of_turn)?;
        let mut content = Vec::new();
        let room = usize::try_from(file.bytes)
            .ok()
            .and_then(|bytes| content.try_reserve_exact(bytes).ok());
        if room.is_none() {
            return Err(Error::Memory {
                file: file.name.clone(),
                bytes: file.bytes,
            });
        }
        self.current = Some(Current {
            content,
            hash: Sha256::new(),
        });
        Ok(())
    }

    /// Takes the next piece. Fails with [`Error::Malformed`] if there are more than the manifest says.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        let (Some(current), Some(file)) = (&mut self.current, self.files.get(self.done)) else {
            return Err(out_of_turn());
        };
        if (current.content.len() + piece.len()) as u64 > file.bytes {
            self.current = None;
            return Err(self.wrong_size("more"));
        }
        current.hash.update(piece);
        current.content.extend_from_slice(piece);
        Ok(())
    }

    /// Ends the file: compares it, and loads it when the model it belongs to is whole.
    ///
    /// Fails with [`Error::Checksum`] or [`Error::Malformed`] if it is not the manifest's, and with [`Error::Engine`] if
    /// it is no model.
    pub fn end(&mut self) -> Result<()> {
        let (Some(Current { content, hash }), Some(file)) =
            (self.current.take(), self.files.get(self.done))
        else {
            return Err(out_of_turn());
        };
        if content.len() as u64 != file.bytes {
            return Err(self.wrong_size("fewer"));
        }
        let found: String = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found != file.sha256 {
            return Err(Error::Checksum {
                file: file.name.clone(),
                origin: "the manifest's folder".into(),
                found,
                expected: file.sha256.clone(),
            });
        }
        let threads = self.threads.clone();
        match file.role {
            Role::TextTokenizer | Role::EmbedderTokenizer => self.tokenizer = content,
            Role::Text => {
                self.text = Some(TextModel::from_bytes(content, &self.tokenizer, threads)?)
            }
            Role::Embedder => {
                self.embedder = Some(Embedder::from_bytes(content, &self.tokenizer, threads)?);
            }
        }
        self.done += 1;
        Ok(())
    }

    /// The embedder alone, once [`Self::expected`] is `None`.
    pub fn finish_embedder(self) -> Result<Embedder> {
        self.embedder.ok_or_else(out_of_turn)
    }

    /// The model, once [`Self::expected`] is `None`. Fails if the manifest was of the embedder alone.
    pub fn finish(self) -> Result<Agent> {
        match (self.text, self.embedder) {
            (Some(text), Some(embedder)) => Ok(Agent::new(text, embedder)),
            (None, Some(_)) => Err(malformed("the text model is not in its folder")),
            _ => Err(out_of_turn()),
        }
    }

    fn wrong_size(&self, than: &str) -> Error {
        let (name, bytes) = self
            .expected()
            .map_or(("", 0), |file| (file.name.as_str(), file.bytes));
        malformed(format!("{name} has {than} than its {bytes} bytes"))
    }
}

fn out_of_turn() -> Error {
    malformed("its files did not come in its order")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |role, name: &str| FileEntry {
            role,
            name: name.into(),
            bytes: 3,
            // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        };
        Manifest::new(
            Role::ORDER
                .map(|role| file(role, &format!("{role:?}.bin")))
                .into(),
        )
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let json = serde_json::to_vec(&manifest()).unwrap();
        assert_eq!(Manifest::read(&json).unwrap(), manifest());
    }

    #[test]
    fn a_manifest_may_be_of_the_embedder_alone() {
        let alone = manifest().embedder();
        assert_eq!(alone.files.len(), 2);
        let json = serde_json::to_vec(&alone).unwrap();
        assert_eq!(Manifest::read(&json).unwrap(), alone);
        let loading = Loading::new(alone, Threads::exactly(1));
        assert_eq!(
            loading.expected().map(|file| file.role),
            Some(Role::EmbedderTokenizer)
        );
        assert!(loading.finish_embedder().is_err());
    }

    #[test]
    fn a_manifest_that_lies_is_refused() {
        let check = |told: &str, change: fn(&mut Manifest)| {
            let mut wrong = manifest();
            change(&mut wrong);
            let json = serde_json::to_vec(&wrong).unwrap();
            let error = Manifest::read(&json).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        };
        check("version 2", |m| m.v = 2);
        check("lists", |m| drop(m.files.pop()));
        check("lists", |m| m.files.swap(0, 1));
        check("name of a file", |m| m.files[1].name = "../secret".into());
        check("no SHA-256", |m| m.files[2].sha256.make_ascii_uppercase());
        check("bytes", |m| m.files[3].bytes = u64::MAX);
    }

    #[test]
    fn only_the_bytes_of_the_manifest_are_taken() {
        let mut loading = Loading::new(manifest(), Threads::exactly(1));
        assert!(loading.write(b"a").is_err());
        loading.begin().unwrap();
        let error = loading.write(b"abcd").unwrap_err();
        assert!(error.to_string().contains("more than its 3 bytes"));
        loading.begin().unwrap();
        loading.write(b"ab").unwrap();
        let error = loading.end().unwrap_err();
        assert!(error.to_string().contains("fewer than its 3 bytes"));
        loading.begin().unwrap();
        loading.write(b"abd").unwrap();
        assert!(matches!(loading.end(), Err(Error::Checksum { .. })));

        // The right ones, in two pieces, on the next try.
        loading.begin().unwrap();
        loading.write(b"a").unwrap();
        loading.write(b"bc").unwrap();
        loading.end().unwrap();
        assert_eq!(loading.expected().map(|file| file.role), Some(Role::Text));
        loading.begin().unwrap();
        loading.write(b"abc").unwrap();
        let error = loading.end().unwrap_err();
        assert!(
            !matches!(error, Error::Checksum { .. }),
            "it is no model: {error}"
        );
        assert!(loading.finish().is_err());
    }
}
