//! Reading a bundle from pieces of any size.
//!
//! Bytes are given with [`Reader::push`] and what they amount to is asked for with [`Reader::next`],
//! until it asks for more. What is kept at any time is one part, and what was pushed behind it.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::mem;
use tau_kamn::{bytes::sha256, jcs, kel::Key, seal::pieces::OVERHEAD_BYTES};

use super::{
    BundleError, ContentKey, LINE_LIMIT_BYTES, Limits, Lock, MAGIC, Manifest, PartName, Place,
    Reason, VERSION, write::heading,
};

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// More bytes are needed; where there are none, [`Reader::finish`].
    More,
    /// It is sealed: [`Reader::unlock`] it.
    Locked(Box<Lock>),
    /// Its manifest, which is verified by its own log.
    Manifest(Box<Manifest>),
    /// A part, whose bytes are those that were signed.
    Part(Part),
    /// That was all of it.
    End,
}

/// A part that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: PartName,
    /// What it holds.
    pub content: Vec<u8>,
}

/// Reads a bundle.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    /// What was pushed and not used; used up to `at`.
    input: Vec<u8>,
    at: usize,
    /// So much of it has no end of the first line.
    scanned: usize,
    state: State,
    lock: Option<Lock>,
    key: Option<ContentKey>,
    manifest: Option<Manifest>,
}

#[derive(Debug)]
enum State {
    /// The first line.
    Line,
    /// The lock was handed out.
    Locked,
    /// What stands before a part: 0 is a sealed manifest.
    Heading(u64),
    /// A part, as far as it was read.
    Body {
        number: u64,
        bytes: u64,
        content: Vec<u8>,
    },
    /// Behind the last part.
    End,
    /// Something was refused.
    Failed,
}

