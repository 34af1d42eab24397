//! From a request of the platform to one of the runtime.
//!
//! Everything that cannot be sent is told here, in words of ours: a runtime's own would quote a
//! header's value, which may be a secret, and a page would complete half an address with its own.

use js_sys::{Reflect, Uint8Array};
use tau_core::session::{HeaderValue, HttpError, HttpRequest};
use wasm_bindgen::JsValue;
use web_sys::{AbortSignal, Headers, Request, RequestInit, RequestRedirect, Url};

use super::{Secrets, refuse};
use crate::global::{requests_have, words};

/// What a page would send or keep by itself. workerd does nothing of it, and refuses to be told.
const ALONE: [(&str, &str); 3] = [
    ("cache", "no-store"),
    ("credentials", "omit"),
    ("referrerPolicy", "no-referrer"),
];

pub(super) fn url(text: &str) -> Result<Url, HttpError> {
    let url = Url::new(text).map_err(|_| refuse(format!("{text:?} is not a URL")))?;
    if !matches!(url.protocol().as_str(), "http:" | "https:") || url.hostname().is_empty() {
        return Err(refuse(format!("{text:?} is not an http or https URL")));
    }
    if !url.username().is_empty() || !url.password().is_empty() {
        return Err(refuse("a URL must not hold a user or a password".into()));
    }
    Ok(url)
}

pub(super) fn request(
    request: &HttpRequest,
    signal: &AbortSignal,
    secrets: &Secrets,
) -> Result<Request, HttpError> {
    let headers = Headers::new().map_err(|thrown| refuse(words(&thrown)))?;
    for (name, value) in &request.headers {
        headers
            .append(name, &self::value(name, value, secrets)?)
            .map_err(|_| refuse(format!("{name:?} is not a header's name")))?;
    }
    let init = RequestInit::new();
    init.set_method(&request.method);
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(signal));
    if !request.body.is_empty() {
        init.set_body(&Uint8Array::from(&*request.body));
    }
    for (option, value) in ALONE {
        if requests_have(option) {
            Reflect::set(&init, &option.into(), &JsValue::from_str(value))
                .map_err(|thrown| refuse(words(&thrown)))?;
        }
    }
    Request::new_with_str_and_init(&request.url, &init).map_err(|thrown| refuse(words(&thrown)))
}

fn value(header: &str, value: &HeaderValue, secrets: &Secrets) -> Result<String, HttpError> {
    match value {
        HeaderValue::Plain(text) if is_sendable(text) => Ok(text.clone()),
        HeaderValue::Plain(_) => Err(refuse(format!(
            "the value of header {header} has characters that are not printable ASCII"
        ))),
        HeaderValue::Secret { name, prefix } => {
            let secret =
                secrets(name).ok_or_else(|| refuse(format!("the secret {name} is not set")))?;
            let value = format!("{prefix}{}", secret.trim());
            if is_sendable(&value) {
                Ok(value)
            } else {
                Err(refuse(format!(
                    "the secret {name} has characters that are not printable ASCII"
                )))
            }
        }
    }
}

fn is_sendable(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, prefix: &str) -> HeaderValue {
        HeaderValue::Secret {
            name: name.into(),
            prefix: prefix.into(),
        }
    }

    #[test]
    fn a_secret_is_put_after_its_prefix_and_never_told() {
        let secrets = |name: &str| match name {
            "GOOD" => Some(" s3cret\n".to_owned()),
            "BROKEN" => Some("s3\r\ncret".to_owned()),
            _ => None,
        };
        assert_eq!(
            value("authorization", &secret("GOOD", "Bearer "), &secrets),
            Ok("Bearer s3cret".into())
        );
        for (name, prefix) in [("BROKEN", "Bearer "), ("GOOD", "bad\n"), ("NONE", "")] {
            let Err(HttpError::Request { detail }) =
                value("authorization", &secret(name, prefix), &secrets)
            else {
                panic!("{name} is sent");
            };
            assert!(detail.contains(name), "{detail}");
            assert!(!detail.contains("s3"), "{detail}");
        }
    }

    #[test]
    fn header_values_are_printable_ascii() {
        let none = |_: &str| None;
        for (text, sent) in [
            ("a b\t~", true),
            ("", true),
            ("a\r\nb: c", false),
            ("ü", false),
        ] {
            let outcome = value("x", &HeaderValue::Plain(text.into()), &none);
            assert_eq!(outcome.is_ok(), sent, "{text:?}");
        }
    }
}
