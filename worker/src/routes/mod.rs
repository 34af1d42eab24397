//! What can be asked, one file each: `parse` names it, the entry or an object answers it.

pub(crate) mod begin;
pub(crate) mod bundle;
pub(crate) mod commands;
pub(crate) mod deliver;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod prompt;
pub(crate) mod routines;
pub(crate) mod view;
pub(crate) mod well_known;

use tau_core::ids::SessionId;

use crate::errors::ApiError;

/// Something that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET /health`
    Health,
    /// `GET` below `/.well-known`
    Public(Public),
    /// `GET /agents/inbox`
    Who,
    /// `POST /agents/inbox`
    Inbox,
    /// `GET /v1/letters`
    Letters,
    /// `POST /v1/messages`
    Send,
    /// `POST /v1/sessions`
    Begin,
    /// `GET /v1/sessions`
    List,
    /// `GET` and `POST /v1/memory`
    Memory,
    /// `POST /v1/bundles`
    Import,
    /// Below `/v1/sessions/ID`
    Session(SessionId, Verb),
}

/// What everybody may know of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Public {
    /// `/.well-known/did.json`
    Document,
    /// `/.well-known/agent-card.json`
    Card,
    /// `/.well-known/kamn/log`
    Log,
}

/// What can be asked of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `GET`
    View,
    /// `DELETE`
    Delete,
    /// `POST …/prompt`
    Prompt,
    /// `POST …/deliver`
    Deliver,
    /// `GET …/events`
    Events,
    /// `GET …/export`
    Export,
    /// `GET …/bundle`
    Bundle,
    /// `POST …/approve`
    Approve,
    /// `POST …/deny`
    Deny,
    /// `POST …/interrupt`
    Interrupt,
    /// `POST …/undo`
    Undo,
    /// `POST …/redo`
    Redo,
    /// `POST …/switch`
    Switch,
    /// `POST …/branch`
    Branch,
    /// `POST …/merge`
    Merge,
    /// `POST …/compact`
    Compact,
    /// `GET …/routines`
    Routines,
    /// `POST …/routines`
    AddRoutine,
    /// `DELETE …/routines/NAME`
    RemoveRoutine,
}

/// Which route a request takes.
pub(crate) fn parse(method: &str, path: &str) -> Result<Route, ApiError> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let routes: Vec<(&str, Route)> = match parts.as_slice() {
        ["health"] => vec![("GET", Route::Health)],
        [".well-known", rest @ ..] => {
            let public = match rest {
                ["did.json"] => Some(Public::Document),
                ["agent-card.json"] => Some(Public::Card),
                ["kamn", "log"] => Some(Public::Log),
                _ => None,
            };
            public
                .map(|public| ("GET", Route::Public(public)))
                .into_iter()
                .collect()
        }
        ["agents", "inbox"] => vec![("GET", Route::Who), ("POST", Route::Inbox)],
        ["v1", "letters"] => vec![("GET", Route::Letters)],
        ["v1", "messages"] => vec![("POST", Route::Send)],
        ["v1", "sessions"] => vec![("GET", Route::List), ("POST", Route::Begin)],
        ["v1", "memory"] => vec![("GET", Route::Memory), ("POST", Route::Memory)],
        ["v1", "bundles"] => vec![("POST", Route::Import)],
        ["v1", "sessions", id, rest @ ..] => {
            let id = session_id(id)?;
            let verbs: &[(&str, Verb)] = match rest {
                [] => &[("GET", Verb::View), ("DELETE", Verb::Delete)],
                ["prompt"] => &[("POST", Verb::Prompt)],
                ["deliver"] => &[("POST", Verb::Deliver)],
                ["events"] => &[("GET", Verb::Events)],
                ["export"] => &[("GET", Verb::Export)],
                ["bundle"] => &[("GET", Verb::Bundle)],
                ["approve"] => &[("POST", Verb::Approve)],
                ["deny"] => &[("POST", Verb::Deny)],
                ["interrupt"] => &[("POST", Verb::Interrupt)],
                ["undo"] => &[("POST", Verb::Undo)],
                ["redo"] => &[("POST", Verb::Redo)],
                ["switch"] => &[("POST", Verb::Switch)],
                ["branch"] => &[("POST", Verb::Branch)],
                ["merge"] => &[("POST", Verb::Merge)],
                ["compact"] => &[("POST", Verb::Compact)],
                ["routines"] => &[("GET", Verb::Routines), ("POST", Verb::AddRoutine)],
                ["routines", _] => &[("DELETE", Verb::RemoveRoutine)],
                _ => &[],
            };
            verbs
                .iter()
                .map(|(method, verb)| (*method, Route::Session(id.clone(), *verb)))
                .collect()
        }
        _ => Vec::new(),
    };
    if routes.is_empty() {
        return Err(
            ApiError::new(404, "no_such_route", "there is nothing at this path")
                .hint("see docs/worker.md for the routes"),
        );
    }
    let allowed: Vec<&str> = routes.iter().map(|(method, _)| *method).collect();
    let allowed = allowed.join(", ");
    routes
        .into_iter()
        .find(|(known, _)| *known == method)
        .map(|(_, route)| route)
        .ok_or_else(|| {
            ApiError::new(405, "wrong_method", format!("this path takes {allowed}"))
                .header("allow", allowed)
        })
}

