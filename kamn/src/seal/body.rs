//! A sealed message as the body of an envelope.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{RECIPIENT_LIMIT, SealError, Sealed, check_ref};
use crate::{crypto::TAG_BYTES, key::AgreementKey};

const EPHEMERAL: &str = "epk";
const CIPHERTEXT: &str = "ciphertext";
const SENDER_REF: &str = "sender_key_ref";
const WRAP: &str = "wrap.";
/// A wrapped content key: 32 bytes and a tag.
const WRAP_BYTES: usize = 32 + TAG_BYTES;

/// The sealed body of an envelope: entries `epk`, `ciphertext`, `sender_key_ref`, and one
/// `wrap.<key reference>` a recipient where there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBody {
    /// The sender's static key.
    pub sender_ref: String,
    /// Ephemeral key and ciphertext of the content.
    pub sealed: Sealed,
    /// The content's key, sealed, by reference of a recipient; empty where there is one recipient.
    pub wraps: BTreeMap<String, Vec<u8>>,
}

impl SealedBody {
    /// The entries of the body.
    #[must_use]
    pub fn to_entries(&self) -> BTreeMap<String, String> {
        let mut entries = BTreeMap::from([
            (EPHEMERAL.into(), self.sealed.ephemeral.to_multikey()),
            (
                CIPHERTEXT.into(),
                URL_SAFE_NO_PAD.encode(&self.sealed.ciphertext),
            ),
            (SENDER_REF.into(), self.sender_ref.clone()),
        ]);
        for (key_ref, wrap) in &self.wraps {
            entries.insert(format!("{WRAP}{key_ref}"), URL_SAFE_NO_PAD.encode(wrap));
        }
        entries
    }

    /// Reads the entries of a body, and refuses any that is none of a sealed one.
    pub fn from_entries(entries: &BTreeMap<String, String>) -> Result<Self, SealError> {
        let refused = |entry: &str, why| SealError::Body {
            entry: entry.into(),
            why,
        };
        let entry = |name| entries.get(name).ok_or_else(|| refused(name, "is missing"));
        let ephemeral = AgreementKey::from_multikey(entry(EPHEMERAL)?)?;
        let ciphertext = bytes(CIPHERTEXT, entry(CIPHERTEXT)?)?;
        if ciphertext.len() <= TAG_BYTES {
            return Err(refused(CIPHERTEXT, "is empty"));
        }
        let sender_ref = entry(SENDER_REF)?.clone();
        check_ref(&sender_ref)?;
        let mut wraps = BTreeMap::new();
        for (name, value) in entries {
            if [EPHEMERAL, CIPHERTEXT, SENDER_REF].contains(&name.as_str()) {
                continue;
            }
            let key_ref = name
                .strip_prefix(WRAP)
                .ok_or_else(|| refused(name, "is none of a sealed body"))?;
            check_ref(key_ref)?;
            let wrap = bytes(name, value)?;
            if wrap.len() != WRAP_BYTES {
                return Err(refused(name, "is no sealed content key"));
            }
            wraps.insert(key_ref.into(), wrap);
        }
        if wraps.len() > RECIPIENT_LIMIT {
            return Err(SealError::Recipients { found: wraps.len() });
        }
        Ok(Self {
            sender_ref,
            sealed: Sealed {
                ephemeral,
                ciphertext,
            },
            wraps,
        })
    }
}

fn bytes(entry: &str, text: &str) -> Result<Vec<u8>, SealError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Body {
        entry: entry.into(),
        why: "is not base64url without padding",
    })
}
