//! Writing a bundle, piece by piece.

use alloc::{format, vec::Vec};

use super::{BundleError, ContentKey, Listed, Lock, Manifest, Place, Reason};

/// Writes the parts of a manifest in its order.
#[derive(Debug)]
pub struct Writer<'a> {
    manifest: &'a Manifest,
    key: Option<ContentKey>,
    written: usize,
}

impl<'a> Writer<'a> {
    /// An open bundle; what comes before its parts.
    pub fn open(manifest: &'a Manifest) -> Result<(Self, Vec<u8>), BundleError> {
        if !manifest.draft().sealed_for.is_empty() {
            return Err(BundleError::manifest(Reason::Readdressed));
        }
        let writer = Self {
            manifest,
            key: None,
            written: 0,
        };
        Ok((writer, manifest.to_line()?))
    }

    /// A bundle that `lock` seals, whose content has `key`; what comes before its parts.
    pub fn sealed(
        manifest: &'a Manifest,
        lock: &Lock,
        key: ContentKey,
    ) -> Result<(Self, Vec<u8>), BundleError> {
        if lock.key_refs() != manifest.draft().sealed_for {
            return Err(BundleError::manifest(Reason::Readdressed));
        }
        let mut line = manifest.to_line()?;
        line.pop();
        let sealed = key.seal(0, &Place::Manifest, &line)?;
        let mut begins = lock.to_line();
        begins.extend_from_slice(&heading(0, sealed.len() as u64));
        begins.extend_from_slice(&sealed);
        let writer = Self {
            manifest,
            key: Some(key),
            written: 0,
        };
        Ok((writer, begins))
    }

    /// The next part, which has to be the one that the manifest lists next.
    pub fn part(&mut self, content: &[u8]) -> Result<Vec<u8>, BundleError> {
        let Some(listed) = self.manifest.parts().get(self.written) else {
            return Err(BundleError {
                place: Place::End,
                reason: Reason::Trailing,
            });
        };
        if Listed::of(listed.name.clone(), content) != *listed {
            return Err(BundleError::part(&listed.name, Reason::Hash));
        }
        self.written += 1;
        let number = self.written as u64;
        let place = Place::Part(listed.name.clone());
        let sealed = match &self.key {
            Some(key) => Some(key.seal(number, &place, content)?),
            None => None,
        };
        let content = sealed.as_deref().unwrap_or(content);
        let mut part = heading(number, content.len() as u64);
        part.extend_from_slice(content);
        Ok(part)
    }
}

/// What stands before a part.
pub(super) fn heading(number: u64, bytes: u64) -> Vec<u8> {
    format!("part {number} {bytes}\n").into_bytes()
}
