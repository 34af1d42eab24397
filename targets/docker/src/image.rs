//! Images, by names that cannot come to mean another one.

use bollard::errors::Error;
use tau_target_process::StartError;

use crate::{
    ANSWER,
    engine::{Engine, within},
};

/// The name of an image that says what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference(String);

impl Reference {
    /// Reads `NAME@sha256:DIGEST` or `sha256:DIGEST`; anything else is refused.
    pub(crate) fn parse(text: &str) -> Result<Self, StartError> {
        let (name, digest) = match text.rsplit_once('@') {
            Some((name, digest)) => (Some(name), digest),
            None => (None, text),
        };
        let is_digest = digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64
                && hex
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        });
        // What is no name would reach the engine as another path of its API.
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.contains("..")
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte))
        };
        if is_digest && name.is_none_or(is_name) {
            return Ok(Self(text.to_owned()));
        }
        if is_name(text) {
            return Err(StartError::Unavailable {
                reason: format!("image {text} is named by a tag, which can come to mean another"),
                hint: format!(
                    "name it by what `docker image inspect --format '{{{{.Id}}}} {{{{.RepoDigests}}}}' {text}` prints"
                ),
            });
        }
        Err(StartError::Unavailable {
            reason: format!("{text:?} names no image"),
            hint: "name it as NAME@sha256:DIGEST, or by its identifier sha256:DIGEST".into(),
        })
    }

    fn missing(&self) -> StartError {
        let text = &self.0;
        StartError::Unavailable {
            reason: format!("the engine does not have the image {text}"),
            hint: match text.contains('@') {
                true => format!("docker pull {text}"),
                false => "load or build it; `docker images --no-trunc` lists identifiers".into(),
            },
        }
    }
}

/// An image that the engine has.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) reference: Reference,
    /// Where it would have the engine make folders that can be written and fill the disk.
    pub(crate) volumes: Vec<String>,
    /// The names of the variables that it sets.
    pub(crate) variables: Vec<String>,
}

impl Image {
    /// Asks the engine for it.
    pub(crate) async fn find(engine: &Engine, reference: Reference) -> Result<Self, StartError> {
        let found = within(ANSWER, engine.client.inspect_image(&reference.0)).await;
        let config = match found {
            Ok(found) => found.config.unwrap_or_default(),
            Err(error) if error.is_missing() => return Err(reference.missing()),
            Err(error) => return Err(error.into()),
        };
        let variables = config.env.unwrap_or_default();
        Ok(Self {
            reference,
            volumes: config.volumes.unwrap_or_default(),
            variables: variables
                .iter()
                .filter_map(|variable| Some(variable.split_once('=')?.0.to_owned()))
                .collect(),
        })
    }

    /// As the engine is told it.
    pub(crate) fn name(&self) -> &str {
        &self.reference.0
    }

    /// What an engine's answer to making a container of it means.
    pub(crate) fn refused(&self, error: crate::engine::Failure) -> StartError {
        match error.is_missing() {
            true => self.reference.missing(),
            false => error.into(),
        }
    }
}

/// Whether the engine said that there is no such thing.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError {
            status_code: 404,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn said(text: &str) -> (String, String) {
        match Reference::parse(text).unwrap_err() {
            StartError::Unavailable { reason, hint } => (reason, hint),
            StartError::Io(error) => panic!("{error}"),
        }
    }

    #[test]
    fn an_image_is_named_by_digest_or_identifier() {
        for text in [
            DIGEST.to_owned(),
            format!("alpine@{DIGEST}"),
            format!("registry.example:5000/team/tools:1@{DIGEST}"),
        ] {
            assert_eq!(Reference::parse(&text).unwrap().0, text);
        }
    }

    #[test]
    fn a_tag_is_refused_with_the_command_that_prints_the_digest() {
        for text in ["alpine", "alpine:3", "registry.example:5000/tools:latest"] {
            let (reason, hint) = said(text);
            assert!(reason.contains("tag"), "{reason}");
            assert!(hint.contains("docker image inspect"), "{hint}");
            assert!(hint.ends_with(&format!("{text}` prints")), "{hint}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let short = &DIGEST[..70];
        let upper = DIGEST.to_uppercase().replace("SHA", "sha");
        for text in ["", "a b", "../x", "a?b", "@", &format!("@{DIGEST}")] {
            assert!(said(text).0.ends_with("names no image"), "{text}");
        }
        for text in [format!("a@{short}"), format!("a@{upper}")] {
            assert!(said(&text).0.ends_with("names no image"), "{text}");
        }
        // Without the `@` these are tags of a repository called `sha256`.
        said(short);
    }
}
