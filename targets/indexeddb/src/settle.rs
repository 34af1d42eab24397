//! Waiting for what the browser calls back.
//!
//! Invariant: a wait that is dropped changes nothing. What it waited for goes on, and the browser
//! still finds what it calls.

use idb::Transaction;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};
use tau_core::session::StoreError;
use wasm_bindgen::JsValue;

use crate::error::{io, of_idb, of_thrown};

/// Something that is told once, from a callback to a future.
pub(crate) struct Told<T> {
    value: RefCell<Option<T>>,
    waker: RefCell<Option<Waker>>,
}

impl<T> Told<T> {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            value: RefCell::new(None),
            waker: RefCell::new(None),
        })
    }

    pub(crate) fn tell(&self, value: T) {
        self.value.replace(Some(value));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(crate) async fn wait(&self) -> T {
        poll_fn(|cx| match self.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                self.waker.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// Waits until `transaction` has committed, or says why it was aborted.
pub(crate) async fn settle(transaction: Transaction, name: &str) -> Result<(), StoreError> {
    let raw = JsValue::from(transaction);
    let again = || Transaction::try_from(raw.clone()).map_err(|error| of_idb(name, error));
    let told = Told::new();
    let mut watched = Watched {
        transaction: again()?,
        ended: Rc::new(Cell::new(false)),
    };
    for (committed, on) in [
        (true, Transaction::on_complete as fn(&mut _, _)),
        (false, Transaction::on_abort),
    ] {
        let (told, ended) = (Rc::clone(&told), Rc::clone(&watched.ended));
        on(
            &mut watched.transaction,
            Box::new(move |_| {
                ended.set(true);
                told.tell(committed);
            }) as Box<dyn FnOnce(_)>,
        );
    }
    if told.wait().await {
        return Ok(());
    }
    Err(match again()?.error() {
        Some(reason) => of_thrown(name, &reason),
        None => io(name, "the browser gave the change up and did not say why"),
    })
}

/// A transaction somebody waits for.
struct Watched {
    transaction: Transaction,
    ended: Rc<Cell<bool>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.transaction.forget_callbacks();
        }
    }
}
