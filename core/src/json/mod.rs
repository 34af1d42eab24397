//! JSON in and out of Tau's types, for modules in which every byte counts.
//!
//! serde writes a reader for each type and each thing it could be read from, and a tagged enum is
//! read from several: half of the core was readers. Here a text is read once into a tree of
//! [`Value`]s, and a type takes what it needs out of the tree: one reader for each type, in it one
//! call for each field. Invariant: what is read and written is the same as with serde, to the byte;
//! both obey the same attributes, and tests compare them over every record of the scenarios and over
//! each of the other things that are stored.
//!
//! A type derives [`FromJson`] and [`ToJson`] beside serde's traits, which stay for other formats
//! and cost nothing where they are not used.

mod read;
mod write;

pub use read::{
    Error, FromJson, field, field_or, field_or_default, from_slice, from_str, from_value, keyed,
    named, object, tagged,
};
pub use serde_json::{Map, Value};
pub use tau_core_derive::{FromJson, ToJson};
pub use write::{ToJson, Writer, object_of, to_string, to_value, to_vec};

#[cfg(test)]
mod tests;
