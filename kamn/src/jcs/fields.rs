//! Taking an object apart, leaving nothing over.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{Error, Object, Value};
use crate::error::beginning;

/// The members of an object that are still to be taken. [`Fields::end`] refuses what is left, so no
/// signed object carries something nobody looked at.
#[derive(Debug)]
pub struct Fields {
    what: &'static str,
    object: Object,
}

impl Fields {
    /// Begins with an object; `what` is what errors call it.
    pub fn of(what: &'static str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(object) => Ok(Self { what, object }),
            _ => Err(Error::Kind {
                what,
                name: String::new(),
                expected: "an object",
            }),
        }
    }

    /// A member of any kind.
    pub fn value(&mut self, name: &'static str) -> Result<Value, Error> {
        let what = self.what;
        self.optional(name).ok_or(Error::Missing { what, name })
    }

    /// A member of any kind that may be absent.
    pub fn optional(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name)
    }

    /// A text.
    pub fn string(&mut self, name: &'static str) -> Result<String, Error> {
        let value = self.value(name)?;
        self.text(name, value)
    }

    /// A text that may be absent.
    pub fn optional_string(&mut self, name: &'static str) -> Result<Option<String>, Error> {
        let value = self.optional(name);
        value.map(|value| self.text(name, value)).transpose()
    }

    /// A whole number from 0.
    pub fn unsigned(&mut self, name: &'static str) -> Result<u64, Error> {
        let found = match self.value(name)? {
            Value::Integer(number) => number.unsigned(),
            _ => None,
        };
        found.ok_or_else(|| self.kind(name, "a whole number from 0"))
    }

    /// A list.
    pub fn array(&mut self, name: &'static str) -> Result<Vec<Value>, Error> {
        match self.value(name)? {
            Value::Array(items) => Ok(items),
            _ => Err(self.kind(name, "a list")),
        }
    }

    /// A list of texts.
    pub fn strings(&mut self, name: &'static str) -> Result<Vec<String>, Error> {
        let items = self.array(name)?.into_iter();
        items
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(self.kind(name, "a list of strings")),
            })
            .collect()
    }

    /// An object, to be taken apart itself; errors call it `what`.
    pub fn fields(&mut self, name: &'static str, what: &'static str) -> Result<Self, Error> {
        match self.value(name)? {
            Value::Object(object) => Ok(Self { what, object }),
            _ => Err(self.kind(name, "an object")),
        }
    }

    /// What is still to be taken, as it is.
    #[must_use]
    pub fn rest(self) -> Object {
        self.object
    }

    /// Refuses an object of which something is left.
    pub fn end(self) -> Result<(), Error> {
        match self.object.iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Error::Unknown {
                what: self.what,
                name: beginning(name),
            }),
        }
    }

    fn text(&self, name: &str, value: Value) -> Result<String, Error> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(self.kind(name, "a string")),
        }
    }

    fn kind(&self, name: &str, expected: &'static str) -> Error {
        Error::Kind {
            what: self.what,
            name: name.to_string(),
            expected,
        }
    }
}
