//! Who is asking: bearer tokens, each a principal's.
//!
//! Invariants: without a usable list of tokens nobody is let in; a token is compared by digest and
//! in a time that does not depend on it; no token is ever told. Nor is a name: who mixes the two up
//! has a token in its place, and what is wrong with the list is told to whoever asks.

use core::fmt;
use sha2::{Digest, Sha256};
use tau_core::json::{Value, from_str};

use crate::errors::ApiError;

/// A token with fewer bytes can be guessed.
const TOKEN_BYTES: usize = 16;
/// Bytes of a principal's name.
const NAME_BYTES: usize = 64;

/// Somebody with sessions of their own: letters, digits and `._@-`, so that it can be part of an
/// object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal(String);

impl Principal {
    fn new(name: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        let is_name = (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed);
        is_name.then(|| Self(name.into()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

/// Digests of the tokens that are let in.
pub(crate) struct Tokens(Vec<(Principal, [u8; 32])>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads the secret `TAU_TOKENS`: a JSON object of names and tokens, or a line `name=token`
    /// for each. Entries are counted from 1, those of an object in the order of their names.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let text = text.unwrap_or_default().trim();
        if text.is_empty() {
            return Err(wrong("the secret TAU_TOKENS is not set"));
        }
        let pairs = if text.starts_with('{') {
            from_json(text)?
        } else {
            from_lines(text)?
        };
        let mut tokens: Vec<(Principal, [u8; 32])> = Vec::with_capacity(pairs.len());
        for (at, (name, token)) in pairs.into_iter().enumerate() {
            let number = at + 1;
            let Some(principal) = Principal::new(&name) else {
                return Err(wrong(format!(
                    "the name of entry {number} of TAU_TOKENS is not 1 to {NAME_BYTES} letters, digits and . _ @ -"
                )));
            };
            if token.len() < TOKEN_BYTES {
                return Err(wrong(format!(
                    "the token of entry {number} of TAU_TOKENS has fewer than {TOKEN_BYTES} bytes"
                )));
            }
            let digest = digest(&token);
            if tokens.iter().any(|(_, known)| *known == digest) {
                return Err(wrong(format!(
                    "entry {number} of TAU_TOKENS has the token of an entry before it"
                )));
            }
            tokens.push((principal, digest));
        }
        if tokens.is_empty() {
            return Err(wrong("the secret TAU_TOKENS names nobody"));
        }
        Ok(Self(tokens))
    }

    /// Whose token an `Authorization` header holds.
    pub(crate) fn principal(&self, authorization: Option<&str>) -> Result<Principal, ApiError> {
        let header = authorization.ok_or_else(|| unauthorized("no bearer token was sent"))?;
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| unauthorized("the Authorization header holds no bearer token"))?;
        let given = digest(token);
        let mut found = None;
        for (principal, known) in &self.0 {
            // Every byte of every digest is looked at, whatever matched before.
            let differing = known
                .iter()
                .zip(given)
                .fold(0, |bits, (a, b)| bits | (a ^ b));
            if core::hint::black_box(differing) == 0 {
                found = Some(principal);
            }
        }
        found
            .cloned()
            .ok_or_else(|| unauthorized("the bearer token is not known"))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn from_json(text: &str) -> Result<Vec<(String, String)>, ApiError> {
    // The library's error would quote from the text.
    let unreadable = || wrong("TAU_TOKENS is not a JSON object of names and tokens");
    let Ok(Value::Object(object)) = from_str(text) else {
        return Err(unreadable());
    };
    object
        .into_iter()
        .map(|(name, token)| match token {
            Value::String(token) => Ok((name, token)),
            _ => Err(unreadable()),
        })
        .collect()
}

fn from_lines(text: &str) -> Result<Vec<(String, String)>, ApiError> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .enumerate()
        .map(|(at, line)| match line.split_once('=') {
            Some((name, token)) => Ok((name.trim().into(), token.trim().into())),
            None => Err(wrong(format!(
                "entry {} of TAU_TOKENS is not name=token",
                at + 1
            ))),
        })
        .collect()
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::misconfigured(message).hint(
        "set it to {\"alice\": \"a long random token\"} with `wrangler secret put TAU_TOKENS`; nobody is let in without",
    )
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(401, "unauthorized", message)
        .hint("send `Authorization: Bearer TOKEN`")
        .header("www-authenticate", "Bearer realm=\"tau\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "alice-0123456789abcdef";
    const BOB: &str = "bob-0123456789abcdef";

    fn tokens() -> Tokens {
        Tokens::parse(Some(&format!(
            "{{\"alice\": \"{ALICE}\", \"bob\": \"{BOB}\"}}"
        )))
        .unwrap()
    }

    #[test]
    fn a_token_opens_its_principals_sessions_in_both_notations() {
        let lines = Tokens::parse(Some(&format!("alice={ALICE}\n\n bob = {BOB} \n"))).unwrap();
        for tokens in [tokens(), lines] {
            for (name, token) in [("alice", ALICE), ("bob", BOB)] {
                let header = format!("bearer {token}");
                let principal = tokens.principal(Some(&header)).unwrap();
                assert_eq!(principal.name(), name);
            }
        }
    }

    #[test]
    fn whatever_is_not_exactly_a_token_is_refused() {
        let longer = format!("Bearer {ALICE}x");
        let shorter = format!("Bearer {}", &ALICE[1..]);
        let basic = format!("Basic {ALICE}");
        for header in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some(ALICE),
            Some(&longer),
            Some(&shorter),
            Some(&basic),
        ] {
            let error = tokens().principal(header).unwrap_err();
            assert!(format!("{error:?}").contains("401"), "{header:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_used_lets_nobody_in_and_tells_no_token() {
        let twice = format!("a={ALICE}\nb={ALICE}");
        let slash = format!("a/b={ALICE}");
        let number = "{\"alice\": 1234567890123456}";
        let cut = format!("{{\"alice\": \"{ALICE}\"");
        let bare = format!("bob={BOB}\n{ALICE}==");
        let swapped = format!("{ALICE}=alice");
        let swapped_json = format!("{{\"{ALICE}\": \"alice\"}}");
        let no_name = format!("{ALICE}+/={BOB}");
        let swapped_twice = format!("{ALICE}=alice-and-her-friends\n{BOB}=alice-and-her-friends");
        for text in [
            None,
            Some(""),
            Some(" \n"),
            Some("{}"),
            Some("alice"),
            Some("alice=short"),
            Some(number),
            Some(&twice),
            Some(&slash),
            Some(&cut),
            Some(&bare),
            Some(&swapped),
            Some(&swapped_json),
            Some(&no_name),
            Some(&swapped_twice),
        ] {
            let error = format!("{:?}", Tokens::parse(text).unwrap_err());
            assert!(error.contains("503"), "{text:?}: {error}");
            assert!(!error.contains("0123456789"), "{error}");
        }
        assert!(!format!("{:?}", tokens()).contains("0123456789"));
    }
}
