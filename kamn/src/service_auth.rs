//! The signatures KAMN's services take on requests: secp256k1, for those who have to speak to them.
//!
//! ```text
//!   X-KAMN-Sender-DID         kamn:did:agent:<label>--keyh-<32 hex>
//!   X-KAMN-Request-Nonce      1, 2, 3 …
//!   X-KAMN-Request-Signature  sig:secp256k1:baseline-v2:<recovery id>:<128 hex>
//! ```
//!
//! The key is recovered from the signature and must be the one the sender's DID is bound to: here
//! that is SHA-256 of the 33 bytes of a compressed secp256k1 key. A DID that is bound to nothing
//! proves nothing, and the older `baseline-v1`, which is no signature, is never taken.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use thiserror::Error as ThisError;

use crate::{
    bytes::{from_hex, hex},
    did::AgentDid,
};

/// The header that names the sender.
pub const SENDER_HEADER: &str = "X-KAMN-Sender-DID";
/// The header that holds the request's number.
pub const NONCE_HEADER: &str = "X-KAMN-Request-Nonce";
/// The header that holds the signature.
pub const SIGNATURE_HEADER: &str = "X-KAMN-Request-Signature";

const PREFIX: &str = "sig:secp256k1:baseline-v2:";

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// A header is missing.
    #[error("the header {name} is missing")]
    Missing {
        /// Which one.
        name: &'static str,
    },
    /// The sender is no agent.
    #[error(transparent)]
    Sender(#[from] crate::Error),
    /// The number is none, or not in its one spelling.
    #[error("the request's nonce is no number from 1")]
    Nonce,
    /// The signature is of another kind, or not in its one spelling.
    #[error("the signature is none of secp256k1, baseline-v2")]
    Form,
    /// The signature is not one of the sender's key over this request.
    #[error("the signature does not fit sender and request")]
    Signature,
    /// The sender used that number, or a higher one.
    #[error("request nonce {found} is not above {last}")]
    Replay {
        /// The last one.
        last: u64,
        /// This one.
        found: u64,
    },
    /// There are as many senders as are remembered.
    #[error("no more senders can be remembered")]
    Full,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "service_auth_missing",
            Self::Sender(error) => error.reason_code(),
            Self::Nonce => "service_auth_nonce_invalid",
            Self::Form => "service_auth_unsupported",
            Self::Signature => "service_auth_signature_invalid",
            Self::Replay { .. } => "service_auth_nonce_replay",
            Self::Full => "service_auth_senders_full",
        }
    }

    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Replay { .. } => 409,
            Self::Full => 503,
            _ => 401,
        }
    }
}

/// What a request's headers say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// [`SENDER_HEADER`].
    pub sender: Option<&'a str>,
    /// [`NONCE_HEADER`].
    pub nonce: Option<&'a str>,
    /// [`SIGNATURE_HEADER`].
    pub signature: Option<&'a str>,
}

/// The state of a service that requests are signed for.
#[must_use]
pub fn state_hash(chain_id: &str, chain_version: &str) -> String {
    format!("service-api:{chain_id}:{chain_version}")
}

/// What is signed: seven lines, the last without an end.
fn message(sender: &str, nonce: u64, state_hash: &str, payload: &[u8]) -> Vec<u8> {
    let text = format!(
        "sender_len={}\nsender={sender}\nnonce={nonce}\nstate_hash_len={}\nstate_hash={state_hash}\npayload_len={}\npayload=",
        sender.len(),
        state_hash.len(),
        payload.len(),
    );
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// A key that signs requests. Wiped when dropped; never copied, shown or serialised.
pub struct ServiceKey(SigningKey);

impl ServiceKey {
    /// The key of 32 bytes, which must come from a cryptographically secure source; none of zero, or
    /// from the group's order on.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(bytes).ok().map(Self)
    }

    /// Its public half, compressed: what a DID is bound to.
    #[must_use]
    pub fn public_key(&self) -> [u8; 33] {
        compressed(self.0.verifying_key())
    }

    /// The value of [`SIGNATURE_HEADER`]: the same for the same request.
    #[must_use]
    pub fn sign(&self, sender: &AgentDid, nonce: u64, state_hash: &str, payload: &[u8]) -> String {
        let message = message(&sender.as_kamn(), nonce, state_hash, payload);
        let (signature, recovery) = self.0.sign_recoverable(&message);
        let recovery = recovery.to_byte();
        format!("{PREFIX}{recovery}:{}", hex(&signature.to_bytes()))
    }
}

impl core::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ServiceKey(secret of {})", hex(&self.public_key()))
    }
}

/// Which numbers senders have used, of at most so many senders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    limit: usize,
    last: BTreeMap<AgentDid, u64>,
}

