//! The manifest: whose bundle it is, what is in it by hash, and the signature over that.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec::Vec,
};
use tau_kamn::{
    PublicKey, Signature,
    bytes::{from_hex, hex, in_domain, sha256},
    jcs::{self, Fields, Integer, Object, Value},
    kel::{KeyLog, SKEW_MS},
    time::Timestamp,
};

use super::{BundleError, DOMAIN, LINE_LIMIT_BYTES, PARTS_LIMIT, PartName, Reason, VERSION};

const WHAT: &str = "bundle";
const SIGNATURE: &str = "signature";
const ID: &str = "id";

/// A part as a manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: PartName,
    /// SHA-256 of what it holds.
    pub sha256: [u8; 32],
    /// How many bytes that are.
    pub bytes: u64,
}

impl Listed {
    /// The part called `name` that holds `content`.
    #[must_use]
    pub fn of(name: PartName, content: &[u8]) -> Self {
        Self {
            name,
            sha256: sha256(content),
            bytes: content.len() as u64,
        }
    }
}

/// A part that is in an earlier bundle as it would be in this one, and so is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its name.
    pub name: PartName,
    /// SHA-256 of what it holds.
    pub sha256: [u8; 32],
}

/// What is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The log of the author's keys.
    pub log: KeyLog,
    /// When it is made.
    pub created: Timestamp,
    /// The id of the bundle that has the parts left out.
    pub base: Option<[u8; 32]>,
    /// The keys it is sealed for, `<did>#key-agreement-1`; none for what is open or sealed with a
    /// passphrase.
    pub sealed_for: BTreeSet<String>,
    /// What is in it, in order.
    pub parts: Vec<Listed>,
    /// What is left out, because the base has it.
    pub unchanged: Vec<Left>,
}

/// A manifest whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    draft: Draft,
    key: String,
    id: [u8; 32],
    signature: Signature,
}

impl Draft {
    /// It as it is signed with the author's present key. Fails where that is none, where two parts
    /// have one name and where there are too many.
    pub fn to_signed_bytes(&self) -> Result<Vec<u8>, BundleError> {
        Ok(in_domain(DOMAIN, &self.to_object()?.into()))
    }

    /// The manifest, once `signature` over [`Draft::to_signed_bytes`] was made. One of another key is
    /// refused.
    pub fn signed(self, signature: Signature) -> Result<Manifest, BundleError> {
        let (key, public) = self.author_key()?;
        let bytes = self.to_signed_bytes()?;
        public
            .verify(&bytes, &signature)
            .map_err(|_| BundleError::manifest(Reason::Signature))?;
        Ok(Manifest {
            id: sha256(&bytes),
            draft: self,
            key,
            signature,
        })
    }

    /// The id of the key that signs, and the key.
    fn author_key(&self) -> Result<(String, PublicKey), BundleError> {
        let log = |error| BundleError::manifest(Reason::Log(error));
        let state = self.log.state().map_err(log)?;
        let did = state.did().as_kamn();
        let Some((fragment, key)) = state.current_signing() else {
            let why = "names none that counts: it was revoked, or its agent deactivated";
            return Err(member("key", why));
        };
        Ok((alloc::format!("{did}#{fragment}"), *key))
    }

    /// What was signed, and the key it says it was signed with.
    fn from_fields(fields: &mut Fields) -> Result<(Self, String), BundleError> {
        check_version(fields).map_err(BundleError::manifest)?;
        let json = |error: jcs::Error| BundleError::manifest(error);
        let did = fields.string("did").map_err(json)?;
        let key = fields.string("key").map_err(json)?;
        let log = fields.value("log").map_err(json)?;
        let created = fields.string("created").map_err(json)?;
        let created: Timestamp = created
            .parse()
            .map_err(|_| member("created", "is no time"))?;
        let base = fields.optional_string("base").map_err(json)?;
        let base = base.map(|base| digest("base", &base)).transpose()?;
        let sealed_for = match fields.optional("sealed_for") {
            None => BTreeSet::new(),
            Some(value) => strings("sealed_for", &value)?,
        };
        let parts = fields.array("parts").map_err(json)?;
        let unchanged = match fields.optional("unchanged") {
            None => Vec::new(),
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(_) => return Err(member("unchanged", "is no list of parts")),
        };
        if base.is_none() && !unchanged.is_empty() {
            return Err(member("unchanged", "is there without a base"));
        }
        let found = parts.len() + unchanged.len();
        if found > PARTS_LIMIT {
            return Err(BundleError::manifest(Reason::Parts { found }));
        }
        let parts = parts.into_iter().map(listed).collect::<Result<_, _>>()?;
        let unchanged = unchanged.into_iter().map(left).collect::<Result<_, _>>()?;
        let log = KeyLog::from_value(log).map_err(BundleError::manifest)?;
        if log.unchecked_state().did().as_kamn() != did {
            return Err(member("did", "is not the one of the log"));
        }
        let draft = Self {
            log,
            created,
            base,
            sealed_for,
            parts,
            unchanged,
        };
        draft.check()?;
        Ok((draft, key))
    }

