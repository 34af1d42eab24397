//! The browser's exceptions in the words of the platform.

use js_sys::Reflect;
use tau_core::session::StoreError;
use wasm_bindgen::JsValue;

/// The exception's name when a key that is added is there already.
pub(crate) const CONSTRAINT: &str = "ConstraintError";

/// Of a database that is open.
pub(crate) fn of_thrown(database: &str, thrown: &JsValue) -> StoreError {
    let shown = shown(thrown);
    match name_of(thrown).as_str() {
        "QuotaExceededError" => StoreError::Full,
        "InvalidStateError" | "NotFoundError" => io(
            database,
            &format!("the browser closed it or took it away; reload the page ({shown})"),
        ),
        _ => io(database, &shown),
    }
}

/// The same, of what `idb` found.
pub(crate) fn of_idb(database: &str, error: idb::Error) -> StoreError {
    match thrown(error) {
        Ok(thrown) => of_thrown(database, &thrown),
        Err(text) => io(database, &text),
    }
}

/// Of a database that could not be opened.
pub(crate) fn of_open(database: &str, thrown: &JsValue) -> StoreError {
    let shown = shown(thrown);
    match name_of(thrown).as_str() {
        "QuotaExceededError" => StoreError::Full,
        "VersionError" => io(
            database,
            &format!("it was made by a newer Tau; reload the page to get that one ({shown})"),
        ),
        "SecurityError" | "InvalidStateError" | "NotAllowedError" => no_storage(&shown),
        _ => io(database, &shown),
    }
}

/// The same, of what `idb` found.
pub(crate) fn of_idb_open(database: &str, error: idb::Error) -> StoreError {
    match error {
        idb::Error::IndexedDbNotFound(_) => no_storage("there is no IndexedDB"),
        error => match thrown(error) {
            Ok(thrown) => of_open(database, &thrown),
            Err(text) => io(database, &text),
        },
    }
}

/// A database that cannot be used as it is.
pub(crate) fn io(database: &str, detail: &str) -> StoreError {
    StoreError::Io {
        detail: format!("database {database}: {detail}"),
    }
}

/// A database whose content makes no sense.
pub(crate) fn corrupt(database: &str, detail: &str) -> StoreError {
    StoreError::Corrupt {
        detail: format!("database {database}: {detail}"),
    }
}

/// The name of an exception; empty for anything else.
pub(crate) fn name_of(thrown: &JsValue) -> String {
    property(thrown, "name")
}

fn no_storage(shown: &str) -> StoreError {
    StoreError::Io {
        detail: format!(
            "the browser keeps nothing for this page; allow site data, or leave private browsing \
             ({shown})"
        ),
    }
}

fn shown(thrown: &JsValue) -> String {
    let (name, message) = (name_of(thrown), property(thrown, "message"));
    match (name.as_str(), message.as_str()) {
        ("", "") => "no reason was given".to_owned(),
        (name, "") => name.to_owned(),
        ("", message) => message.to_owned(),
        (name, message) => format!("{name}: {message}"),
    }
}

fn property(of: &JsValue, name: &str) -> String {
    Reflect::get(of, &name.into())
        .ok()
        .and_then(|value| value.as_string())
        .unwrap_or_default()
}

/// What the browser threw, or what `idb` says itself.
fn thrown(error: idb::Error) -> Result<JsValue, String> {
    use idb::Error as E;
    match error {
        E::DomException(thrown) => Ok(thrown.into()),
        E::AddFailed(thrown)
        | E::DeleteFailed(thrown)
        | E::GetAllFailed(thrown)
        | E::GetAllKeysFailed(thrown)
        | E::GetFailed(thrown)
        | E::IndexedDbOpenFailed(thrown)
        | E::KeyRangeCreateFailed(thrown)
        | E::ObjectStoreCreateFailed(thrown)
        | E::ObjectStoreNotFound(thrown)
        | E::TransactionAbortError(thrown)
        | E::TransactionOpenFailed(thrown)
        | E::UpdateFailed(thrown) => Ok(thrown),
        other => Err(other.to_string()),
    }
}
