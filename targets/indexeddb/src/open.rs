//! Opening the database: its schema, and the other tabs that have it open.
//!
//! Each version of the schema is one step up from the one before; a database is brought up step by
//! step in the transaction that opens it, so that it is of the new version or of the old.

use idb::{
    Database, Factory, ObjectStoreParams, Request, event::VersionChangeEvent,
    request::OpenDatabaseRequest,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use tau_core::session::StoreError;
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    IdbStorage, Inner, ROWS, RawDatabase,
    error::{corrupt, io, of_idb, of_idb_open, of_open},
    settle::Told,
};

/// The schema this code reads and writes.
pub(crate) const VERSION: u32 = 1;

/// One step up to `version`.
fn step(database: &Database, version: u32) -> Result<(), StoreError> {
    let name = database.name();
    match version {
        1 => database
            .create_object_store(ROWS, ObjectStoreParams::new())
            .map(drop)
            .map_err(|error| of_idb(&name, error)),
        _ => Err(io(&name, &format!("there is no schema {version}"))),
    }
}

/// What is known of an opening, by the future and by what the browser calls.
struct Opening {
    name: String,
    told: Rc<Told<Result<Database, StoreError>>>,
    /// Nobody waits any more: a database that comes now is closed.
    left: Cell<bool>,
    /// The browser's last word was said.
    done: Cell<bool>,
    /// Why the upgrade failed.
    problem: RefCell<Option<StoreError>>,
}

impl Opening {
    fn tell(&self, outcome: Result<Database, StoreError>) {
        match outcome {
            Ok(database) if self.left.get() => database.close(),
            outcome => self.told.tell(outcome),
        }
    }

    fn upgrade(&self, event: &VersionChangeEvent) {
        if let Err(problem) = self.upgraded(event) {
            self.problem.replace(Some(problem));
            let request = idb::Event::target(event).ok();
            if let Some(transaction) = request.and_then(|request| request.transaction()) {
                // Its only failure is to have ended already.
                transaction.abort().ok();
            }
        }
    }

    fn upgraded(&self, event: &VersionChangeEvent) -> Result<(), StoreError> {
        let failed = |error| of_idb(&self.name, error);
        let database = idb::DatabaseEvent::database(event).map_err(failed)?;
        let from = event.old_version().map_err(failed)?;
        let to = event.new_version().map_err(failed)?.unwrap_or(VERSION);
        (from + 1..=to).try_for_each(|version| step(&database, version))
    }

    fn failed(&self, request: Result<OpenDatabaseRequest, idb::Error>) -> StoreError {
        let reason = request.and_then(|request| request.error());
        match (self.problem.take(), reason) {
            (Some(problem), _) => problem,
            (None, Ok(Some(reason))) => of_open(&self.name, &reason),
            (None, Ok(None)) => io(&self.name, "the browser did not say why it stays shut"),
            (None, Err(error)) => of_idb_open(&self.name, error),
        }
    }
}

/// A request to open, whose callbacks outlive it until the browser has said its last word.
struct Pending {
    request: OpenDatabaseRequest,
    opening: Rc<Opening>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.opening.left.set(true);
        if !self.opening.done.get() {
            self.request.forget_callbacks();
        }
    }
}

pub(crate) async fn open(name: &str, version: u32) -> Result<IdbStorage, StoreError> {
    let request = Factory::new()
        .and_then(|factory| factory.open(name, Some(version)))
        .map_err(|error| of_idb_open(name, error))?;
    let opening = Rc::new(Opening {
        name: name.to_owned(),
        told: Told::new(),
        left: Cell::new(false),
        done: Cell::new(false),
        problem: RefCell::new(None),
    });
    let mut pending = Pending {
        request,
        opening: Rc::clone(&opening),
    };
    listen(&mut pending.request, &opening);
    let database = opening.told.wait().await?;
    drop(pending);
    connect(name, database)
}

fn listen(request: &mut OpenDatabaseRequest, opening: &Rc<Opening>) {
    let here = Rc::clone(opening);
    request.on_upgrade_needed(move |event| here.upgrade(&event));
    let here = Rc::clone(opening);
    request.on_blocked(move |_| {
        here.tell(Err(StoreError::Locked {
            holder: "another tab with an older Tau; close that tab or reload it".to_owned(),
        }));
        // What comes after this is for nobody.
        here.left.set(true);
    });
    let here = Rc::clone(opening);
    request.on_success(move |event| {
        here.done.set(true);
        let database = idb::DatabaseEvent::database(&event);
        here.tell(database.map_err(|error| of_idb(&here.name, error)));
    });
    let here = Rc::clone(opening);
    request.on_error(move |event| {
        here.done.set(true);
        here.tell(Err(here.failed(idb::Event::target(&event))));
    });
}

/// Makes a store of a connection, and listens to what other tabs and the person do to it.
fn connect(name: &str, database: Database) -> Result<IdbStorage, StoreError> {
    if !database.store_names().iter().any(|store| store == ROWS) {
        database.close();
        return Err(corrupt(name, &format!("it has no store called {ROWS}")));
    }
    let raw: RawDatabase = JsValue::from(database).unchecked_into();
    let again = || Database::try_from(JsValue::from(raw.clone())).map_err(|e| of_idb(name, e));
    let (mut database, closing) = (again()?, again()?);
    let lost = Rc::new(RefCell::new(None));

    let told = Rc::clone(&lost);
    database.on_version_change(move |event| {
        let version = VersionChangeEvent::try_from(JsValue::from(event))
            .and_then(|event| event.new_version());
        told.replace(Some(match version {
            Ok(Some(version)) => {
                format!("another tab brought it up to version {version}; reload the page")
            }
            _ => "it was deleted; reload the page".to_owned(),
        }));
        // Whoever asks waits until every connection is closed.
        closing.close();
    });
    let told = Rc::clone(&lost);
    database.on_close(move |_| {
        let why = "the browser closed it, as it does when site data is cleared; reload the page";
        told.replace(Some(why.to_owned()));
    });
    Ok(IdbStorage {
        inner: Rc::new(Inner {
            name: name.to_owned(),
            raw,
            lost,
            database,
        }),
    })
}