impl Requests {
    /// Room for so many senders.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            last: BTreeMap::new(),
        }
    }

    /// Takes a request whose sender signed it, once; who that is.
    pub fn admit(
        &mut self,
        headers: Headers<'_>,
        state_hash: &str,
        payload: &[u8],
    ) -> Result<AgentDid, Error> {
        let (sender, nonce) = verify(headers, state_hash, payload)?;
        let last = self.last.get(&sender).copied();
        if let Some(last) = last.filter(|last| nonce <= *last) {
            return Err(Error::Replay { last, found: nonce });
        }
        if last.is_none() && self.last.len() >= self.limit {
            return Err(Error::Full);
        }
        self.last.insert(sender.clone(), nonce);
        Ok(sender)
    }
}

/// Checks that the sender signed this request; says who, and the request's number.
fn verify(
    headers: Headers<'_>,
    state_hash: &str,
    payload: &[u8],
) -> Result<(AgentDid, u64), Error> {
    let missing = |name| Error::Missing { name };
    let sender: AgentDid = headers.sender.ok_or(missing(SENDER_HEADER))?.parse()?;
    let text = headers.nonce.ok_or(missing(NONCE_HEADER))?;
    let nonce = text.parse::<u64>().map_err(|_| Error::Nonce)?;
    if nonce == 0 || nonce.to_string() != text {
        return Err(Error::Nonce);
    }
    let text = headers.signature.ok_or(missing(SIGNATURE_HEADER))?;
    let (recovery, digits) = text
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once(':'))
        .ok_or(Error::Form)?;
    let recovery = match recovery {
        "0" => RecoveryId::new(false, false),
        "1" => RecoveryId::new(true, false),
        "2" => RecoveryId::new(false, true),
        "3" => RecoveryId::new(true, true),
        _ => return Err(Error::Form),
    };
    let bytes = from_hex::<64>("the signature", digits).map_err(|_| Error::Form)?;
    let signature = Signature::from_slice(&bytes).map_err(|_| Error::Signature)?;
    // Of the two signatures that fit, one is taken: nobody can make another of one he saw.
    if signature.normalize_s() != signature {
        return Err(Error::Signature);
    }
    let message = message(&sender.as_kamn(), nonce, state_hash, payload);
    let key = VerifyingKey::recover_from_msg(&message, &signature, recovery);
    let key = key.map_err(|_| Error::Signature)?;
    match sender.is_bound_to_bytes(&compressed(&key)) {
        true => Ok((sender, nonce)),
        false => Err(Error::Signature),
    }
}

