//! The keyring of the system: Keychain, Credential Manager, or the Secret Service of a desktop.
//!
//! Spoken to on a thread of its own and with patience: a locked keyring asks its owner first.

use ::keyring::{Entry, Error as KeyringError};
use std::{sync::mpsc, thread, time::Duration};
use zeroize::Zeroizing;

use crate::exit::{Error, Exit};

const SERVICE: &str = "tau credentials";
/// For a person to unlock the keyring in.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether one answers.
pub(crate) fn is_there() -> bool {
    ask("", |_| Ok(())).is_ok()
}

/// Keeps `secret` under `account`.
pub(crate) fn put(account: &str, secret: &[u8]) -> Result<(), Error> {
    let secret = Zeroizing::new(secret.to_vec());
    ask(account, move |entry| entry.set_secret(&secret))
}

/// What is kept under `account`.
pub(crate) fn get(account: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    ask(account, |entry| entry.get_secret().map(Zeroizing::new))
}

/// Forgets what is kept under `account`.
pub(crate) fn remove(account: &str) -> Result<(), Error> {
    ask(account, |entry| match entry.delete_credential() {
        Err(KeyringError::NoEntry) => Ok(()),
        done => done,
    })
}

fn ask<T: Send + 'static>(
    account: &str,
    work: impl FnOnce(&Entry) -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, Error> {
    let account = account.to_owned();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let done = match Entry::store_status() {
            Ok(()) => Entry::new(SERVICE, &account)
                .and_then(|entry| work(&entry))
                .map_err(|error| of_keyring(&error)),
            Err(error) => Err(of_keyring(error)),
        };
        // Whoever asked may have run out of patience.
        let _ = sender.send(done);
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        Err(unavailable(&format!(
            "it did not answer within {} s",
            PATIENCE.as_secs()
        )))
    })
}

fn of_keyring(error: &KeyringError) -> Error {
    match error {
        KeyringError::NoEntry => Error::new(Exit::Auth, "the keyring has no key for this")
            .hint("unlock the keyring that it was made with, or begin anew without it"),
        // Never the error's own bytes: some variants carry what was kept.
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => {
            unavailable("what it keeps is not what was put there")
        }
        error => unavailable(&error.to_string()),
    }
}

fn unavailable(why: &str) -> Error {
    Error::new(Exit::Auth, "no keyring answers here")
        .cause(why)
        .hint(
            "use a passphrase: --passphrase, with TAU_PASSPHRASE_FILE or TAU_PASSPHRASE in scripts",
        )
}
