//! One call's requests: the first, and those a server redirects to.
//!
//! Redirects are followed as browsers follow them (Fetch standard, HTTP-redirect fetch), with less
//! trust: across origins only what says which content is wanted goes along, and a body never does.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;

use super::request::{Method, Request};
use crate::{
    egress::{self, Cleared},
    policy::{Refusal, http::HttpLimits},
    session::{HeaderValue, HttpHead, HttpRequest},
};

/// A request that was decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    cleared: Cleared,
    request: HttpRequest,
}

impl Outgoing {
    /// Where it goes, and what is sent there. A home that resolves names decides about the answers
    /// with [`Cleared::pin`]; one that does not sends the request as it is.
    #[must_use]
    pub fn into_parts(self) -> (Cleared, HttpRequest) {
        (self.cleared, self.request)
    }
}

/// A redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The address that redirected.
    pub url: String,
    /// With which status.
    pub status: u16,
}

/// What a response's head leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send what [`Exchange::next_request`] gives.
    Follow,
    /// Read the body: it is the answer.
    Read,
}

/// The requests of one call.
#[derive(Clone, Debug)]
pub struct Exchange {
    request: Request,
    limits: HttpLimits,
    hops: Vec<Hop>,
    /// What was asked so far; the same question again is a loop.
    asked: Vec<(Method, String)>,
}

/// What goes along to another origin.
const HARMLESS: [&str; 2] = ["accept", "accept-language"];

impl Exchange {
    /// The requests of a call with these arguments, within `limits` or what lower ones it asks for.
    pub fn new(arguments: &Value, limits: &HttpLimits) -> Result<Self, Refusal> {
        let lower = |name: &str| arguments[name].as_u64();
        Ok(Self {
            request: Request::from_arguments(arguments)?,
            limits: limits
                .clone()
                .lowered(lower("timeout_ms"), lower("max_bytes")),
            hops: Vec::new(),
            asked: Vec::new(),
        })
    }

    /// The request that brings `body`, a sealed or signed message, to the inbox of another agent, or
    /// asks there who it is of, without one. What the message says was looked through before it was
    /// sealed; after it, nothing could be told from a secret.
    pub fn of_message(
        url: &str,
        body: Option<&[u8]>,
        limits: &HttpLimits,
    ) -> Result<Self, Refusal> {
        let request = Request::of_message(url, body)?;
        Ok(Self::of(request, limits.clone()))
    }

    /// The one request of a program, of which everything but the target was decided about.
    pub(super) fn of(request: Request, limits: HttpLimits) -> Self {
        Self {
            request,
            limits,
            hops: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    /// What is asked now.
    #[must_use]
    pub fn method(&self) -> Method {
        self.request.method
    }

    /// Where now.
    #[must_use]
    pub fn url(&self) -> String {
        self.request.target.href()
    }

    /// The redirects so far.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Decides about the current target; what comes out is sent.
    pub fn next_request(&mut self) -> Result<Outgoing, Refusal> {
        let decided = egress::decide(&self.request.target, &self.limits.rules);
        let cleared = decided.map_err(|mut refusal| {
            if let Some(hop) = self.hops.last() {
                refusal.reason = format!("{} redirects it: {}", hop.url, refusal.reason);
            }
            refusal
        })?;
        let asked = (self.request.method, self.url());
        if self.asked.contains(&asked) {
            return Err(refuse(
                format!("{} redirects in a circle", asked.1),
                "use another address",
            ));
        }
        self.asked.push(asked);
        let request = HttpRequest {
            method: self.request.method.name().to_string(),
            url: cleared.target().href(),
            headers: self.request.headers.clone(),
            body: self.request.body.clone(),
            idle_timeout_ms: self.limits.timeout_ms,
        };
        Ok(Outgoing { cleared, request })
    }

    /// Takes the head of the response to what was sent last.
    pub fn handle_head(&mut self, head: &HttpHead) -> Result<Step, Refusal> {
        let Some(location) = head.header("location") else {
            return Ok(Step::Read);
        };
        if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(Step::Read);
        }
        if self.hops.len() as u64 >= u64::from(self.limits.redirects) {
            return Err(refuse(
                format!("it is redirected more than {} times", self.limits.redirects),
                "use the address that it leads to",
            ));
        }
        self.hops.push(Hop {
            url: self.url(),
            status: head.status,
        });
        self.redirect(head.status, location)?;
        Ok(Step::Follow)
    }

    fn redirect(&mut self, status: u16, location: &str) -> Result<(), Refusal> {
        let request = &mut self.request;
        let target = request.target.join(location)?;
        let is_same = target.origin() == request.target.origin();
        let becomes_get = match status {
            301 | 302 => request.method == Method::Post,
            303 => !request.method.is_safe(),
            _ => false,
        };
        if becomes_get {
            request.method = Method::Get;
            request.body = [].into();
            request
                .headers
                .retain(|(name, _)| !name.starts_with("content-"));
        }
        if !is_same {
            if !request.method.is_safe() {
                return Err(refuse(
                    format!(
                        "{} redirects a {} to another server, {}",
                        request.target.origin(),
                        request.method.name(),
                        target.origin()
                    ),
                    "send it there in a call of its own, if that is what is wanted",
                ));
            }
            request.headers.retain(|(name, value)| {
                matches!(value, HeaderValue::Plain(_)) && HARMLESS.contains(&name.as_str())
            });
        }
        request.target = target;
        Ok(())
    }
}

fn refuse(reason: String, hint: &str) -> Refusal {
    Refusal {
        rule: "http: redirect".into(),
        reason,
        hint: Some(hint.into()),
    }
}
