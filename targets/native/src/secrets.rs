//! Where the HTTP adapters get the value of a named secret, at the moment it is sent: the only place
//! where one is put into a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::header::HeaderValue;
use tau_core::{egress::Origin, policy::Refusal};
use zeroize::Zeroizing;

const BASIC: &str = "Basic ";

/// The secrets of this home. A closure from a name to a value is one that tells every host.
pub trait Secrets: Send + Sync {
    /// The value of the secret `name`, for the header `header` of a request to `origin`.
    ///
    /// Refused for every other host than the one the secret was stored for. The value is wiped when
    /// it is dropped: it is kept no longer than the request needs it.
    fn value(
        &self,
        name: &str,
        header: &str,
        origin: &Origin,
    ) -> Result<Zeroizing<String>, Refusal>;
}

/// `prefix` and the value of the secret `name`, as it is sent; a prefix such as `Basic alice:` makes
/// the value a password, encoded with the name (RFC 7617). Its bytes are wiped with it, and no
/// library logs them. White space around the value is dropped: key files end in a newline.
pub fn header(
    secrets: &dyn Secrets,
    name: &str,
    prefix: &str,
    header: &str,
    origin: &Origin,
) -> Result<HeaderValue, Refusal> {
    let secret = secrets.value(name, header, origin)?;
    let secret = secret.trim().as_bytes();
    let bytes = match prefix
        .strip_prefix(BASIC)
        .filter(|user| user.ends_with(':'))
    {
        Some(user) => {
            let login = joined(user.as_bytes(), secret);
            let mut encoded = Zeroizing::new(vec![0; login.len().div_ceil(3) * 4]);
            // The length is that of the encoding, so that it fits.
            let _ = STANDARD.encode_slice(&*login, &mut encoded);
            joined(BASIC.as_bytes(), &encoded)
        }
        None => joined(prefix.as_bytes(), secret),
    };
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes));
    let mut value = value.map_err(|_| Refusal {
        rule: "credentials".into(),
        reason: format!("the secret {name} has control characters"),
        hint: None,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn joined(before: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    // Of its final size at once: growing would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(before.len() + secret.len()));
    bytes.extend_from_slice(before);
    bytes.extend_from_slice(secret);
    bytes
}

impl<F: Fn(&str) -> Option<String> + Send + Sync> Secrets for F {
    fn value(&self, name: &str, _: &str, _: &Origin) -> Result<Zeroizing<String>, Refusal> {
        self(name).map(Zeroizing::new).ok_or_else(|| Refusal {
            rule: "credentials".into(),
            reason: format!("the secret {name} is not set"),
            hint: None,
        })
    }
}
