//! Why a bundle is not taken, and which part of it is to blame.

use alloc::string::String;
use core::fmt;
use tau_kamn::{jcs, kel, seal::SealError};
use thiserror::Error;

use super::{PARTS_LIMIT, PartName, VERSION};

/// Where in a bundle something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the line that says who can open it.
    Lock,
    /// In what lists the parts.
    Manifest,
    /// In this part.
    Part(PartName),
    /// Behind the last part.
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock => f.write_str("the lock"),
            Self::Manifest => f.write_str("the manifest"),
            Self::Part(name) => write!(f, "part {name}"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// Why a bundle is not taken. Nothing of it is to be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {reason}")]
pub struct BundleError {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// It is something else.
    #[error("this is no bundle")]
    NotABundle,
    /// A later version of Tau wrote it.
    #[error("it has format {found}, this Tau reads up to {VERSION}")]
    Version {
        /// Its version.
        found: u64,
    },
    /// JSON that cannot be read, or that lacks or has what it must not.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// JSON that says the same in other bytes.
    #[error("it is not written as it was signed")]
    NotCanonical,
    /// A member that makes no sense.
    #[error("{member} {why}")]
    Member {
        /// Which.
        member: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No name of a part.
    #[error("{name:?} is no name of a part: a kind, a slash, and 1 to 96 letters, digits, - and _")]
    Name {
        /// The beginning of it.
        name: String,
    },
    /// Two parts of one name, or of names that a file system could take for one.
    #[error("it is there twice")]
    Twice,
    /// More parts than are read.
    #[error("it lists {found} parts, at most {PARTS_LIMIT} are read")]
    Parts {
        /// How many.
        found: usize,
    },
    /// More than a home can take.
    #[error("it has {bytes} bytes, this home takes {limit}")]
    TooLarge {
        /// How many, by what it says of itself.
        bytes: u64,
        /// How many are taken.
        limit: u64,
    },
    /// The author's key log.
    #[error("the key log of its author: {0}")]
    Log(#[from] kel::Error),
    /// It is not signed by that key.
    #[error("the signature is not one of its author over it")]
    Signature,
    /// It says that it was made later than now.
    #[error("it says that it was made {ahead_ms} ms after now: a clock is wrong")]
    Future {
        /// By how much.
        ahead_ms: u64,
    },
    /// It was sealed for others than its manifest says, or is open though it was sealed.
    #[error("it was not sealed so by its author")]
    Readdressed,
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// It ends too early.
    #[error("the file ends in it")]
    Cut,
    /// What stands before a part is not what the manifest says.
    #[error("it does not begin as the manifest says")]
    Heading,
    /// Its bytes are others.
    #[error("its bytes are not those that were signed")]
    Hash,
    /// Something that does not belong.
    #[error("something follows the last part")]
    Trailing,
    /// It was to be opened and is not sealed, or was read on without being opened.
    #[error("{0}")]
    Order(&'static str),
}

impl BundleError {
    pub(super) fn manifest(reason: impl Into<Reason>) -> Self {
        Self {
            place: Place::Manifest,
            reason: reason.into(),
        }
    }

    pub(super) fn lock(reason: impl Into<Reason>) -> Self {
        Self {
            place: Place::Lock,
            reason: reason.into(),
        }
    }

    pub(super) fn part(name: &PartName, reason: impl Into<Reason>) -> Self {
        Self {
            place: Place::Part(name.clone()),
            reason: reason.into(),
        }
    }

    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match &self.reason {
            Reason::NotABundle => "bundle_unknown",
            Reason::Version { .. } => "bundle_version_unsupported",
            Reason::Json(error) => error.reason_code(),
            Reason::NotCanonical => "bundle_not_canonical",
            Reason::Member { .. } => "bundle_member_invalid",
            Reason::Name { .. } => "bundle_part_name_invalid",
            Reason::Twice => "bundle_part_duplicate",
            Reason::Parts { .. } => "bundle_parts_too_many",
            Reason::TooLarge { .. } => "bundle_too_large",
            Reason::Log(error) => error.reason_code(),
            Reason::Signature => "signature_invalid",
            Reason::Future { .. } => "bundle_from_future",
            Reason::Readdressed => "bundle_readdressed",
            Reason::Sealed(error) => error.reason_code(),
            Reason::Cut => "bundle_truncated",
            Reason::Heading => "bundle_heading_invalid",
            Reason::Hash => "bundle_part_altered",
            Reason::Trailing => "bundle_trailing",
            Reason::Order(_) => "bundle_locked",
        }
    }
}
