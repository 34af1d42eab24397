//! The program from outside: what a shell, a script and a person at a terminal see.
//!
//! Models are servers on loopback that do what a test says; nothing else is reached.

mod bundles;
mod channels;
mod chat;
mod confined;
mod containers;
mod credentials;
mod decisions;
mod embeddings;
mod exit_codes;
mod graph;
mod help;
mod hostile_input;
#[cfg(unix)]
mod identity;
mod identity_files;
mod import_notes;
mod inside;
#[cfg(target_os = "linux")]
mod keyring;
mod killed;
mod killed_transfers;
mod memory;
#[cfg(unix)]
mod message_channels;
#[cfg(unix)]
mod messages;
mod net;
mod one_shot;
mod own_tools;
mod protection;
#[cfg(unix)]
mod receipts;
mod sandbox;
mod screening;
mod secrets;
mod session_rm;
mod sessions;
mod settings;
mod shared_store;
mod store;
mod store_copy;
mod support;
mod tool_build;
mod tools;
#[cfg(unix)]
mod trade;
mod transfer;
mod wasm;