/// Sixteen hex digits; anything else is no session of anybody.
fn session_id(text: &str) -> Result<SessionId, ApiError> {
    let is_id = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_id {
        Ok(SessionId(text.into()))
    } else {
        Err(ApiError::no_session())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<Route, ApiError>) -> String {
        format!("{:?}", result.unwrap_err())
    }

    #[test]
    fn every_route_is_found_and_nothing_else_is() {
        let id = SessionId("0123456789abcdef".into());
        let of = |verb| Route::Session(id.clone(), verb);
        assert_eq!(parse("GET", "/health").unwrap(), Route::Health);
        assert_eq!(parse("POST", "/v1/sessions").unwrap(), Route::Begin);
        assert_eq!(parse("GET", "/v1/sessions").unwrap(), Route::List);
        assert_eq!(parse("GET", "/v1/memory").unwrap(), Route::Memory);
        assert_eq!(parse("POST", "/v1/memory").unwrap(), Route::Memory);
        assert!(code(parse("DELETE", "/v1/memory")).contains("405"));
        assert_eq!(
            parse("GET", "/.well-known/kamn/log").unwrap(),
            Route::Public(Public::Log)
        );
        assert!(code(parse("POST", "/.well-known/did.json")).contains("405"));
        assert!(code(parse("GET", "/.well-known/kamn/seed")).contains("404"));
        assert_eq!(parse("GET", "/agents/inbox").unwrap(), Route::Who);
        assert_eq!(parse("POST", "/agents/inbox").unwrap(), Route::Inbox);
        assert_eq!(parse("GET", "/v1/letters").unwrap(), Route::Letters);
        assert_eq!(parse("POST", "/v1/messages").unwrap(), Route::Send);
        assert_eq!(parse("POST", "/v1/bundles").unwrap(), Route::Import);
        let base = "/v1/sessions/0123456789abcdef";
        assert_eq!(
            parse("GET", &format!("{base}/bundle")).unwrap(),
            of(Verb::Bundle)
        );
        assert_eq!(parse("GET", base).unwrap(), of(Verb::View));
        assert_eq!(parse("DELETE", base).unwrap(), of(Verb::Delete));
        assert_eq!(
            parse("POST", &format!("{base}/undo")).unwrap(),
            of(Verb::Undo)
        );
        for path in ["/", "", "/v1", "/v1/sessions/", "/v2/sessions"] {
            assert!(code(parse("GET", path)).contains("404"), "{path}");
        }
        assert!(code(parse("GET", &format!("{base}/nothing"))).contains("no_such_route"));
        assert!(code(parse("GET", &format!("{base}/undo"))).contains("405"));
    }

    #[test]
    fn a_name_that_no_session_can_have_is_not_looked_for() {
        for id in ["x", "0123456789ABCDEF", "0123456789abcdef0", "..%2f..%2f"] {
            let path = format!("/v1/sessions/{id}");
            assert!(
                code(parse("GET", &path)).contains("no_such_session"),
                "{id}"
            );
        }
    }
}
