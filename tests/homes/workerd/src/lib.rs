//! Scenarios and conformance suites inside workerd, for tests.
//!
//! `shim.mjs` makes a Durable Object of it: one task a request, in the storage of the object it is
//! sent to.

use tau_platform::conformance::http::Sees;
use tau_target_durable::DurableStorage;
use tau_target_web::{FetchHttp, WebClock, WebEntropy};
use tau_tests::task::{self, Adapters, secret};
use worker::{
    State,
    js_sys::Function,
    wasm_bindgen::{JsCast, JsError, JsValue, prelude::wasm_bindgen},
    worker_sys::DurableObjectState,
};

/// Has `told` hear the words of a panic, which ends the task without any other answer.
#[wasm_bindgen]
pub fn watch(told: Function) {
    std::panic::set_hook(Box::new(move |panic| {
        // If nobody can be told, the task runs into the harness's patience.
        let _ = told.call1(&JsValue::NULL, &JsValue::from_str(&panic.to_string()));
    }));
}

/// Does a task, given as JSON, in the object `state`; gives the answer as JSON.
#[wasm_bindgen]
pub async fn perform(state: JsValue, task: String) -> Result<String, JsError> {
    let object = Object(State::from(state.unchecked_into::<DurableObjectState>()));
    let task = serde_json::from_str(&task)?;
    let answer = task::perform(&object, task).await;
    Ok(serde_json::to_string(&answer)?)
}

struct Object(State);

impl Object {
    fn open(&self) -> DurableStorage {
        let opened = DurableStorage::open(self.0.storage());
        opened.unwrap_or_else(|error| panic!("the object's storage: {error}"))
    }
}

impl Adapters for Object {
    type Http = FetchHttp;
    type Storage = DurableStorage;
    type Clock = WebClock;
    type Entropy = WebEntropy;
    // A redirect is given like any other response; why there is no head is not told.
    const SEES: Sees = Sees {
        redirects: true,
        causes: false,
    };

    fn http(&self) -> FetchHttp {
        FetchHttp::new(secret)
    }

    /// The object's own: each play has an object of its name.
    async fn store(&self, _name: &str) -> DurableStorage {
        self.open()
    }

    async fn empty_store(&self) -> DurableStorage {
        let emptied = self.open().delete_all().await;
        assert_eq!(emptied, Ok(()), "the storage can be emptied");
        self.open()
    }

    async fn reopened(&self, store: DurableStorage) -> DurableStorage {
        drop(store);
        self.open()
    }

    fn clock(&self) -> WebClock {
        WebClock
    }

    fn entropy(&self) -> WebEntropy {
        WebEntropy
    }
}