impl Reader {
    /// One that takes so much.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Vec::new(),
            at: 0,
            scanned: 0,
            state: State::Line,
            lock: None,
            key: None,
            manifest: None,
        }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, piece: &[u8]) {
        if self.at > 0 {
            self.input.drain(..self.at);
            self.at = 0;
        }
        self.input.extend_from_slice(piece);
    }

    /// What comes next. After an error there is nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator ends where this asks for more"
    )]
    pub fn next(&mut self) -> Result<Next, BundleError> {
        let next = self.step();
        if next.is_err() {
            self.state = State::Failed;
        }
        next
    }

    /// Opens a sealed bundle.
    pub fn unlock(&mut self, key: ContentKey) -> Result<(), BundleError> {
        match self.state {
            State::Locked => {
                self.key = Some(key);
                self.state = State::Heading(0);
                Ok(())
            }
            _ => Err(BundleError::lock(Reason::Order("it is not sealed"))),
        }
    }

    /// That there are no more bytes. Fails where that cuts something.
    pub fn finish(&mut self) -> Result<(), BundleError> {
        let cut = |place| BundleError {
            place,
            reason: Reason::Cut,
        };
        match &self.state {
            State::End => Ok(()),
            State::Line if !self.left().starts_with(MAGIC.as_bytes()) => {
                Err(BundleError::manifest(Reason::NotABundle))
            }
            State::Line => Err(cut(Place::Manifest)),
            State::Locked | State::Failed => {
                Err(BundleError::lock(Reason::Order("it was not opened")))
            }
            State::Heading(number) | State::Body { number, .. } => Err(cut(self.place(*number))),
        }
    }

    fn step(&mut self) -> Result<Next, BundleError> {
        loop {
            match mem::replace(&mut self.state, State::Failed) {
                State::Line => return self.first_line(),
                State::Locked => {
                    self.state = State::Locked;
                    return Err(BundleError::lock(Reason::Order("it is sealed")));
                }
                State::Heading(number) => {
                    let place = self.place(number);
                    let Some(bytes) = self.heading(number, &place)? else {
                        self.state = State::Heading(number);
                        return Ok(Next::More);
                    };
                    let content = Vec::new();
                    self.state = State::Body {
                        number,
                        bytes,
                        content,
                    };
                }
                State::Body {
                    number,
                    bytes,
                    mut content,
                } => {
                    let missing = bytes - content.len() as u64;
                    let left = self.left();
                    let taken = usize::try_from(missing).map_or(left.len(), |m| m.min(left.len()));
                    content.extend_from_slice(left.get(..taken).unwrap_or_default());
                    self.at += taken;
                    if (content.len() as u64) < bytes {
                        self.state = State::Body {
                            number,
                            bytes,
                            content,
                        };
                        return Ok(Next::More);
                    }
                    return self.whole(number, content);
                }
                State::End => {
                    self.state = State::End;
                    return match self.left().is_empty() {
                        true => Ok(Next::End),
                        false => Err(BundleError {
                            place: Place::End,
                            reason: Reason::Trailing,
                        }),
                    };
                }
                State::Failed => {
                    return Err(BundleError::lock(Reason::Order("it was refused before")));
                }
            }
        }
    }

    fn left(&self) -> &[u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn first_line(&mut self) -> Result<Next, BundleError> {
        let left = self.left();
        let begins = left.get(..MAGIC.len()).unwrap_or(left);
        if !MAGIC.as_bytes().starts_with(begins) {
            return Err(BundleError::manifest(Reason::NotABundle));
        }
        // Looked at once, however small the pieces are.
        let fresh = left.get(self.scanned..).unwrap_or_default();
        let end = fresh.iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.scanned + end) else {
            let (bytes, limit) = (left.len() as u64, LINE_LIMIT_BYTES as u64);
            self.scanned = left.len();
            self.state = State::Line;
            return match bytes > limit {
                true => Err(too_large(&Place::Manifest, bytes, limit)),
                false => Ok(Next::More),
            };
        };
        let line = left.get(..end).unwrap_or_default().to_vec();
        self.at += end + 1;
        let value = jcs::parse(&line, LINE_LIMIT_BYTES).map_err(BundleError::manifest)?;
        // Said before anything else of a later version is looked at.
        let object = value.as_object();
        let version = object.and_then(|object| object.get("agent_bundle"));
        if let Some(jcs::Value::Integer(version)) = version
            && let Some(found) = version.unsigned().filter(|found| *found != VERSION)
        {
            return Err(BundleError::manifest(Reason::Version { found }));
        }
        if Lock::is_one(&value) {
            let lock = Lock::read(&line)?;
            self.lock = Some(lock.clone());
            self.state = State::Locked;
            return Ok(Next::Locked(Box::new(lock)));
        }
        let manifest = Manifest::read(&line)?;
        self.take(manifest)
    }

    /// The manifest, if it is one of this file.
    fn take(&mut self, manifest: Manifest) -> Result<Next, BundleError> {
        let sealed_for = self.lock.as_ref().map(Lock::key_refs).unwrap_or_default();
        if manifest.draft().sealed_for != sealed_for {
            return Err(BundleError::manifest(Reason::Readdressed));
        }
        if let Some(Lock::Recipients(recipients)) = &self.lock {
            // Who sealed it is who signed it.
            let key_ref = &recipients.body.sender_ref;
            let state = manifest.draft().log.unchecked_state();
            let keys = state.keys().iter();
            let of_author = keys.filter(|entry| {
                let did = manifest.did();
                let rest = key_ref.strip_prefix(did.as_str());
                rest.and_then(|rest| rest.strip_prefix('#')) == Some(entry.fragment.as_str())
            });
            let is_author = of_author
                .into_iter()
                .any(|entry| entry.key == Key::Agreement(recipients.sender));
            if !is_author || recipients.did != manifest.did() {
                return Err(BundleError::manifest(Reason::Readdressed));
            }
        }
        let mut all: u64 = 0;
        for part in manifest.parts() {
            let limit = self.limits.part_bytes;
            let place = Place::Part(part.name.clone());
            if part.bytes > limit {
                return Err(too_large(&place, part.bytes, limit));
            }
            all = all.saturating_add(part.bytes);
        }
        if all > self.limits.all_bytes {
            return Err(too_large(&Place::Manifest, all, self.limits.all_bytes));
        }
        self.state = match manifest.parts().is_empty() {
            true => State::End,
            false => State::Heading(1),
        };
        self.manifest = Some(manifest.clone());
        Ok(Next::Manifest(Box::new(manifest)))
    }

    /// The length of the part that begins here, once its heading was read.
    fn heading(&mut self, number: u64, place: &Place) -> Result<Option<u64>, BundleError> {
        let wrong = || BundleError {
            place: place.clone(),
            reason: Reason::Heading,
        };
        let left = self.left();
        if number == 0 {
            // How long a sealed manifest is, only its heading says.
            let longest = heading(0, (LINE_LIMIT_BYTES + OVERHEAD_BYTES) as u64).len();
            let Some(end) = left.iter().take(longest).position(|byte| *byte == b'\n') else {
                return match left.len() < longest {
                    true => Ok(None),
                    false => Err(wrong()),
                };
            };
            let line = left.get(..=end).unwrap_or_default();
            let text = core::str::from_utf8(line).map_err(|_| wrong())?;
            let bytes = text.strip_prefix("part 0 ").map(str::trim_end);
            let bytes: Option<u64> = bytes.and_then(|bytes| bytes.parse().ok());
            let bytes = bytes
                .filter(|bytes| heading(0, *bytes) == line)
                .ok_or_else(wrong)?;
            if bytes > (LINE_LIMIT_BYTES + OVERHEAD_BYTES) as u64 {
                return Err(too_large(place, bytes, LINE_LIMIT_BYTES as u64));
            }
            self.at += end + 1;
            return Ok(Some(bytes));
        }
        let Some(listed) = self.listed(number) else {
            return Err(wrong());
        };
        let overhead = if self.key.is_some() {
            OVERHEAD_BYTES
        } else {
            0
        };
        let bytes = listed.bytes + overhead as u64;
        let expected = heading(number, bytes);
        let begins = left.get(..expected.len()).unwrap_or(left);
        if !expected.starts_with(begins) {
            return Err(wrong());
        }
        if begins.len() < expected.len() {
            return Ok(None);
        }
        self.at += expected.len();
        Ok(Some(bytes))
    }

    fn listed(&self, number: u64) -> Option<&super::Listed> {
        let parts = self.manifest.as_ref()?.parts();
        parts.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    fn place(&self, number: u64) -> Place {
        match (number, self.listed(number)) {
            (0, _) => Place::Manifest,
            (_, Some(listed)) => Place::Part(listed.name.clone()),
            (_, None) => Place::End,
        }
    }

    /// A part that was read to its end.
    fn whole(&mut self, number: u64, content: Vec<u8>) -> Result<Next, BundleError> {
        let place = self.place(number);
        let content = match &self.key {
            Some(key) => key.open(number, &place, &content)?,
            None => content,
        };
        if number == 0 {
            let manifest = Manifest::read(&content)?;
            return self.take(manifest);
        }
        let Some(listed) = self.listed(number) else {
            return Err(BundleError {
                place,
                reason: Reason::Heading,
            });
        };
        if sha256(&content) != listed.sha256 {
            return Err(BundleError {
                place,
                reason: Reason::Hash,
            });
        }
        let name = listed.name.clone();
        self.state = match self.listed(number + 1) {
            Some(_) => State::Heading(number + 1),
            None => State::End,
        };
        Ok(Next::Part(Part { name, content }))
    }
}

fn too_large(place: &Place, bytes: u64, limit: u64) -> BundleError {
    BundleError {
        place: place.clone(),
        reason: Reason::TooLarge { bytes, limit },
    }
}

impl Part {
    /// It as text, where it is.
    #[must_use]
    pub fn text(self) -> Option<String> {
        String::from_utf8(self.content).ok()
    }
}
