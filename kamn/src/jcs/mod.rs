//! JSON that is signed and hashed: one value, one text (RFC 8785, JSON Canonicalization Scheme).
//!
//! A [`Value`] holds objects, arrays, strings, booleans and whole numbers up to 2^53 - 1 and nothing
//! else, so its canonical text needs no printing of floats and no two values share a text. What is
//! read may be spaced and ordered as its writer liked; what it must not have is listed in [`parse`].
//! Larger numbers are written as decimal strings, and what is absent is left out, never null.

mod error;
mod fields;
mod object;
mod parse;
mod print;

pub use error::Error;
pub use fields::Fields;
pub use object::Object;
pub use parse::parse;

use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// How deep arrays and objects may lie in each other.
pub const DEPTH_LIMIT: usize = 16;

/// What a signed text can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(Integer),
    /// A text: Unicode as it is, never normalised.
    String(String),
    /// A list, in order.
    Array(Vec<Value>),
    /// Members by name.
    Object(Object),
}

impl Value {
    /// The canonical text: what is signed and hashed.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let mut text = String::new();
        print::value(self, &mut text);
        text
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Bool(is)
    }
}

impl From<Integer> for Value {
    fn from(number: Integer) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

/// A whole number that every reader of JSON reads alike: between -(2^53 - 1) and 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Integer(i64);

impl Integer {
    /// The largest, 2^53 - 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// As a number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// As a number that is not negative.
    #[must_use]
    pub fn unsigned(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

impl TryFrom<i64> for Integer {
    type Error = Error;

    fn try_from(number: i64) -> Result<Self, Error> {
        if number.unsigned_abs() <= Self::MAX.0.unsigned_abs() {
            Ok(Self(number))
        } else {
            Err(Error::TooLarge)
        }
    }
}

impl TryFrom<u64> for Integer {
    type Error = Error;

    fn try_from(number: u64) -> Result<Self, Error> {
        i64::try_from(number)
            .map_err(|_| Error::TooLarge)?
            .try_into()
    }
}

impl From<u32> for Integer {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

#[cfg(test)]
mod tests;
