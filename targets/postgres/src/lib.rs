//! The store in a PostgreSQL server: for several processes on several machines.
//!
//! Invariants: when a commit is answered with `Ok`, the server has it on its disk; a commit whose
//! answer was lost is sent again under the same name until it is known to have been done, once.
//! A password is in no error, no log and no debug output, and goes over no network unencrypted
//! unless a person writes so into the address.
//!
//! | part | what it knows |
//! |---|---|
//! | `options` | where the server is and how it is spoken to: an address without a password |
//! | `tls` | whose certificates are believed |
//! | `server` | connections: made, kept, given up |
//! | `schema` | what the tables are, before they are used |
//! | `question` | what a server is asked, in its language |
//! | `storage` | questions and commits, asked again where that is safe |
//! | `hold` | one process a session, on whichever machine |
//!
//! A person can look at the tables: `tau.kv` holds every key and value, and the views
//! `tau.sessions`, `tau.entries` and `tau.memories` show what they mean.

mod error;
mod hold;
mod options;
mod question;
mod schema;
mod server;
mod storage;
mod tls;

pub use hold::SessionHold;
pub use options::{Options, OptionsError, Tls};
pub use server::Password;
pub use storage::{Facts, PostgresStorage};