    fn to_object(&self) -> Result<Object, BundleError> {
        let (key, _) = self.author_key()?;
        self.check()?;
        self.object_by(&key)
    }

    fn object_by(&self, key: &str) -> Result<Object, BundleError> {
        let parts = self.parts.iter().map(|part| {
            let bytes = Integer::try_from(part.bytes).map_err(BundleError::manifest)?;
            Ok(Object::new()
                .with("name", part.name.to_string())
                .with("sha256", hex(&part.sha256))
                .with("bytes", bytes))
        });
        let parts: Result<Value, BundleError> = parts.collect::<Result<Vec<_>, _>>().map(of);
        let unchanged = self.unchanged.iter().map(|left| {
            Object::new()
                .with("name", left.name.to_string())
                .with("sha256", hex(&left.sha256))
        });
        let unchanged: Vec<Object> = unchanged.collect();
        let some = |is: bool, value: Value| is.then_some(value);
        Ok(Object::new()
            .with("agent_bundle", version())
            .with("did", self.log.unchecked_state().did().as_kamn())
            .with("key", key)
            .with("log", self.log.to_value())
            .with("created", self.created)
            .with_optional("base", self.base.map(|base| hex(&base)))
            .with_optional(
                "sealed_for",
                some(
                    !self.sealed_for.is_empty(),
                    self.sealed_for.iter().map(String::as_str).collect(),
                ),
            )
            .with("parts", parts?)
            .with_optional("unchanged", some(!unchanged.is_empty(), of(unchanged))))
    }

    /// Names are there once, and no more of them than are read.
    fn check(&self) -> Result<(), BundleError> {
        let found = self.parts.len() + self.unchanged.len();
        if found > PARTS_LIMIT {
            return Err(BundleError::manifest(Reason::Parts { found }));
        }
        let mut names = BTreeSet::new();
        let listed = self.parts.iter().map(|part| &part.name);
        for name in listed.chain(self.unchanged.iter().map(|left| &left.name)) {
            if !names.insert(name.folded()) {
                return Err(BundleError::part(name, Reason::Twice));
            }
        }
        Ok(())
    }
}

impl Manifest {
    /// Whose bundle it is: the DID its log proves.
    #[must_use]
    pub fn did(&self) -> String {
        self.draft.log.unchecked_state().did().as_kamn()
    }

    /// What it is named by: the hash of what was signed.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The key it is signed with, `<did>#keys-1`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What was signed.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// What is in it, in order.
    #[must_use]
    pub fn parts(&self) -> &[Listed] {
        &self.draft.parts
    }

    /// Its line, with the line's end.
    pub fn to_line(&self) -> Result<Vec<u8>, BundleError> {
        let object = self.draft.object_by(&self.key)?;
        let object = object
            .with(ID, hex(&self.id))
            .with(SIGNATURE, self.signature.to_multibase());
        let mut line = Value::from(object).to_canonical().into_bytes();
        line.push(b'\n');
        Ok(line)
    }

    /// Reads its line, without the line's end, and checks the log and the signature by it: that the
    /// author's key counted when the bundle was made and was not revoked since, as far as that log
    /// knows. One that was replaced since still proves what it signed: archives are read late.
    pub fn read(line: &[u8]) -> Result<Self, BundleError> {
        let value = jcs::parse(line, LINE_LIMIT_BYTES).map_err(BundleError::manifest)?;
        if value.to_canonical().as_bytes() != line {
            return Err(BundleError::manifest(Reason::NotCanonical));
        }
        Self::from_value(value)
    }