fn compressed(key: &VerifyingKey) -> [u8; 33] {
    let mut bytes = [0; 33];
    let point = key.to_sec1_point(true);
    // A compressed point has exactly these bytes.
    bytes.copy_from_slice(point.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with OpenSSL (deterministic nonces, RFC 6979), the recovery id with plain arithmetic.
    const PUBLIC: &str = "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa";
    const SENDER: &str = "kamn:did:agent:alice--keyh-5b6b92b37b765963ab61d52a3171a54d";
    const SIGNATURE: &str = "sig:secp256k1:baseline-v2:1:6bc0e4d90491297eca662da4881c973a11431d740276d64dd0b41351fe4b3b167ce891b1d8bef9f97e7e8e0ca851c67c69296bcd8886b22ef41fb110f7c9a2e1";
    const PAYLOAD: &[u8] = "{\"tool\":\"héllo\"}\n".as_bytes();

    fn headers(nonce: &'static str, signature: &str) -> Result<AgentDid, &'static str> {
        admit(&mut Requests::new(1), SENDER, nonce, signature, PAYLOAD)
    }

    fn admit(
        requests: &mut Requests,
        sender: &str,
        nonce: &str,
        signature: &str,
        payload: &[u8],
    ) -> Result<AgentDid, &'static str> {
        let headers = Headers {
            sender: Some(sender),
            nonce: Some(nonce),
            signature: Some(signature),
        };
        let state = state_hash("kamn-test", "7");
        let said = requests.admit(headers, &state, payload);
        said.map_err(|error| error.reason_code())
    }

    #[test]
    fn signature_is_that_of_another_implementation() {
        let key = ServiceKey::from_bytes(&[0x11; 32]).unwrap();
        assert_eq!(hex(&key.public_key()), PUBLIC);
        let sender: AgentDid = SENDER.parse().unwrap();
        assert!(sender.is_bound_to_bytes(&key.public_key()));
        let made = key.sign(&sender, 42, &state_hash("kamn-test", "7"), PAYLOAD);
        assert_eq!(made, SIGNATURE);
        assert_eq!(headers("42", SIGNATURE), Ok(sender));
        assert!(!format!("{key:?}").contains("1111"));
        assert!(ServiceKey::from_bytes(&[0; 32]).is_none());
        assert!(ServiceKey::from_bytes(&[0xff; 32]).is_none());
    }

    #[test]
    fn whatever_changes_breaks_it() {
        let (prefix, digits) = SIGNATURE.split_at(PREFIX.len() + 2);
        let other_id = SIGNATURE.replace("v2:1:", "v2:0:");
        assert_eq!(
            headers("42", &other_id),
            Err("service_auth_signature_invalid")
        );
        for at in [0, 63, 64, 127] {
            let digit = if digits.as_bytes()[at] == b'5' {
                "6"
            } else {
                "5"
            };
            let twisted = format!("{prefix}{}{digit}{}", &digits[..at], &digits[at + 1..]);
            assert_eq!(
                headers("42", &twisted),
                Err("service_auth_signature_invalid"),
                "{at}"
            );
        }
        assert_eq!(
            headers("43", SIGNATURE),
            Err("service_auth_signature_invalid")
        );
        let requests = &mut Requests::new(1);
        let said = admit(requests, SENDER, "42", SIGNATURE, b"other");
        assert_eq!(said, Err("service_auth_signature_invalid"));
        let renamed = SENDER.replace("alice", "alicf");
        let said = admit(requests, &renamed, "42", SIGNATURE, PAYLOAD);
        assert_eq!(said, Err("service_auth_signature_invalid"));
        // The other signature that fits the same message: order minus s, and the other point.
        let high = "sig:secp256k1:baseline-v2:0:6bc0e4d90491297eca662da4881c973a11431d740276d64dd0b41351fe4b3b1683176e4e27410606818171f357ae39825185711926c1ee0ccbb2ad7bd86c9e60";
        assert_eq!(headers("42", high), Err("service_auth_signature_invalid"));
    }

    #[test]
    fn other_kinds_and_spellings_are_refused() {
        let upper = SIGNATURE.to_uppercase();
        let cases = [
            ("", "service_auth_unsupported"),
            (upper.as_str(), "service_auth_unsupported"),
            ("sig:secp256k1:baseline-v2:1:00", "service_auth_unsupported"),
            (
                "sig:ed25519:baseline-v1:alice:42:state:18",
                "service_auth_unsupported",
            ),
            (
                &SIGNATURE.replace("v2:1:", "v2:4:"),
                "service_auth_unsupported",
            ),
            (
                &SIGNATURE.replace("v2:1:", "v2:01:"),
                "service_auth_unsupported",
            ),
            (
                &SIGNATURE.replace("baseline-v2", "baseline-v1"),
                "service_auth_unsupported",
            ),
        ];
        for (signature, code) in cases {
            assert_eq!(headers("42", signature), Err(code), "{signature}");
        }
        for nonce in ["0", "042", "+42", "-1", "", "18446744073709551616"] {
            assert_eq!(headers(nonce, SIGNATURE), Err("service_auth_nonce_invalid"));
        }
        let unbound = admit(
            &mut Requests::new(1),
            "kamn:did:agent:alice",
            "42",
            SIGNATURE,
            PAYLOAD,
        );
        assert_eq!(unbound, Err("service_auth_signature_invalid"));
        let none = Requests::new(1)
            .admit(Headers::default(), "", b"")
            .unwrap_err();
        assert_eq!(
            (none.reason_code(), none.status()),
            ("service_auth_missing", 401)
        );
    }

    #[test]
    fn request_is_taken_once() {
        let mut requests = Requests::new(1);
        let key = ServiceKey::from_bytes(&[0x11; 32]).unwrap();
        let sender: AgentDid = SENDER.parse().unwrap();
        let state = state_hash("kamn-test", "7");
        let mut send = |nonce: u64| {
            let signature = key.sign(&sender, nonce, &state, PAYLOAD);
            admit(
                &mut requests,
                SENDER,
                &nonce.to_string(),
                &signature,
                PAYLOAD,
            )
            .map(|_| ())
        };
        assert_eq!(send(5), Ok(()));
        assert_eq!(send(5), Err("service_auth_nonce_replay"));
        assert_eq!(send(4), Err("service_auth_nonce_replay"));
        assert_eq!(send(6), Ok(()));
        let replay = Error::Replay { last: 6, found: 6 };
        assert_eq!(replay.status(), 409);
        let bob = ServiceKey::from_bytes(&[0x22; 32]).unwrap();
        let digest = hex(&crate::bytes::sha256(&bob.public_key()));
        let did: AgentDid = format!("kamn:did:agent:bob--keyh-{}", &digest[..32])
            .parse()
            .unwrap();
        let signature = bob.sign(&did, 1, &state, PAYLOAD);
        let said = admit(&mut requests, &did.as_kamn(), "1", &signature, PAYLOAD);
        assert_eq!(said, Err("service_auth_senders_full"));
    }
}
