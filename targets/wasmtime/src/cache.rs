//! Compiled modules on disk, and why they may be loaded.
//!
//! Loading compiled code runs it: whoever can put a file there runs code as this user. So nothing in
//! the folder is believed for being there. Each file carries a MAC, over its name and its content,
//! with a key that is kept elsewhere in a file only this user can read; and both the folder and the
//! key file must belong to this user and be writable by nobody else, or the cache is not used.
//! What can merely write into the folder (a synchronised home, a restored backup, a program that was
//! given it) can therefore cost a compilation, and nothing more. Whoever can read the key is this user.
//!
//! A file is named by the module's content and the engine's version and settings: code of another
//! engine is never even opened. It is written beside its place and renamed, so it is there whole.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    hash::Hasher,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use wasmtime::{Engine, Module};

/// The bytes of a key and of a MAC.
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// The largest file that is read. A module that compiles to more is compiled each time.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Compiled modules in a folder.
pub struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
}

/// Why a folder cannot hold compiled code.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be made or read.
    #[error("{path}: {source}")]
    Io {
        /// The folder or the key file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Somebody else could have put things there.
    #[error("{path}: {why}")]
    Exposed {
        /// The folder or the key file.
        path: PathBuf,
        /// In which way.
        why: &'static str,
    },
}

impl Cache {
    /// The cache in `folder`, which is made if it is not there, with the key in `key_file`, likewise.
    ///
    /// `key_file` must not lie in `folder`.
    pub fn open(folder: &Path, key_file: &Path) -> Result<Self, Unusable> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| Unusable::Io { path, source }
        };
        if key_file.starts_with(folder) {
            return Err(Unusable::Exposed {
                path: key_file.to_owned(),
                why: "the key lies in the folder it is to protect",
            });
        }
        make_folder(folder).map_err(at(folder))?;
        let metadata = fs::symlink_metadata(folder).map_err(at(folder))?;
        if !metadata.is_dir() {
            return Err(Unusable::Exposed {
                path: folder.to_owned(),
                why: "not a folder",
            });
        }
        owned(folder, &metadata, 0o022)?;
        let key = match read_key(key_file) {
            Err(Unusable::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                make_key(key_file).map_err(at(key_file))?;
                // Another process may have been first: what is there counts.
                read_key(key_file)?
            }
            other => other?,
        };
        Ok(Self {
            folder: folder.to_owned(),
            key,
        })
    }

    /// The module under `key`, if it is there and was put there by [`Self::store`].
    pub(crate) fn load(&self, engine: &Engine, key: &str) -> Option<Module> {
        let mut file = fs::File::open(self.folder.join(key)).ok()?;
        let length = file.metadata().ok()?.len();
        if length > MAX_FILE_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        let (mac, code) = bytes.split_first_chunk::<MAC_BYTES>()?;
        self.mac(key, code)?.verify_slice(mac).ok()?;
        load_checked(engine, code)
    }

    /// Keeps the compiled `code` under `key`.
    pub(crate) fn store(&self, key: &str, code: &[u8]) -> io::Result<()> {
        let mac = self.mac(key, code).ok_or(io::ErrorKind::InvalidInput)?;
        let mut file = tempfile::Builder::new()
            .prefix(".writing-")
            .tempfile_in(&self.folder)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(code)?;
        file.persist(self.folder.join(key))?;
        Ok(())
    }

    /// The name is part of what is signed: a file under another name is not that module.
    fn mac(&self, key: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(key.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        Some(mac)
    }
}

#[expect(
    unsafe_code,
    reason = "compiled code runs as it is; its MAC says that this user's Tau compiled it"
)]
fn load_checked(engine: &Engine, code: &[u8]) -> Option<Module> {
    // SAFETY: `code` is what `Module::serialize` returned: `Cache::load` has checked, in memory, the
    // MAC over just these bytes, and only this user's Tau has its key. wasmtime itself refuses what
    // another version or configuration of it made.
    unsafe { Module::deserialize(engine, code) }.ok()
}

/// The name of a module's file, of an engine's version and the module's content.
pub(crate) fn key(version: &[u8; 32], wasm: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(version);
    digest.update(Sha256::digest(wasm));
    let mut name = String::with_capacity(70);
    for byte in digest.finalize() {
        name.push_str(&format!("{byte:02x}"));
    }
    name.push_str(".cwasm");
    name
}

/// Hashes what can be hashed into 32 bytes that mean the same in every process.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let bytes = self.0.clone().finalize();
        bytes
            .iter()
            .take(8)
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    }
}

fn read_key(file: &Path) -> Result<[u8; KEY_BYTES], Unusable> {
    let at = |source| Unusable::Io {
        path: file.to_owned(),
        source,
    };
    let metadata = fs::symlink_metadata(file).map_err(at)?;
    if !metadata.is_file() {
        return Err(Unusable::Exposed {
            path: file.to_owned(),
            why: "not a regular file",
        });
    }
    owned(file, &metadata, 0o077)?;
    let bytes = fs::read(file).map_err(at)?;
    bytes.try_into().map_err(|_| Unusable::Exposed {
        path: file.to_owned(),
        why: "not a key: remove it, and another one is made",
    })
}

fn make_key(file: &Path) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folder(folder)?;
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
    // Made for its owner alone, whole before it has its name.
    let mut made = tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(folder)?;
    made.write_all(&key)?;
    match made.persist_noclobber(file) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// That nobody but this user has any of the permissions `forbidden`.
#[cfg(unix)]
fn owned(path: &Path, metadata: &fs::Metadata, forbidden: u32) -> Result<(), Unusable> {
    use std::os::unix::fs::MetadataExt;
    let exposed = |why| {
        Err(Unusable::Exposed {
            path: path.to_owned(),
            why,
        })
    };
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return exposed("belongs to another user");
    }
    if metadata.mode() & forbidden != 0 {
        return exposed("other users have access to it");
    }
    Ok(())
}

/// Elsewhere the MAC stands alone: a user's folders are the user's by the system's own rules.
#[cfg(not(unix))]
fn owned(_: &Path, _: &fs::Metadata, _: u32) -> Result<(), Unusable> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_another_engine_is_never_looked_for() {
        let wasm = b"\0asm";
        assert_eq!(key(&[1; 32], wasm), key(&[1; 32], wasm));
        assert_ne!(key(&[1; 32], wasm), key(&[2; 32], wasm));
        assert_ne!(key(&[1; 32], wasm), key(&[1; 32], b"\0asn"));
    }

    #[test]
    fn what_the_engine_does_not_take_is_as_if_it_were_not_there() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("modules");
        let cache = Cache::open(&folder, &place.path().join("key")).unwrap();
        let engine = Engine::default();
        // Signed by us, and not compiled by this version with these settings.
        let module = Module::new(&engine, b"\0asm\x01\0\0\0").unwrap();
        let code = module.serialize().unwrap();
        cache.store("same", &code).unwrap();
        assert!(cache.load(&engine, "same").is_some());
        let other = Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
        assert!(cache.load(&other, "same").is_none());
        cache.store("garbage", b"\x7fELF and no more").unwrap();
        assert!(cache.load(&engine, "garbage").is_none());
    }
}