    fn from_value(value: Value) -> Result<Self, BundleError> {
        let json = |error: jcs::Error| BundleError::manifest(error);
        let mut fields = Fields::of(WHAT, value).map_err(json)?;
        let id = digest(ID, &fields.string(ID).map_err(json)?)?;
        let signature = fields.string(SIGNATURE).map_err(json)?;
        let signed = Value::from(fields.rest());
        // Before any curve is computed: what is not whole costs a stranger as much as it costs us.
        if sha256(&in_domain(DOMAIN, &signed)) != id {
            return Err(member(ID, "is not the hash of what was signed"));
        }
        let signature = Signature::from_multibase(&signature)
            .map_err(|_| member(SIGNATURE, "is no Ed25519 signature in multibase"))?;
        let mut fields = Fields::of(WHAT, signed).map_err(json)?;
        let (draft, key) = Draft::from_fields(&mut fields)?;
        fields.end().map_err(json)?;
        let manifest = Self {
            draft,
            key,
            id,
            signature,
        };
        manifest.check_by(&manifest.draft.log)?;
        Ok(manifest)
    }

    /// Checks the signature by `log`, which is of the same agent and may know more: that the key was
    /// revoked, or that the agent's logs contradict each other.
    pub fn check_by(&self, log: &KeyLog) -> Result<(), BundleError> {
        let state = log.state().map_err(BundleError::manifest)?;
        let created_ms = self.draft.created.unix_ms();
        let key = state
            .signing_key_at(&self.key, created_ms, created_ms, None)
            .map_err(BundleError::manifest)?;
        let bytes = in_domain(DOMAIN, &self.draft.object_by(&self.key)?.into());
        key.verify(&bytes, &self.signature)
            .map_err(|_| BundleError::manifest(Reason::Signature))
    }

    /// Refuses one that says it was made later than `now_ms`, clocks being apart as far as they may.
    pub fn check_time(&self, now_ms: u64) -> Result<(), BundleError> {
        let created_ms = self.draft.created.unix_ms();
        match created_ms.saturating_sub(now_ms) {
            ahead_ms if ahead_ms > SKEW_MS => {
                Err(BundleError::manifest(Reason::Future { ahead_ms }))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn version() -> Integer {
    Integer::try_from(VERSION).unwrap_or(Integer::MAX)
}

pub(super) fn check_version(fields: &mut Fields) -> Result<(), Reason> {
    match fields.unsigned("agent_bundle")? {
        VERSION => Ok(()),
        found => Err(Reason::Version { found }),
    }
}

fn of(objects: Vec<Object>) -> Value {
    objects.into_iter().collect()
}

fn member(member: &'static str, why: &str) -> BundleError {
    let why = why.into();
    BundleError::manifest(Reason::Member { member, why })
}

fn digest(what: &'static str, text: &str) -> Result<[u8; 32], BundleError> {
    from_hex(what, text).map_err(|_| member(what, "is no SHA-256 in lower-case hex"))
}

fn strings(what: &'static str, value: &Value) -> Result<BTreeSet<String>, BundleError> {
    let wrong = || member(what, "is no list of different texts in order");
    let items = value.as_array().filter(|items| !items.is_empty());
    let mut texts: BTreeSet<String> = BTreeSet::new();
    for item in items.ok_or_else(wrong)? {
        let text = item.as_str().ok_or_else(wrong)?;
        if texts.last().is_some_and(|last| last.as_str() >= text) {
            return Err(wrong());
        }
        texts.insert(text.into());
    }
    Ok(texts)
}

fn listed(value: Value) -> Result<Listed, BundleError> {
    let json = |error: jcs::Error| BundleError::manifest(error);
    let mut fields = Fields::of("part", value).map_err(json)?;
    let listed = Listed {
        name: fields.string("name").map_err(json)?.parse()?,
        sha256: digest("sha256", &fields.string("sha256").map_err(json)?)?,
        bytes: fields.unsigned("bytes").map_err(json)?,
    };
    fields.end().map_err(json)?;
    Ok(listed)
}

fn left(value: Value) -> Result<Left, BundleError> {
    let json = |error: jcs::Error| BundleError::manifest(error);
    let mut fields = Fields::of("part", value).map_err(json)?;
    let left = Left {
        name: fields.string("name").map_err(json)?.parse()?,
        sha256: digest("sha256", &fields.string("sha256").map_err(json)?)?,
    };
    fields.end().map_err(json)?;
    Ok(left)
}
