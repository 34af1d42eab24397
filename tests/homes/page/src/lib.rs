//! Scenarios and conformance suites inside a web page, for tests.
//!
//! `www/worker.js` calls it in a dedicated Web Worker, one task after another.

use js_sys::Function;
use std::cell::RefCell;
use tau_platform::conformance::http::Sees;
use tau_target_indexeddb::IdbStorage;
use tau_target_web::{FetchHttp, WebClock, WebEntropy};
use tau_tests::task::{self, Adapters, secret};
use wasm_bindgen::prelude::*;

/// Has `told` hear the words of a panic, which ends the task without any other answer.
#[wasm_bindgen]
pub fn watch(told: Function) {
    std::panic::set_hook(Box::new(move |panic| {
        // If nobody can be told, the task runs into the harness's patience.
        let _ = told.call1(&JsValue::NULL, &JsValue::from_str(&panic.to_string()));
    }));
}

/// Does a task, given as JSON; gives the answer as JSON.
#[wasm_bindgen]
pub async fn perform(task: String) -> Result<String, JsError> {
    let task = serde_json::from_str(&task)?;
    let answer = task::perform(&Page::default(), task).await;
    Ok(serde_json::to_string(&answer)?)
}

#[derive(Default)]
struct Page {
    /// The name of the store made last.
    newest: RefCell<String>,
}

impl Page {
    async fn open(&self, name: &str) -> IdbStorage {
        let opened = IdbStorage::open(name).await;
        opened.unwrap_or_else(|error| panic!("the database {name}: {error}"))
    }
}

impl Adapters for Page {
    type Http = FetchHttp;
    type Storage = IdbStorage;
    type Clock = WebClock;
    type Entropy = WebEntropy;
    const SEES: Sees = Sees::AS_A_PAGE;

    fn http(&self) -> FetchHttp {
        FetchHttp::new(secret)
    }

    async fn store(&self, name: &str) -> IdbStorage {
        self.open(name).await
    }

    async fn empty_store(&self) -> IdbStorage {
        let name = format!("suite {}", js_sys::Math::random());
        self.newest.replace(name.clone());
        self.open(&name).await
    }

    async fn reopened(&self, store: IdbStorage) -> IdbStorage {
        store.close();
        let name = self.newest.borrow().clone();
        self.open(&name).await
    }

    fn clock(&self) -> WebClock {
        WebClock
    }

    fn entropy(&self) -> WebEntropy {
        WebEntropy
    }
}
