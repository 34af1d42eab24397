//! `#[derive(FromJson, ToJson)]`: readers and writers for `tau_core::json`.
//!
//! They obey serde's own attributes, so that one description of a type serves both, and read and
//! write the same JSON as serde does. An attribute they do not know is a compile error: nothing is
//! ever written differently in silence.

mod attributes;
mod read;
mod write;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Reads a type from JSON: `tau_core::json::FromJson`.
#[proc_macro_derive(FromJson, attributes(serde))]
pub fn from_json(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let code = read::derive(&input);
    code.unwrap_or_else(|error| error.into_compile_error())
        .into()
}

/// Writes a type as JSON: `tau_core::json::ToJson`.
#[proc_macro_derive(ToJson, attributes(serde))]
pub fn to_json(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let code = write::derive(&input);
    code.unwrap_or_else(|error| error.into_compile_error())
        .into()
}
